"""Which artifacts and rows each figure is drawn from, so that whoever sees one can open its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from critnb.canon import CANON, Stage
from critnb.report.links import Link, to_file
from critnb.runs.record import RunRecord

_F, _T, _O, _DIR = CANON.FIGURE, CANON.TABLE, CANON.OUTPUT, CANON.RUN_SUBDIR
_AT_GSTAR = "rows at g*"


@dataclass(frozen=True)
class DrawnFrom:
    """A file of a stage, by its path in the run, and which of its rows a figure shows: all where none are named."""

    stage: Stage
    path: str
    rows: str = ""


def _table(stage: Stage, name: str, rows: str = "", *, appendix: bool = False) -> DrawnFrom:
    return DrawnFrom(stage, f"{_DIR.TABLES_APPENDIX if appendix else _DIR.TABLES}/{name}.csv", rows)


def _result(stage: Stage, basename: str, rows: str = "") -> DrawnFrom:
    return DrawnFrom(stage, f"{_DIR.RESULTS}/{basename}", rows)


_T01 = (_table(Stage.S05, _T.T01_SUMMARY),)
_GSTAR = _result(Stage.S02B, _O.GSTAR_JSON_BASENAME)
_RASTER = _result(Stage.S03, _O.RASTER_NPZ_BASENAME, "counts of MLP_GLOBAL at g*")
_ANSWERS = (_result(Stage.S00, _O.KNOWN_ANSWERS_PARQUET_BASENAME, "the process itself is drawn again from its seed"),)

SOURCES: Mapping[str, Sequence[DrawnFrom]] = {
    _F.F01_RASTER_EXAMPLE: (_result(Stage.S03, _O.RASTER_NPZ_BASENAME, "the window that its caption names, at g*"), _GSTAR),
    _F.F02_RATE_MATCH_CHECK: (_result(Stage.S04, _O.TAU_RATE_MATCHED_PARQUET_BASENAME),),
    _F.F03_BRANCHING_CURVES: _T01,
    _F.F04_NULL_DELTAB: _T01,
    _F.F05_GSTAR_SELECTION: (_GSTAR,),
    _F.F06_GENERALIZATION_B: (_table(Stage.S06B, _T.T02_GENERALIZATION),),
    _F.F07_ARC_MCQ: (_table(Stage.S06ARC, _T.T03_ARC),),
    _F.F08_SPIKEDEF_ROBUST: _T01,
    _F.F09_CHI_CURVES: _T01,
    _F.F10_NULL_COMPARE: _T01,
    _F.F11_ABLATIONS: (_table(Stage.S05, _T.T06_ABLATIONS, appendix=True),),
    _F.F12_THRESHOLD_SWEEP: (_table(Stage.S05, _T.T09_EXPONENTS, "rows at g1 and g*", appendix=True), _GSTAR),
    _F.F13_AVALANCHE_PROFILES: (_RASTER, *_T01),
    _F.F14_TAIL_DISTRIBUTIONS: (_RASTER, _table(Stage.S05, _T.T04_TAIL_FITS, _AT_GSTAR, appendix=True)),
    _F.F15_KNOCKOUTS: (
        _table(Stage.S04K, _T.T10_KNOCKOUTS, appendix=True),
        _result(Stage.S04K, _O.KNOCKOUTS_PARQUET_BASENAME),
    ),
    _F.F16_STABILITY: (
        _result(Stage.S04K, _O.STABILITY_PARQUET_BASENAME),
        _result(Stage.S03, _O.METRICS_PARQUET_BASENAME, "rows of MLP_GLOBAL"),
        _table(Stage.S04K, _T.T10_KNOCKOUTS, appendix=True),
    ),
    _F.K01_CLUSTER_NUMBERS: _ANSWERS,
    _F.K02_CRITICAL_BRANCHING: _ANSWERS,
    _F.K03_SUBSAMPLING: _ANSWERS,
}  # fmt: skip


def sources(figure_name: str, runs: Mapping[Stage, str]) -> tuple[Link, ...]:
    """Return links to what a figure is drawn from, as a page in a run reaches them; those of ``runs`` that it names.

    runs: the id of each stage's run, "" for the run that the page lies in.
    """
    return tuple(
        Link(each.path.rpartition("/")[2], to_file(each.path, runs[each.stage]), each.rows)
        for each in SOURCES[figure_name]
        if each.stage in runs
    )


def runs_of(own: RunRecord) -> dict[Stage, str]:
    """Return what ``sources`` asks for, seen from a run of one role: the runs that it rests on, and itself."""
    return {**{each.stage_id: each.run_id for each in own.dependencies}, own.stage_id: ""}
