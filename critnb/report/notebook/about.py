"""What the page of a notebook says of its run before anything else: which model and data, when, and where all of it lies."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from critnb.canon import CANON, Stage
from critnb.gates import Verdict
from critnb.report.links import Link, joined, to_file, to_index
from critnb.runs import Run, RunStore, ancestors
from critnb.runs.record import RunRecord

_DIR, _OUT = CANON.RUN_SUBDIR, CANON.OUTPUT
# what is kept beside the page, and is not known yet when it is written for the first time
_LATER = (f"{_DIR.NOTEBOOK}/", f"{_DIR.LOGS}/")
CSS = """
header.run { border: 1px solid var(--line); border-radius: 6px; padding: .6rem 1rem; margin: 0 0 1.6rem; font-size: .86rem; }
header.run dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: 0; }
header.run dt { color: var(--quiet); } header.run dd { margin: 0; overflow-wrap: anywhere; }
header.run .id { font-weight: 600; } header.run details > summary { cursor: pointer; }
nav.contents { font-size: .88rem; margin: 0 0 1.4rem; }
nav.contents ol { list-style: none; padding: 0; margin: 0; max-width: none; }
nav.contents li { display: inline; } nav.contents li + li::before { content: " · "; opacity: .6; }
"""


@dataclass(frozen=True, kw_only=True)
class About:
    """One run as the head of its page names it; ``models`` are by role, ``data`` by slice, both in words; gates are name and
    verdict."""

    run_id: str
    stage: Stage
    roles: tuple[str, ...]
    models: tuple[str, ...]
    data: tuple[str, ...]
    made: str
    gates: tuple[tuple[str, str], ...]
    upstream: tuple[Link, ...]
    files: tuple[Link, ...]


def of_run(run: Run) -> About:
    """Return what is said of a run; the runs that it rests on lie beside it, and say nothing where they are gone."""
    runs = ancestors(RunStore(run.path.parent), [run]).runs
    return about(run.record, {each.run_id: each.record for each in runs})


def about(own: RunRecord, upstream: Mapping[str, RunRecord]) -> About:
    """Return what is said of a run; ``upstream``: every run that it rests on, by id, as far as they are there.

    The model and the data of a run that reads none are those of the runs nearest to it.
    """
    inputs = own.hash_inputs
    return About(
        run_id=own.run_id,
        stage=own.stage_id,
        roles=inputs.roles if inputs else (),
        models=tuple(sorted({_model(record) for record in _nearest(own, upstream, "model")})),
        data=tuple(_data(list(_nearest(own, upstream, "datasets")))),
        made=f"{own.created_utc[:16].replace('T', ' ')} UTC",
        gates=tuple((str(gate["name"]), str(gate["verdict"])) for gate in own.metrics.get("gates", ())),
        upstream=tuple(_page(each.run_id, upstream.get(each.run_id)) for each in own.dependencies),
        files=tuple(_files(own)),
    )


def _nearest(own: RunRecord, upstream: Mapping[str, RunRecord], section: str) -> Iterator[RunRecord]:
    """Yield the run itself if its record has the section, else the nearest runs above it that do."""
    waiting, seen = [own], {own.run_id}
    while waiting:
        record = waiting.pop(0)
        if getattr(record, section):
            yield record
            continue
        for run_id in (each.run_id for each in record.dependencies):
            if run_id in upstream and run_id not in seen:
                seen.add(run_id)
                waiting.append(upstream[run_id])


def _model(record: RunRecord) -> str:
    model = record.model or {}
    size = f"{model.get('n_layers')} layers of {model.get('d_ff')} MLP units"
    return f"{model.get('id')} ({', '.join(filter(None, [str(model.get('role') or ''), size]))})"


def _data(records: Sequence[RunRecord]) -> Iterator[str]:
    """Yield a phrase per slice; of one that some runs read in part, that of the run that has read most of it."""
    found: dict[str, Mapping[str, Any]] = {}
    for record in records:
        for name, facts in record.datasets.items():
            if name not in found or _amount(facts) > _amount(found[name]):
                found[name] = facts
    for name, facts in sorted(found.items()):
        windows = f"{facts.get('n_windows')} windows of {facts.get('seq_len')} tokens"
        amount = f"{facts['n_questions']} questions" if facts.get("n_questions") else windows
        yield f"{name}: {amount} of {facts.get('source')}"


def _amount(facts: Mapping[str, Any]) -> int:
    return int(facts.get("n_questions") or facts.get("n_windows") or 0)


def _page(run_id: str, record: RunRecord | None) -> Link:
    """Return the link to another run's page, or to its place among all runs where it keeps none."""
    pages = (each.path for each in record.artifact_index if each.path.startswith(_LATER)) if record else ()
    page = next((path for path in pages if path.endswith(".html")), None)
    return Link(run_id, to_index(run_id) if page is None else to_file(page, run_id))


def _files(own: RunRecord) -> Iterator[Link]:
    """Yield the files of the run that hold what it has found, tables as text."""
    held = {each.path for each in own.artifact_index}
    for path in sorted(held):
        is_copy = path.endswith(".parquet") and f"{path.removesuffix('.parquet')}.csv" in held
        if "/" in path and not path.startswith(_LATER) and not path.startswith(f"{_DIR.FIGS}/") and not is_copy:
            yield Link(path, to_file(path))


def head(run: About) -> str:
    """Return the head of the page as HTML."""
    own = [
        Link("index of all runs", to_index(run.run_id)),
        Link("params", to_file(_OUT.CONFIG_RESOLVED_YAML)),
        Link("record", to_file(_OUT.RUN_RECORD_JSON)),
    ]
    n = len(run.files)
    files = f"<details><summary>{n} file{'' if n == 1 else 's'}</summary>{joined(run.files)}</details>" if n else ""
    rows = {
        "run": f'<span class="id">{html.escape(run.run_id)}</span>, made {html.escape(run.made)}',
        "role": html.escape(" + ".join(run.roles)),
        "model": html.escape(" + ".join(run.models)),
        "data": html.escape("; ".join(run.data)),
        "see": joined(own, " · "),
        "gates": _gates(run.gates),
        "rests on": joined(run.upstream),
        "holds": files,
    }
    shown = "\n".join(f"<dt>{name}</dt><dd>{content}</dd>" for name, content in rows.items() if content)
    return f'<header class="run">\n<dl>\n{shown}\n</dl>\n</header>'


def _gates(gates: Sequence[tuple[str, str]]) -> str:
    """Return how many gates came out how, and which did not pass."""
    if not gates:
        return ""
    said = [f"{sum(verdict == Verdict.PASS for _, verdict in gates)} of {len(gates)} pass"]
    for missed in (Verdict.FAIL, Verdict.NOT_AVAILABLE):
        if names := [name for name, verdict in gates if verdict == missed]:
            said.append(f"{missed}: {', '.join(names)}")
    return html.escape("; ".join(said))


def contents(headings: Sequence[tuple[str, str]]) -> str:
    """Return the table of contents as HTML, from the ids and the words (as HTML) of the headings."""
    items = "".join(f'<li><a href="#{name}">{words}</a></li>' for name, words in headings)
    return f'<nav class="contents" aria-label="Contents"><ol>{items}</ol></nav>'
