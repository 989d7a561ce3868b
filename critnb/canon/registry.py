"""The registry ``spec/00_CANONICAL.yaml``, typed: every file name, constant and command of the pack."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from critnb.canon import identifiers as ids
from critnb.canon.places import REGISTRY_FILE

_ENUMS: dict[str, type[StrEnum]] = {
    "SPIKE_DEF": ids.SpikeDef,
    "NULL_ID": ids.NullId,
    "INTERVENTION": ids.Intervention,
    "ADJACENCY": ids.Adjacency,
    "SIZE_DEF": ids.SizeDef,
    "MODEL_ROLE": ids.ModelRole,
    "DATASET_ROLE": ids.DatasetRole,
    "SLICE": ids.SliceRole,
    "G_CONDITION": ids.GCondition,
    "CRITERION": ids.Criterion,
    "CONTROL": ids.ControlId,
    "CLAIM": ids.Claim,
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Project(_Section):
    ID: str
    TITLE: str
    RECORD_SCHEMA_VERSION: str
    SIGNATURE_NAMESPACE: str


class _Command(_Section):
    PHASE0_VALIDATE_ENV: str
    PHASE1_CALIBRATE: str
    PHASE2_GAIN_GRID: str
    PHASE2_SELECT_GSTAR: str
    PHASE3_EXTRACT_RASTERS: str
    PHASE4_RUN_NULLS: str
    PHASE4_KNOCK_OUT: str
    PHASE5_ANALYZE_AND_EXPORT: str
    PHASE6_GENERALIZE_B_METRICS: str
    PHASE6_ARC_MCQ_EVAL: str
    PHASE7_PAPER_EXPORT: str
    PHASE8_RELEASE: str


class _Cli(_Section):
    CMD: _Command


class _Path(_Section):
    NOTEBOOKS_DIR: str
    PARAMS_DIR: str
    PAPER_DIR: str
    RUNS_DIR: str
    RUN_DIR_PREFIX: str
    SWEEPS_DIR: str
    PARTIAL_SUFFIX: str
    SIGNATURE_SUFFIX: str
    CONTROL_RATES_TABLE: str


class _RunSubdir(_Section):
    NOTEBOOK: str
    RESULTS: str
    FIGS: str
    FIGS_APPENDIX: str
    TABLES: str
    TABLES_APPENDIX: str
    LOGS: str
    PAPER: str
    CHECKPOINTS: str


class _Output(_Section):
    RUN_RECORD_JSON: str
    CONFIG_RESOLVED_YAML: str
    EVENTS_JSONL_BASENAME: str
    MODEL_CHECKS_PARQUET_BASENAME: str
    KNOWN_ANSWERS_PARQUET_BASENAME: str
    CONTROL_RATES_PARQUET_BASENAME: str
    TOKEN_SHARES_JSON_BASENAME: str
    CALIBRATION_STATS_NPZ_BASENAME: str
    RATE_TARGETS_JSON_BASENAME: str
    METRICS_PARQUET_BASENAME: str
    GSTAR_JSON_BASENAME: str
    RASTER_NPZ_BASENAME: str
    CONDITIONS_PARQUET_BASENAME: str
    TAU_RATE_MATCHED_PARQUET_BASENAME: str
    NULL_NPZ_BASENAME: str
    NULL_CONDITIONS_PARQUET_BASENAME: str
    NULL_REPLICATES_PARQUET_BASENAME: str
    NULL_SEQUENCE_SUMS_NPZ_BASENAME: str
    TOKEN_SHUFFLES_PARQUET_BASENAME: str
    KNOCKOUTS_PARQUET_BASENAME: str
    STABILITY_PARQUET_BASENAME: str
    AVALANCHES_PARQUET_BASENAME: str
    WINDOW_LIKELIHOODS_PARQUET_BASENAME: str
    VOCABULARY_JSON_BASENAME: str
    ARC_SCORES_PARQUET_BASENAME: str
    CLAIMS_JSON_BASENAME: str
    EVIDENCE_JSON_BASENAME: str
    PAPER_HTML_BASENAME: str
    PAPER_PDF_BASENAME: str
    BIBLIOGRAPHY_YAML_BASENAME: str
    MANIFEST_SHA256_BASENAME: str
    RO_CRATE_JSON_BASENAME: str
    CITATION_CFF_BASENAME: str
    ZENODO_JSON_BASENAME: str
    INDEX_HTML_BASENAME: str
    SWEEP_PARQUET_BASENAME: str
    SWEEP_CSV_BASENAME: str
    SWEEP_PNG_BASENAME: str


class _Figure(_Section):
    F01_RASTER_EXAMPLE: str
    F02_RATE_MATCH_CHECK: str
    F03_BRANCHING_CURVES: str
    F04_NULL_DELTAB: str
    F05_GSTAR_SELECTION: str
    F06_GENERALIZATION_B: str
    F07_ARC_MCQ: str
    F08_SPIKEDEF_ROBUST: str
    F09_CHI_CURVES: str
    F10_NULL_COMPARE: str
    F11_ABLATIONS: str
    F12_THRESHOLD_SWEEP: str
    F13_AVALANCHE_PROFILES: str
    F14_TAIL_DISTRIBUTIONS: str
    F15_KNOCKOUTS: str
    F16_STABILITY: str
    K01_CLUSTER_NUMBERS: str
    K02_CRITICAL_BRANCHING: str
    K03_SUBSAMPLING: str


class _Table(_Section):
    T01_SUMMARY: str
    T02_GENERALIZATION: str
    T03_ARC: str
    T04_TAIL_FITS: str
    T05_CRACKLING_DIAGNOSTICS: str
    T06_ABLATIONS: str
    T07_REPLICATION_SUMMARY: str
    T08_SIGNATURES: str
    T09_EXPONENTS: str
    T10_KNOCKOUTS: str


class _Const(_Section):
    SEQ_LEN_TOKENS: int
    EPS: float
    TAU0_BASELINE: float
    TARGET_LAYER_RATES: tuple[float, ...]
    GAIN_GRID_DEFAULT: tuple[float, ...]
    GAIN_BASELINE: float
    N_WINDOWS_A_CALIBRATION: int
    N_WINDOWS_A_RASTERS: int
    N_WINDOWS_B_EVAL: int
    WINDOWS_SEED: int
    BATCH_TOKENS: int
    KERNEL_START_SECONDS: int
    WAIT_SECONDS: int
    BOOTSTRAP_REPS: int
    BOOTSTRAP_SEED: int
    NULL_REPLICATES: int
    NULL_VERDICT_REPLICATES: int
    MARGIN_TRADES: int
    NULL_SEED: int
    NULL_SHUFFLES: int
    NULL_SHUFFLE_WINDOWS: int
    KNOCK_OUT_WINDOWS: int
    KNOCK_OUT_DIRECTIONS: int
    RATE_MATCH_TOL_ABS: float
    RATE_MATCH_TOL_REL: float
    RATE_MATCH_MIN_EVENTS: int
    CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL: int
    CHI_EPS: float
    CRACKLING_D_RANGE: tuple[int, int]
    CRACKLING_MIN_POINTS: int
    CRACKLING_MIN_AVALANCHES_PER_POINT: int
    BOOTSTRAP_CI_WIDTH_MAX: float
    TAIL_FIT_XMIN_PERCENTILE: float
    TAIL_FIT_MIN_TAIL_SAMPLES: int
    TAIL_COMPARE_MIN_SAMPLES: int
    TAIL_P_REPLICATES: int
    MULTISTEP_MAX_LAG: int
    REFERENCE_CASCADES: int
    REFERENCE_REPLICATES: int
    REFERENCE_SEED: int
    SCALING_EQUIVALENCE_MARGIN: float
    SIGNIFICANCE_LEVEL: float
    SIGNATURE_ALIGNMENT_G_DIFF_MAX: float
    BRANCHING_PROXIMITY_MAX: float
    GSTAR_CROSSING_MIN_SHARE: float
    U_HOOK_MATCH_TOL_ABS: float
    TEXT_LOST_SHARE_MAX: float
    CONTROL_RASTERS: int
    CONTROL_REPLICATES: int
    CONTROL_SEED: int
    CONTROL_FALSE_ALARM_MAX: float
    CONTROL_DETECTION_MIN: float


class Registry(_Section):
    """The whole registry; unknown and missing keys are errors when it is loaded."""

    PROJECT: _Project
    CLI: _Cli
    STAGE: tuple[ids.Stage, ...]
    STATUS: tuple[ids.Status, ...]
    EXIT: dict[str, int]
    ENUM: dict[str, tuple[str, ...]]
    PATH: _Path
    PACK: tuple[str, ...]
    RUN_SUBDIR: _RunSubdir
    OUTPUT: _Output
    FIGURE: _Figure
    TABLE: _Table
    CONST: _Const

    def lookup(self, reference: str) -> Any:
        """Return the value that a dotted reference like ``CANON.CONST.EPS`` names; raises KeyError with it otherwise."""
        node: Any = self
        for part in reference.split(".")[1:]:
            known = type(node).model_fields if isinstance(node, BaseModel) else node if isinstance(node, dict) else ()
            if part not in known:
                raise KeyError(reference)
            node = node[part] if isinstance(node, dict) else getattr(node, part)
        return node


def _load() -> Registry:
    # the same language read by C, where PyYAML was built with it: every command waits for this
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    registry = Registry.model_validate(yaml.load(REGISTRY_FILE.read_text(encoding="utf-8"), Loader=loader))
    in_code: dict[str, tuple[str, ...]] = {key: tuple(enum) for key, enum in _ENUMS.items()}
    agree = (
        in_code == registry.ENUM
        and tuple(ids.Stage) == registry.STAGE
        and tuple(ids.Status) == registry.STATUS
        and {member.name: int(member) for member in ids.Exit} == registry.EXIT
    )
    if not agree:
        raise RuntimeError("spec/00_CANONICAL.yaml and critnb.canon disagree on identifiers")
    return registry


CANON = _load()
