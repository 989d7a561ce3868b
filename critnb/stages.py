"""THE stage table: what each stage needs, reads and leaves behind. CLI, resolver, checks and spec/13 read it."""

from __future__ import annotations

from dataclasses import dataclass

from critnb.canon import CANON, DatasetRole, Stage
from critnb.errors import ParamsError

_CMD = CANON.CLI.CMD
_OUT = CANON.OUTPUT
_DIR = CANON.RUN_SUBDIR
_FIGURE = CANON.FIGURE
_TABLE = CANON.TABLE

# what changes the numbers of a forward pass; device and engine are recorded, not hashed
_FORWARD = ("compute.dtype", "compute.batch_tokens", "compute.attention", "windows.seq_len", "windows.burn_in_tokens")
_CALIBRATION_SLICE = ("windows.seed", "windows.n_calibration")
_RASTER_SLICE = (*_CALIBRATION_SLICE, "windows.n_raster")
_EVENTS = ("events.tau0", "events.spike_defs", "events.target_rates")


@dataclass(frozen=True)
class StageSpec:
    """One stage: a row of the table.

    ``reads`` are the dotted params keys that it may read and ``code`` the critnb modules and subpackages that its numbers
    rest on; both enter its run's hash, with the identity of its model (``uses_model``) and of its ``data``.
    ``outputs`` are paths in the run that must exist when it is done.
    """

    id: Stage
    command: str
    asks: str
    needs: tuple[Stage, ...] = ()
    uses_model: bool = False
    data: tuple[DatasetRole, ...] = ()
    reads: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def phase(self) -> str:
        """The phase's command, such as ``phase2``."""
        return self.command.partition("_")[0]

    @property
    def notebook(self) -> str:
        """Basename of the stage's notebook."""
        return f"{self.command}.ipynb"


def _results(*basenames: str) -> tuple[str, ...]:
    return tuple(f"{_DIR.RESULTS}/{name}" for name in basenames)


def _figures(*names: str, folder: str = _DIR.FIGS) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.{suffix}" for name in names for suffix in ("pdf", "png"))


def _tables(*names: str, folder: str = _DIR.TABLES) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.{suffix}" for name in names for suffix in ("csv", "parquet"))


_FIGURES_AND_TABLES = (
    "report.schema",
    "report.tables",
    "report.assembly",
    "report.provenance",
    "report.style",
    "report.figures",
)
_MEASURE = ("criticality.branching", "criticality.metrics", "criticality.susceptibility")
_STORED = ("steps.artifacts", "criticality.null_sample")

