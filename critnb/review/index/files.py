"""A run's files as the page lists them: figures, tables, results and what there is to read; and sizes in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.report.sources import SOURCES
from critnb.review.index.facts import RunFacts, RunStatus
from critnb.runs import LOG_PATH, Artifact

_DIR, _OUT = CANON.RUN_SUBDIR, CANON.OUTPUT
_SHOWN_APART = frozenset({_DIR.NOTEBOOK, _DIR.FIGS, _DIR.TABLES, _DIR.LOGS})
_READABLE = frozenset({".html", ".pdf"})
# a log is indexed when its run is published; before, it is there all the same
_WITH_OPEN_LOG = frozenset({RunStatus.failed, RunStatus.incomplete, RunStatus.running})
_MAIN = "main"


def under(facts: RunFacts, folder: str) -> list[Artifact]:
    """Return the run's files below one of its folders."""
    return [artifact for artifact in facts.artifacts if artifact.path.startswith(f"{folder}/")]


def links(facts: RunFacts) -> list[tuple[str, str, str]]:
    """Return path, words and class of what there is to read first, then of record, params and log."""
    indexed = {artifact.path for artifact in facts.artifacts}
    if facts.status in _WITH_OPEN_LOG:
        indexed.add(LOG_PATH)
    read = [each.path for each in _others(facts) if _is_readable(each)]
    notebooks = sorted(artifact.path for artifact in under(facts, _DIR.NOTEBOOK))
    # a run that cannot be read may have no record at all
    record = [(_OUT.RUN_RECORD_JSON, "record", "")] if facts.digests else []
    return [
        *((path, PurePosixPath(path).name, _MAIN) for path in read),
        *((path, f"notebook ({PurePosixPath(path).suffix[1:]})", _MAIN) for path in notebooks),
        *record,
        *(
            (path, words, "")
            for path, words in ((_OUT.CONFIG_RESOLVED_YAML, "params"), (LOG_PATH, "log"))
            if path in indexed
        ),
    ]


def figures(facts: RunFacts) -> list[tuple[str, str, str]]:
    """Return name, PNG and PDF (empty where there is none) of each figure, those of the appendix last."""
    indexed = {artifact.path for artifact in facts.artifacts}
    drawn = [artifact.path for artifact in under(facts, _DIR.FIGS) if artifact.path.endswith(".png")]
    ordered = sorted(drawn, key=lambda path: (path.startswith(f"{_DIR.FIGS_APPENDIX}/"), path))
    vectors = [f"{path.removesuffix('.png')}.pdf" for path in ordered]
    return [(_spoken(png), png, pdf if pdf in indexed else "") for png, pdf in zip(ordered, vectors, strict=True)]


def drawn_from(facts: RunFacts, png: str, by_id: Mapping[str, RunFacts]) -> list[tuple[str, str, str]]:
    """Return words, path below the page and rows of each file that a figure is drawn from, of the runs that are there."""
    runs = {each.stage: each for run_id in facts.upstream if (each := by_id.get(run_id)) is not None}
    runs[facts.stage] = facts
    found = [(each, runs[each.stage]) for each in SOURCES.get(PurePosixPath(png).stem, ()) if each.stage in runs]
    return [
        (PurePosixPath(each.path).name, f"{run.folder}/{each.path}", each.rows)
        for each, run in found
        if holds(run, each.path)
    ]


def holds(facts: RunFacts, path: str) -> bool:
    """Tell whether a run has a file of that path."""
    return any(artifact.path == path for artifact in facts.artifacts)


def tables(facts: RunFacts) -> list[tuple[str, list[str]]]:
    """Return the tables' names, each with its files; those of the appendix last."""
    by_stem: dict[str, list[str]] = {}
    for artifact in under(facts, _DIR.TABLES):
        by_stem.setdefault(artifact.path.rpartition(".")[0], []).append(artifact.path)
    ordered = sorted(by_stem, key=lambda stem: (stem.startswith(f"{_DIR.TABLES_APPENDIX}/"), stem))
    return [(_spoken(stem), sorted(by_stem[stem])) for stem in ordered]


def results(facts: RunFacts) -> list[tuple[str, Artifact]]:
    """Return the files under results/, and whatever has no other place on the page, with their names."""
    return [(each.path.removeprefix(f"{_DIR.RESULTS}/"), each) for each in _others(facts) if not _is_readable(each)]


def size(n_bytes: int) -> str:
    """Return a file's size in the unit that fits."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"


FILTERS = (links, figures, drawn_from, holds, tables, results, size)


def _others(facts: RunFacts) -> list[Artifact]:
    return [each for each in facts.artifacts if "/" in each.path and each.path.partition("/")[0] not in _SHOWN_APART]


def _is_readable(artifact: Artifact) -> bool:
    """Whether it is a page to read, such as a paper, and not data."""
    return PurePosixPath(artifact.path).suffix in _READABLE


def _spoken(path: str) -> str:
    """``figs/fig_F01_RASTER_EXAMPLE.png`` as ``F01 raster example``."""
    words = PurePosixPath(path).stem.split("_")[1:] or [PurePosixPath(path).stem]
    return " ".join([words[0], *(word.lower() for word in words[1:])])
