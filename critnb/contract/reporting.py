"""Rows of the stages that say what was found: analysis, generalization, paper."""

from __future__ import annotations

from critnb.canon import CANON, DatasetRole, Stage
from critnb.contract.row import EVENTS, FORWARD, StageSpec, figures, results, tables
from critnb.system.extras import PAPER

_CMD = CANON.CLI.CMD
_OUT = CANON.OUTPUT
_DIR = CANON.RUN_SUBDIR
_FIGURE = CANON.FIGURE
_TABLE = CANON.TABLE

REPORTING: tuple[StageSpec, ...] = (
    StageSpec(
        Stage.S05,
        _CMD.PHASE5_ANALYZE_AND_EXPORT,
        "What do the cascades look like, and which of it do the nulls not explain?",
        needs=(Stage.S00, Stage.S02, Stage.S02B, Stage.S03, Stage.S04, Stage.S04K),
        reads=("analysis", "report", "events.tau0", "nulls.seed", "nulls.verdict_replicates"),
        outputs=(
            *results(_OUT.METRICS_PARQUET_BASENAME, _OUT.AVALANCHES_PARQUET_BASENAME),
            *tables(_TABLE.T01_SUMMARY),
            *tables(
                _TABLE.T04_TAIL_FITS,
                _TABLE.T05_CRACKLING_DIAGNOSTICS,
                _TABLE.T06_ABLATIONS,
                _TABLE.T08_SIGNATURES,
                _TABLE.T09_EXPONENTS,
                folder=_DIR.TABLES_APPENDIX,
            ),
            *figures(
                _FIGURE.F01_RASTER_EXAMPLE,
                _FIGURE.F02_RATE_MATCH_CHECK,
                _FIGURE.F03_BRANCHING_CURVES,
                _FIGURE.F04_NULL_DELTAB,
                _FIGURE.F05_GSTAR_SELECTION,
                _FIGURE.F08_SPIKEDEF_ROBUST,
            ),
            *figures(
                _FIGURE.F09_CHI_CURVES,
                _FIGURE.F10_NULL_COMPARE,
                _FIGURE.F11_ABLATIONS,
                _FIGURE.F12_THRESHOLD_SWEEP,
                _FIGURE.F13_AVALANCHE_PROFILES,
                _FIGURE.F14_TAIL_DISTRIBUTIONS,
                folder=_DIR.FIGS_APPENDIX,
            ),
        ),
    ),
    StageSpec(
        Stage.S06B,
        _CMD.PHASE6_GENERALIZE_B_METRICS,
        "What do g1 and g* show on text that neither thresholds nor g* were chosen on?",
        needs=(Stage.S01, Stage.S02, Stage.S02B),
        uses_model=True,
        data=(DatasetRole.B,),
        reads=(
            *FORWARD,
            "windows.seed",
            "windows.n_eval_b",
            *EVENTS,
            "gain.grid",
            "nulls.replicates",
            "nulls.seed",
            "analysis.bootstrap_reps",
            "analysis.bootstrap_seed",
            "report",
        ),
        outputs=(
            *results(
                _OUT.TOKEN_SHARES_JSON_BASENAME,
                _OUT.RASTER_NPZ_BASENAME,
                _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME,
                _OUT.WINDOW_LIKELIHOODS_PARQUET_BASENAME,
                _OUT.VOCABULARY_JSON_BASENAME,
                _OUT.NULL_REPLICATES_PARQUET_BASENAME,
                _OUT.METRICS_PARQUET_BASENAME,
            ),
            *tables(_TABLE.T02_GENERALIZATION),
            *figures(_FIGURE.F06_GENERALIZATION_B),
        ),
    ),
    StageSpec(
        Stage.S06ARC,
        _CMD.PHASE6_ARC_MCQ_EVAL,
        "Does the model answer questions as well at g* as at gain 1?",
        needs=(Stage.S02B,),
        uses_model=True,
        data=(DatasetRole.ARC_MCQ,),
        reads=(
            "compute.dtype",
            "compute.batch_tokens",
            "compute.attention",
            "analysis.bootstrap_reps",
            "analysis.bootstrap_seed",
        ),
        outputs=(
            *results(_OUT.TOKEN_SHARES_JSON_BASENAME, _OUT.ARC_SCORES_PARQUET_BASENAME),
            *tables(_TABLE.T03_ARC),
            *figures(_FIGURE.F07_ARC_MCQ),
        ),
    ),
    StageSpec(
        Stage.S07,
        _CMD.PHASE7_PAPER_EXPORT,
        "What may be claimed, and which numbers say so?",
        needs=(Stage.S05, Stage.S06B, Stage.S06ARC),
        joins_roles=True,
        reads=("release",),
        files=(CANON.PATH.PAPER_DIR,),
        extras=(PAPER,),
        # T07 is there where both roles have run, and the sections are as many as there are templates
        outputs=(
            *results(_OUT.CLAIMS_JSON_BASENAME, _OUT.EVIDENCE_JSON_BASENAME),
            *(f"{CANON.RUN_SUBDIR.PAPER}/{name}" for name in (_OUT.PAPER_HTML_BASENAME, _OUT.PAPER_PDF_BASENAME)),
        ),
    ),
    StageSpec(
        Stage.S08,
        _CMD.PHASE8_RELEASE,
        "What does a stranger need to check all of this?",
        needs=(Stage.S00, Stage.S07),
        reads=("release",),
        outputs=results(
            _OUT.MANIFEST_SHA256_BASENAME,
            _OUT.RO_CRATE_JSON_BASENAME,
            _OUT.CITATION_CFF_BASENAME,
            _OUT.ZENODO_JSON_BASENAME,
        ),
        joins_roles=True,
        files=CANON.PACK,
    ),
)