STAGES: tuple[StageSpec, ...] = (
    StageSpec(
        Stage.S00,
        _CMD.PHASE0_VALIDATE_ENV,
        "Can this model be trusted in this instrument, on this machine?",
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*_FORWARD, *_CALIBRATION_SLICE),
        code=(
            "language",
            "lattice",
            "criticality",
            "report.provenance",
            "report.style",
            "report.figures.known_answers",
            "report.figures.panels",
            "steps.known_answers",
            "steps.validation",
        ),
        outputs=(
            *_results(_OUT.MODEL_CHECKS_PARQUET_BASENAME, _OUT.KNOWN_ANSWERS_PARQUET_BASENAME),
            *_figures(
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
        reads=(*_FORWARD, *_CALIBRATION_SLICE, *_EVENTS),
        code=("language", "events", "steps.calibration"),
        outputs=_results(_OUT.CALIBRATION_STATS_NPZ_BASENAME, _OUT.RATE_TARGETS_JSON_BASENAME),
    ),
    StageSpec(
        Stage.S02,
        _CMD.PHASE2_GAIN_GRID,
        "How does branching vary with the MLP gain when event rates are held fixed?",
        needs=(Stage.S01,),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*_FORWARD, *_CALIBRATION_SLICE, *_EVENTS, "gain.grid"),
        code=(
            "language",
            "events",
            "lattice",
            *_MEASURE,
            *_STORED,
            "steps.gain_grid",
            "steps.conditions",
            "steps.calibration",
        ),
        outputs=_results(
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
        code=(
            "lattice",
            "criticality.branching",
            "criticality.bootstrap",
            "criticality.gstar",
            *_STORED,
            "steps.selection",
        ),
        outputs=_results(_OUT.GSTAR_JSON_BASENAME),
    ),
    StageSpec(
        Stage.S03,
        _CMD.PHASE3_EXTRACT_RASTERS,
        "Where do events fall on windows that no threshold was fitted to?",
        needs=(Stage.S01, Stage.S02, Stage.S02B),
        uses_model=True,
        data=(DatasetRole.A,),
        reads=(*_FORWARD, *_RASTER_SLICE, *_EVENTS, "gain.grid", "gain.interventions"),
        code=(
            "language",
            "events",
            "lattice",
            *_MEASURE,
            *_STORED,
            "steps.rasters",
            "steps.conditions",
            "steps.gain_grid",
            "steps.calibration",
            "steps.selection",
            "criticality.bootstrap",
            "criticality.gstar",
        ),
        outputs=_results(
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
        reads=(*_FORWARD, *_RASTER_SLICE, *_EVENTS, "gain.grid", "nulls.replicates", "nulls.seed"),
        code=(
            "language",
            "events",
            "lattice",
            *_MEASURE,
            *_STORED,
            "criticality.nulltest",
            "engine",
            "steps.nulls",
            "steps.null_replicates",
            "steps.conditions",
            "steps.gain_grid",
            "steps.calibration",
        ),
        outputs=_results(_OUT.TAU_RATE_MATCHED_PARQUET_BASENAME, _OUT.NULL_NPZ_BASENAME, _OUT.METRICS_PARQUET_BASENAME),
    ),
    StageSpec(
        Stage.S05,
        _CMD.PHASE5_ANALYZE_AND_EXPORT,
        "What do the cascades look like, and which of it do the nulls not explain?",
        needs=(Stage.S02, Stage.S02B, Stage.S03, Stage.S04),
        reads=("analysis", "report", "events.tau0", "nulls.seed"),
        code=(
            "lattice",
            "criticality",
            "engine",
            *_FIGURES_AND_TABLES,
            "report.words",
            "steps.analysis",
            "steps.analysis_views",
            "steps.analysis_figures",
            "steps.artifacts",
            "steps.selection",
        ),
        outputs=(
            *_results(_OUT.METRICS_PARQUET_BASENAME, _OUT.AVALANCHES_PARQUET_BASENAME),
            *_tables(_TABLE.T01_SUMMARY),
            *_tables(
                _TABLE.T04_TAIL_FITS,
                _TABLE.T05_CRACKLING_DIAGNOSTICS,
                _TABLE.T06_ABLATIONS,
                _TABLE.T08_SIGNATURES,
                _TABLE.T09_EXPONENTS,
                folder=_DIR.TABLES_APPENDIX,
            ),
            *_figures(
                _FIGURE.F01_RASTER_EXAMPLE,
                _FIGURE.F02_RATE_MATCH_CHECK,
                _FIGURE.F03_BRANCHING_CURVES,
                _FIGURE.F04_NULL_DELTAB,
                _FIGURE.F05_GSTAR_SELECTION,
                _FIGURE.F08_SPIKEDEF_ROBUST,
            ),
            *_figures(
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
            *_FORWARD,
            "windows.seed",
            "windows.n_eval_b",
            *_EVENTS,
            "gain.grid",
            "nulls.replicates",
            "nulls.seed",
            "analysis.bootstrap_reps",
            "analysis.bootstrap_seed",
            "report",
        ),
        code=(
            "language",
            "events",
            "lattice",
            *_MEASURE,
            *_STORED,
            "criticality.nulltest",
            "criticality.bootstrap",
            "criticality.gstar",
            "criticality.activity",
            "criticality.carried",
            "engine",
            "report.schema",
            "report.tables",
            "report.assembly",
            "report.provenance",
            "report.style",
            "report.words",
            "report.figures.f06_generalization",
            "report.figures.panels",
            "report.figures.rate_axes",
            "steps.generalization",
            "steps.generalization_views",
            "steps.null_replicates",
            "steps.conditions",
            "steps.calibration",
            "steps.selection",
        ),
        outputs=(
            *_results(
                _OUT.RASTER_NPZ_BASENAME,
                _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME,
                _OUT.WINDOW_LIKELIHOODS_PARQUET_BASENAME,
                _OUT.NULL_REPLICATES_PARQUET_BASENAME,
                _OUT.METRICS_PARQUET_BASENAME,
            ),
            *_tables(_TABLE.T02_GENERALIZATION),
            *_figures(_FIGURE.F06_GENERALIZATION_B),
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
        code=(
            "language",
            "lattice",
            "criticality.answers",
            "criticality.bootstrap",
            "criticality.branching",
            "criticality.gstar",
            *_STORED,
            "report.schema",
            "report.tables",
            "report.assembly",
            "report.provenance",
            "report.style",
            "report.figures.f07_arc",
            "report.figures.panels",
            "report.figures.rate_axes",
            "steps.selection",
            "steps.arc",
            "steps.arc_views",
        ),
        outputs=(
            *_results(_OUT.ARC_SCORES_PARQUET_BASENAME),
            *_tables(_TABLE.T03_ARC),
            *_figures(_FIGURE.F07_ARC_MCQ),
        ),
    ),
)

_BY_ID = {spec.id: spec for spec in STAGES}


def spec_of(stage: Stage) -> StageSpec:
    """Return a stage's row; raises KeyError for a stage that the table does not hold."""
    return _BY_ID[stage]


def named(command: str) -> tuple[StageSpec, ...]:
    """Return the stages that a command word names: a stage's command or id, ``phaseN``, or ``all``; ParamsError otherwise."""
    found = tuple(spec for spec in STAGES if command in (spec.command, spec.phase, "all") or command.upper() == spec.id)
    if not found:
        words = ", ".join(dict.fromkeys([*(spec.phase for spec in STAGES), "all"]))
        raise ParamsError(
            f"no stage is called {command!r}; choose {words} or a whole command such as {STAGES[1].command}"
        )
    return found


def upstream_closure(stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """Return the stages and everything they need, in the table's order."""
    wanted = {spec.id for spec in stages}
    for spec in reversed(STAGES):
        if spec.id in wanted:
            wanted.update(spec.needs)
    return tuple(spec for spec in STAGES if spec.id in wanted)


def markdown() -> str:
    """Return the stage table as Markdown, for spec/13."""
    heads = ("stage", "command", "asks", "needs", "model", "reads", "rests on", "leaves")
    rows = [
        (
            spec.id,
            f"`{spec.command}`",
            spec.asks,
            ", ".join(spec.needs) or "nothing",
            "yes" if spec.uses_model else "no",
            _code(spec.reads),
            _code(spec.code),
            _code(spec.outputs),
        )
        for spec in STAGES
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
