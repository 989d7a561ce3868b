"""The whole page, by Jinja templates: what it is, the picture of the chain, then every run, one section per stage."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import CANON, Stage
from critnb.contract import STAGES
from critnb.report.stylesheet import PAGE
from critnb.review.index import files
from critnb.review.index.chain import generations, lay_out
from critnb.review.index.facts import RunFacts, RunStatus
from critnb.review.index.verdicts import CLAIMS, failed

if TYPE_CHECKING:
    import jinja2

_PAGE, _STYLE = "page.html.j2", "page.css"
_OUTCOMES = ((Stage.S07, "paper", CANON.RUN_SUBDIR.PAPER), (Stage.S08, "release", CANON.RUN_SUBDIR.RESULTS))
_OPENED = (".html", ".pdf", ".zip")
# Line breaks of a template beside a tag or a mark of Jinja are the template's own; those in text stay.
_LAYOUT = re.compile(r"(?<=[>}])\n\s*|\n\s*(?=[<{])")
_KEPT = frozenset("\n\t")


def render(runs: Sequence[RunFacts], *, strangers: Sequence[str] = ()) -> bytes:
    """Return the page of these runs, which lie beside it: the same runs, the same bytes, on every machine.

    ``strangers`` are names of folders that look like runs and cannot be told more about. All text is escaped, and
    characters that cannot be shown (controls, marks that turn the direction of text) are replaced.
    """
    counts = Counter(facts.status for facts in runs)
    page = (
        _environment()
        .get_template(_PAGE)
        .render(
            runs=runs,
            strangers=strangers,
            counts=[(status, counts[status]) for status in RunStatus if counts[status]],
            outcomes=list(_outcomes(runs)),
            layout=lay_out(runs) if runs else None,
            stages=list(_stages(runs)),
            present={facts.run_id for facts in runs},
            downstream=_downstream(runs),
            by_id={facts.run_id: facts for facts in runs},
            paper=_paper(runs),
            claims_path=CLAIMS,
            chosen=list(_chosen(runs)),
            failed=list(failed([(each.run_id, each.stage, each.role, each.gates) for each in _latest(runs)])),
        )
    )
    return "".join(letter if letter.isprintable() or letter in _KEPT else "\ufffd" for letter in page).encode("utf-8")


@cache
def _environment() -> jinja2.Environment:
    # Imported here because the command line, which writes the page after a run, should not wait for it at every start.
    import jinja2
    from markupsafe import Markup

    folder = Path(__file__).parent
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _LAYOUT.sub("", (folder / name).read_text(encoding="utf-8"))),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= {
        "project": CANON.PROJECT.ID,
        "css": Markup(PAGE + (folder / _STYLE).read_text(encoding="utf-8")),
        "commands": dict.fromkeys(Stage, "") | {spec.id: spec.command for spec in STAGES},
        "questions": {spec.id: spec.asks for spec in STAGES},
    }
    shown: dict[str, Any] = {each.__name__: each for each in (moment, number, *files.FILTERS)}
    made.filters |= shown | {"g": lambda value: f"{value:g}"}
    return made


def moment(facts: RunFacts) -> str:
    """Return when a run was made, and how long it took where that is known."""
    made = f"{facts.created[:19].replace('T', ' ')} UTC" if facts.created else "at an unknown time"
    return made if facts.seconds is None else f"{made}, {duration(facts.seconds)}"


def duration(seconds: float) -> str:
    """Return a time span in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60) if seconds >= 3600 else int(seconds // 60)
    if seconds < 3600:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float | str | None) -> str:
    """Return a gate's number, a dash where there is none."""
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _outcomes(runs: Sequence[RunFacts]) -> Iterator[tuple[str, str]]:
    """Yield path and words of the newest paper and release, which is what most readers come for."""
    complete = [facts for facts in runs if facts.status is RunStatus.complete]
    newest = {facts.stage: facts for facts in sorted(complete, key=lambda facts: (facts.created, facts.run_id))}
    for stage, what, folder in _OUTCOMES:
        for artifact in files.under(newest[stage], folder) if stage in newest else ():
            if artifact.path.endswith(_OPENED):
                yield f"{newest[stage].folder}/{artifact.path}", f"{what} ({artifact.path.rpartition('.')[2]})"


def _paper(runs: Sequence[RunFacts]) -> RunFacts | None:
    """Return the newest complete run that judges claims."""
    judged = [facts for facts in runs if facts.status is RunStatus.complete and facts.claims]
    return max(judged, key=lambda facts: (facts.created, facts.run_id), default=None)


def _latest(runs: Sequence[RunFacts]) -> Iterator[RunFacts]:
    """Yield the latest complete run of each stage, role and model."""
    complete = [facts for facts in runs if facts.status is RunStatus.complete]
    for band in generations(complete).values():
        yield from (of_stage[0] for of_stage in band.values())


def _chosen(runs: Sequence[RunFacts]) -> Iterator[tuple[str, str]]:
    """Yield path and role of the pages that show how g* was chosen."""
    for facts in _latest(runs):
        if facts.stage is Stage.S02B:
            pages = (each.path for each in files.under(facts, CANON.RUN_SUBDIR.NOTEBOOK) if each.path.endswith(".html"))
            yield from ((f"{facts.folder}/{path}", facts.role) for path in pages)


def _stages(runs: Sequence[RunFacts]) -> Iterator[tuple[Stage, list[tuple[RunFacts, bool]]]]:
    """Yield each stage with its runs, and whether each is the latest of its role and model."""
    bands = generations(runs).values()
    for stage in Stage:
        cards = [(facts, not place) for band in bands for place, facts in enumerate(band.get(stage, ()))]
        if cards:
            yield stage, cards


def _downstream(runs: Sequence[RunFacts]) -> Mapping[str, Sequence[str]]:
    """Return the runs that were made from each run."""
    downstream: dict[str, list[str]] = {}
    for facts in runs:
        for run_id in dict.fromkeys(facts.upstream):
            downstream.setdefault(run_id, []).append(facts.run_id)
    return downstream
