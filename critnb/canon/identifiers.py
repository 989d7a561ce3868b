"""The identifiers of the pack as types: stages, statuses, definitions, roles, criteria, claims and exit codes."""

from __future__ import annotations

from enum import IntEnum, StrEnum, auto


class _Id(StrEnum):
    """An identifier whose value is its own name, so that no code spells it as a string."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name


class Stage(_Id):
    S00 = auto()
    S01 = auto()
    S02 = auto()
    S02B = auto()
    S03 = auto()
    S04 = auto()
    S04K = auto()
    S05 = auto()
    S06B = auto()
    S06ARC = auto()
    S07 = auto()
    S08 = auto()


class Status(_Id):
    started = auto()
    failed = auto()
    complete = auto()


class SpikeDef(_Id):
    SPIKE_ONE_SIDED_POS = auto()
    SPIKE_TWO_SIDED_ABS = auto()


class NullId(_Id):
    NULL_NONE = auto()
    NULL_RASTER_WITHIN_LAYER_TIME_PERM = auto()
    NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT = auto()
    NULL_TOKEN_SHUFFLE_INPUT = auto()


class Intervention(_Id):
    MLP_GLOBAL = auto()
    ATTN_GLOBAL = auto()
    MLP_BAND_EARLY = auto()
    MLP_BAND_MID = auto()
    MLP_BAND_LATE = auto()


class Adjacency(_Id):
    ADJ_4N = auto()
    ADJ_8N = auto()


class SizeDef(_Id):
    SIZE_EVENTS = auto()
    SIZE_SITES = auto()


class ModelRole(_Id):
    BASE = auto()
    INSTRUCT = auto()


class DatasetRole(_Id):
    A = auto()
    B = auto()
    ARC_MCQ = auto()


class SliceRole(_Id):
    A_cal = auto()
    A_raster = auto()
    B_eval = auto()


class GCondition(_Id):
    g1 = auto()
    gstar = auto()


class CriterionKind(StrEnum):
    """What a verdict means, by the first letter of its criterion's identifier."""

    SIGNATURE = "S"
    FALSIFIER = "X"


class Criterion(_Id):
    """Signatures S, which speak for criticality where they pass, and falsifiers X, which speak against it where they fail."""

    S1_BRANCHING = auto()
    S2_SUSCEPTIBILITY = auto()
    S3_CRACKLING = auto()
    S4_SCALING = auto()
    S5_MULTISTEP_TOKENS = auto()
    S5_MULTISTEP_DEPTH = auto()
    X1_NULL_EXPLAINS_BRANCHING = auto()
    X2_NO_SUSCEPTIBILITY_PEAK = auto()
    X3_WORD_ORDER_IRRELEVANT = auto()
    X4_NULL_HAS_SAME_TAIL = auto()
    X5_DEPENDS_ON_SPIKE_DEF = auto()

    @property
    def kind(self) -> CriterionKind:
        """Whether it is a signature or a falsifier."""
        return CriterionKind(self[0])


class Claim(_Id):
    """What the paper may claim, where its tables support it."""

    C1_RATES_MATCH = auto()
    C2_BRANCHING_VARIES = auto()
    C3_GSTAR_CARRIED_OVER = auto()
    C4_ROBUST_TO_SPIKE_DEF = auto()


class Exit(IntEnum):
    DONE = 0
    STAGE_FAILED = 1
    BAD_INPUT = 2
    MISSING_DEPENDENCY = 3
    RUN_EXISTS = 4
    INTERRUPTED = 130

    @property
    def label(self) -> str:
        """The code's meaning in words."""
        return self.name.lower().replace("_", " ")
