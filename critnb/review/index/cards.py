"""One run on the page: status, gates, tables and figures to open, what it was made from, and its digests folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.contract import STAGES
from critnb.gates import Gate
from critnb.review.index.facts import RunFacts, RunStatus
from critnb.review.index.files import at, documents, figures, hashes, results, tables, under
from critnb.review.index.markup import Markup, anchor, joined, link, spaced, tag

_DIR = CANON.RUN_SUBDIR
# a log is indexed when its run is published; before, it is there all the same
_WITH_OPEN_LOG = frozenset({RunStatus.failed, RunStatus.incomplete, RunStatus.running})
_ASKS = {spec.id: spec.asks for spec in STAGES}


@dataclass(frozen=True)
class Neighbours:
    """Which runs there are, and which were made from which."""

    present: frozenset[str]
    downstream: Mapping[str, Sequence[str]]

    @classmethod
    def among(cls, runs: Sequence[RunFacts]) -> Neighbours:
        """Return the neighbours among all runs of the page."""
        downstream: dict[str, list[str]] = {}
        for facts in runs:
            for run_id in dict.fromkeys(facts.upstream):
                downstream.setdefault(run_id, []).append(facts.run_id)
        return cls(frozenset(facts.run_id for facts in runs), downstream)


def card(facts: RunFacts, neighbours: Neighbours, *, latest: bool) -> Markup:
    """Return the run's section; an older generation of a stage is folded to its first line."""
    head = (
        tag("span", facts.stage, class_="badge stage"),
        tag("code", facts.run_id, class_="id"),
        badge(facts.status, facts.status),
        tag("span", _who(facts), class_="who") if facts.role else "",
        tag("span", _when(facts), class_="when"),
    )
    body = _body(facts, neighbours)
    if latest:
        question = tag("p", _ASKS[facts.stage], class_="asks") if facts.stage in _ASKS else joined()
        return tag("section", tag("h3", *head), question, body, id=facts.run_id, class_="card")
    summary = tag("summary", tag("h3", *head, tag("span", "earlier run of this stage", class_="when")))
    return tag("details", summary, body, id=facts.run_id, class_="card older")


def badge(words: str, kind: str) -> Markup:
    """Return words on the colour of their kind: a status or a verdict."""
    return tag("span", words, class_=f"badge {kind.replace(' ', '-')}")


def _who(facts: RunFacts) -> str:
    return " · ".join(filter(None, [facts.role, facts.model]))


def _when(facts: RunFacts) -> str:
    moment = f"{facts.created[:19].replace('T', ' ')} UTC" if facts.created else "at an unknown time"
    return moment if facts.seconds is None else f"{moment}, {duration(facts.seconds)}"


def duration(seconds: float) -> str:
    """Return a time span in the two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60) if seconds >= 3600 else int(seconds // 60)
    if seconds < 3600:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _body(facts: RunFacts, neighbours: Neighbours) -> Markup:
    reason = tag("p", facts.reason, class_=f"reason {facts.status}") if facts.reason else joined()
    return joined(
        reason,
        [tag("p", tag("b", "warning "), text, class_="reason warning") for text in facts.warnings],
        [tag("p", text, class_="note") for text in facts.notes],
        _links(facts),
        _gates(facts.gates),
        figures(facts),
        _described(facts, neighbours),
        hashes(facts),
    )


def _links(facts: RunFacts) -> Markup:
    """What there is to read first, then record, params and log."""
    notebook = [
        link(at(facts, artifact.path), f"notebook ({PurePosixPath(artifact.path).suffix[1:]})", class_="main")
        for artifact in sorted(under(facts, _DIR.NOTEBOOK), key=lambda artifact: artifact.path)
    ]
    read = [link(at(facts, each.path), PurePosixPath(each.path).name, class_="main") for each in documents(facts)]
    others = [(CANON.OUTPUT.CONFIG_RESOLVED_YAML, "params"), (_log(), "log")]
    indexed = {artifact.path for artifact in facts.artifacts}
    if facts.status in _WITH_OPEN_LOG:
        indexed.add(_log())
    files = [link(at(facts, path), words) for path, words in others if path in indexed]
    # a run that cannot be read may have no record at all
    record = [link(at(facts, CANON.OUTPUT.RUN_RECORD_JSON), "record")] if facts.digests else []
    links = [*read, *notebook, *record, *files]
    return tag("p", spaced(links), class_="links") if links else joined()


def _log() -> str:
    return f"{_DIR.LOGS}/{CANON.OUTPUT.EVENTS_JSONL_BASENAME}"


def _gates(gates: Sequence[Gate]) -> Markup:
    if not gates:
        return joined()
    rows = [
        tag(
            "tr",
            tag("td", badge(gate.verdict, gate.verdict)),
            tag("td", gate.name),
            tag("td", _value(gate.value), class_="value"),
            tag("td", gate.condition, tag("span", gate.reason, class_="why") if gate.reason else ""),
        )
        for gate in gates
    ]
    heads = tag("tr", [tag("th", words) for words in ("gate", "", "value", "asked")])
    return tag("table", tag("thead", heads), tag("tbody", rows), class_="gates")


def _value(value: float | str | None) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _described(facts: RunFacts, neighbours: Neighbours) -> Markup:
    rows: list[tuple[str, Markup]] = [
        ("tables", tables(facts)),
        ("results", results(facts)),
        ("made from", spaced(_run(run_id, neighbours) for run_id in facts.upstream)),
        ("used by", spaced(_run(run_id, neighbours) for run_id in neighbours.downstream.get(facts.run_id, ()))),
        ("other params", _settings(facts)),
        ("made by", joined(facts.command)),
        ("made with", spaced((tag("span", phrase, class_="phrase") for phrase in facts.circumstances), " · ")),
    ]
    told = [joined(tag("dt", words), tag("dd", content)) for words, content in rows if content]
    return tag("dl", told) if told else joined()


def _run(run_id: str, neighbours: Neighbours) -> Markup:
    if run_id in neighbours.present:
        return anchor(run_id, tag("code", run_id))
    return joined(tag("code", run_id), " (not in this folder)")


def _settings(facts: RunFacts) -> Markup:
    """The params that are not the defaults, each beside its default."""
    return spaced(
        tag(
            "span",
            tag("code", f"{each.key} = {each.value}"),
            tag("span", f" (default {'none' if each.default is None else each.default})", class_="default"),
            class_="setting",
        )
        for each in facts.settings
    )
