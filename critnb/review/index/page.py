"""The whole page: what it is, the picture of the chain, then every run, one section a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from critnb.canon import CANON, Stage
from critnb.contract import STAGES
from critnb.review.index.cards import Neighbours, badge, card
from critnb.review.index.chain import generations
from critnb.review.index.facts import RunFacts, RunStatus
from critnb.review.index.files import at, under
from critnb.review.index.markup import Markup, joined, link, spaced, tag
from critnb.review.index.picture import picture
from critnb.review.index.style import CSS

# The policy makes a browser refuse whatever does not lie beside the page.
_POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'"
_OUTCOMES = ((Stage.S07, "paper", CANON.RUN_SUBDIR.PAPER), (Stage.S08, "release", CANON.RUN_SUBDIR.RESULTS))
_OPENED = (".html", ".pdf", ".zip")
_COMMANDS = {spec.id: spec.command for spec in STAGES}


def render(runs: Sequence[RunFacts], *, strangers: Sequence[str] = ()) -> bytes:
    """Return the page of these runs, which lie beside it: the same runs, the same bytes, on every machine.

    ``strangers`` are names of folders that look like runs and cannot be told more about.
    """
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{CANON.PROJECT.ID}: runs"),
        tag("style", Markup(CSS)),
    )
    body = tag("main", tag("h1", "Runs"), _lead(runs, strangers), _outcome(runs), _chain(runs), _stages(runs))
    page = f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'
    return page.encode("utf-8")


def _lead(runs: Sequence[RunFacts], strangers: Sequence[str]) -> Markup:
    counts = Counter(facts.status for facts in runs)
    counted = joined(
        f"{len(runs)} run{'' if len(runs) == 1 else 's'}",
        [joined(" ", badge(f"{counts[status]} {status}", status)) for status in RunStatus if counts[status]],
    )
    told = (
        "Each box is the run of a stage, each arrow leads from a run to one that was made from it; below, newer runs stand "
        "above older ones. A gate that fails is a finding, not a broken run. This page is made from the runs' records and "
        "vouches for nothing: "
    )
    check = joined(told, tag("code", "python runner.py verify"), " hashes every file again.")
    unknown = f"Not shown, since their names are no run ids of this version: {', '.join(strangers)}."
    return joined(
        tag("p", counted), tag("p", check, class_="lead"), tag("p", unknown, class_="reason") if strangers else ""
    )


def _outcome(runs: Sequence[RunFacts]) -> Markup:
    """Return links to the newest paper and release, which is what most readers come for."""
    complete = [facts for facts in runs if facts.status is RunStatus.complete]
    newest = {facts.stage: facts for facts in sorted(complete, key=lambda facts: (facts.created, facts.run_id))}
    links = [
        link(at(newest[stage], artifact.path), f"{what} ({artifact.path.rpartition('.')[2]})")
        for stage, what, folder in _OUTCOMES
        if stage in newest
        for artifact in under(newest[stage], folder)
        if artifact.path.endswith(_OPENED)
    ]
    return tag("p", "Newest: ", spaced(links), class_="links") if links else joined()


def _chain(runs: Sequence[RunFacts]) -> Markup:
    if not runs:
        return tag("p", "There is no run here yet. ", tag("code", "python runner.py all"), " makes some.")
    return tag("div", picture(runs), class_="chain")


def _stages(runs: Sequence[RunFacts]) -> Iterator[Markup]:
    neighbours = Neighbours.among(runs)
    bands = generations(runs).values()
    for stage in Stage:
        cells = [cells[stage] for cells in bands if stage in cells]
        if cells:
            command = _COMMANDS.get(stage, "")
            yield tag("h2", stage, tag("span", f" {command}", class_="sub"))
            yield from (card(facts, neighbours, latest=not place) for cell in cells for place, facts in enumerate(cell))
