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
    NULL_RASTER_FIXED_MARGINS = auto()
    NULL_RASTER_LAYER_ORDER = auto()
    NULL_RASTER_TOKEN_IDENTITY = auto()


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
    """What a verdict of a criterion says.

    SIGNATURE: that activity spreads, by intervention; it passes where nothing spreads in at most a few of a hundred rasters.
    DESCRIPTION: what a raster looks like; one without any spreading can pass. FALSIFIER: speaks against where it fails.
    """

    SIGNATURE = "signature"
    DESCRIPTION = "description"
    FALSIFIER = "falsifier"


class Criterion(_Id):
    """Signatures and descriptions S, and falsifiers X, which speak against criticality where they fail."""

    S1_BRANCHING = auto()
    S2_SUSCEPTIBILITY = auto()
    S3_CRACKLING = auto()
    S4_SCALING = auto()
    S5_MULTISTEP_TOKENS = auto()
    S5_MULTISTEP_DEPTH = auto()
    S6_KNOCK_OUT = auto()
    X1_NULL_EXPLAINS_BRANCHING = auto()
    X2_NO_SUSCEPTIBILITY_PEAK = auto()
    X3_WORD_ORDER_IRRELEVANT = auto()
    X4_NULL_HAS_SAME_TAIL = auto()
    X5_DEPENDS_ON_SPIKE_DEF = auto()

    @property
    def kind(self) -> CriterionKind:
        """Whether it is a signature, a description or a falsifier."""
        return _KINDS[self]


_KINDS = {
    Criterion.S1_BRANCHING: CriterionKind.DESCRIPTION,
    Criterion.S2_SUSCEPTIBILITY: CriterionKind.DESCRIPTION,
    Criterion.S3_CRACKLING: CriterionKind.DESCRIPTION,
    Criterion.S4_SCALING: CriterionKind.DESCRIPTION,
    Criterion.S5_MULTISTEP_TOKENS: CriterionKind.DESCRIPTION,
    Criterion.S5_MULTISTEP_DEPTH: CriterionKind.DESCRIPTION,
    Criterion.S6_KNOCK_OUT: CriterionKind.SIGNATURE,
    Criterion.X1_NULL_EXPLAINS_BRANCHING: CriterionKind.FALSIFIER,
    Criterion.X2_NO_SUSCEPTIBILITY_PEAK: CriterionKind.FALSIFIER,
    Criterion.X3_WORD_ORDER_IRRELEVANT: CriterionKind.FALSIFIER,
    Criterion.X4_NULL_HAS_SAME_TAIL: CriterionKind.FALSIFIER,
    Criterion.X5_DEPENDS_ON_SPIKE_DEF: CriterionKind.FALSIFIER,
}


class ControlId(_Id):
    """Synthetic lattices and toy networks of which it is known whether anything propagates: the instrument's own controls."""

    INDEPENDENT_SITES = auto()
    WINDOW_RATES = auto()
    HOT_FIRST_TOKENS = auto()
    TOKEN_BURST = auto()
    SHARED_AR1_WEAK = auto()
    SHARED_AR1_STRONG = auto()
    SHARED_TOKEN_EFFECT = auto()
    FADING_TOKEN_EFFECT = auto()
    DEPTH_PERSISTENCE = auto()
    DRIVEN_SUBCRITICAL = auto()
    CRITICAL_SLOW_DRIVE = auto()
    CRITICAL_DRIVE = auto()
    NEARLY_CRITICAL = auto()
    SHARED_INPUT_NETWORK = auto()
    CONNECTED_NETWORK = auto()


class Claim(_Id):
    """What the paper may claim, where its tables support it."""

    C1_RATES_MATCH = auto()
    C2_BRANCHING_VARIES = auto()
    C3_GSTAR_CARRIED_OVER = auto()
    C4_ROBUST_TO_SPIKE_DEF = auto()
    C5_PROPAGATION = auto()


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
