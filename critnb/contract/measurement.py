"""Rows of the stages that measure: from the model's checks to rasters and their nulls."""

from __future__ import annotations

from critnb.canon import CANON, DatasetRole, Stage
from critnb.contract.row import (
    CALIBRATION_SLICE,
    EVENTS,
    FORWARD,
    RASTER_SLICE,
    StageSpec,
    figures,
    results,
    tables,
)

_CMD = CANON.CLI.CMD
_OUT = CANON.OUTPUT
_DIR = CANON.RUN_SUBDIR

MEASUREMENT: tuple[StageSpec, ...] = (
    StageSpec(
        Stage.S00,
        _CMD.PHASE0_VALIDATE_ENV,
        "Can this model be trusted in this instrument, on this machine?",
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*FORWARD, *RASTER_SLICE, "analysis.control_rasters"),
        files=(CANON.PATH.CONTROL_RATES_TABLE,),
        outputs=(
            *results(
                _OUT.MODEL_CHECKS_PARQUET_BASENAME,
                _OUT.TOKEN_SHARES_JSON_BASENAME,
                _OUT.KNOWN_ANSWERS_PARQUET_BASENAME,
                _OUT.CONTROL_RATES_PARQUET_BASENAME,
            ),
            *figures(
                CANON.FIGURE.K01_CLUSTER_NUMBERS,
                CANON.FIGURE.K02_CRITICAL_BRANCHING,
                CANON.FIGURE.K03_SUBSAMPLING,
                folder=_DIR.FIGS_APPENDIX,
            ),
        ),
    ),
    StageSpec(
        Stage.S01,
        _CMD.PHASE1_CALIBRATE,
        "How does every MLP unit vary, and how often is it extreme?",
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*FORWARD, *CALIBRATION_SLICE, *EVENTS),
        outputs=results(
            _OUT.TOKEN_SHARES_JSON_BASENAME, _OUT.CALIBRATION_STATS_NPZ_BASENAME, _OUT.RATE_TARGETS_JSON_BASENAME
        ),
    ),
    StageSpec(
        Stage.S02,
        _CMD.PHASE2_GAIN_GRID,
        "How does branching vary with the MLP gain when event rates are held fixed?",
        needs=(Stage.S01,),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*FORWARD, *CALIBRATION_SLICE, *EVENTS, "gain.grid"),
        outputs=results(
            _OUT.METRICS_PARQUET_BASENAME, _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME, _OUT.RASTER_NPZ_BASENAME
        ),
    ),
    StageSpec(
        Stage.S02B,
        _CMD.PHASE2_SELECT_GSTAR,
        "At which gain is branching closest to one?",
        needs=(Stage.S02,),
        reads=(
            "gain.grid",
            "events.spike_defs",
            "events.target_rates",
            "analysis.bootstrap_reps",
            "analysis.bootstrap_seed",
        ),
        outputs=results(_OUT.GSTAR_JSON_BASENAME),
    ),
    StageSpec(
        Stage.S03,
        _CMD.PHASE3_EXTRACT_RASTERS,
        "Where do events fall on windows that no threshold was fitted to?",
        needs=(Stage.S01, Stage.S02, Stage.S02B),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*FORWARD, *RASTER_SLICE, *EVENTS, "gain.grid", "gain.interventions"),
        outputs=results(
            _OUT.RASTER_NPZ_BASENAME, _OUT.METRICS_PARQUET_BASENAME, _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME
        ),
    ),
    StageSpec(
        Stage.S04,
        _CMD.PHASE4_RUN_NULLS,
        "What would rasters of the same rates show without their structure?",
        needs=(Stage.S01, Stage.S02, Stage.S03),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*FORWARD, *RASTER_SLICE, *EVENTS, "gain.grid", "nulls"),
        outputs=results(
            _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME,
            _OUT.NULL_REPLICATES_PARQUET_BASENAME,
            _OUT.NULL_NPZ_BASENAME,
            _OUT.METRICS_PARQUET_BASENAME,
            _OUT.TOKEN_SHUFFLES_PARQUET_BASENAME,
        ),
    ),
    StageSpec(
        Stage.S04K,
        _CMD.PHASE4_KNOCK_OUT,
        "Does an event in one layer cause events in the layers above?",
        needs=(Stage.S01, Stage.S02B, Stage.S03),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(
            *FORWARD,
            *RASTER_SLICE,
            *EVENTS,
            "gain.grid",
            "knock_outs",
            "nulls.seed",
            "analysis.bootstrap_reps",
            "analysis.bootstrap_seed",
            "report",
        ),
        outputs=(
            *results(_OUT.KNOCKOUTS_PARQUET_BASENAME, _OUT.STABILITY_PARQUET_BASENAME),
            *tables(CANON.TABLE.T10_KNOCKOUTS, folder=_DIR.TABLES_APPENDIX),
            *figures(CANON.FIGURE.F15_KNOCKOUTS, CANON.FIGURE.F16_STABILITY, folder=_DIR.FIGS_APPENDIX),
        ),
    ),
)
