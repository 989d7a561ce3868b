"""The runs of a folder as a table: by stage and age, each with what tells it from the other runs of its stage."""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from critnb.canon import Stage
from critnb.contract.outdated import outdated
from critnb.review.index.facts import ChangedParam, RunFacts, RunStatus, facts_of
from critnb.review.index.files import size
from critnb.runs import RunStore
from critnb.runs.pruning import Needless, prunable

_HEADS = ("run", "role", "model", "age", "size", "state", "differs in")
_ORDER = {stage: place for place, stage in enumerate(Stage)}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))
# columns of a narrow terminal that a model's name and what tells runs apart keep, and values of a list that are shown
_LEAST_MODEL, _LEAST_APART, _MOST_VALUES = 12, 22, 3
_INDENT = "    "


@dataclass(frozen=True)
class Listed:
    """One run of a listing.

    created_utc: when it was begun, empty where its record cannot be read. bytes: of all its files. differs_in: the values, as
    JSON, of the params, its own and those of the runs that it was made from, that the runs listed of its stage do not share.
    stale: why it is of no more use, a word of ``Needless``, None for any other; because: the run or file that makes it so.
    """

    run_id: str
    stage: Stage
    state: str
    model: str
    role: str
    created_utc: str
    bytes: int
    differs_in: dict[str, str]
    stale: str | None
    because: str | None
    path: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON takes them."""
        return asdict(self)


def listed(store: RunStore, wanted: Callable[[RunFacts], bool] = lambda _: True) -> list[Listed]:
    """Return every run of the folder that is ``wanted``, partial ones too, by stage and then by age, the oldest first."""
    every = {facts.run_id: facts for facts in facts_of(store)}
    of_stage: dict[Stage, list[_Chain]] = defaultdict(list)
    for facts in filter(wanted, every.values()):
        of_stage[facts.stage].append(_Chain.of(facts, every))
    stale = stale_runs(store)
    return [
        _listed(chain, store.root / chain.run.folder, apart, *stale.get(chain.run.run_id, (None, None)))
        for stage in sorted(of_stage, key=_ORDER.__getitem__)
        for apart in [_apart(of_stage[stage])]
        for chain in sorted(of_stage[stage], key=lambda each: (each.run.created, each.run.run_id))
    ]


@dataclass(frozen=True)
class _Chain:
    """A run, the changed params of it and of those above it by key, and whether all of these say theirs."""

    run: RunFacts
    changed: Mapping[str, ChangedParam]
    whole: bool

    @classmethod
    def of(cls, run: RunFacts, every: Mapping[str, RunFacts]) -> _Chain:
        """Dependencies of broken records may be a ring."""
        found: dict[str, ChangedParam] = {}
        seen, waiting, whole = set(), [run.run_id], True
        while waiting:
            run_id = waiting.pop()
            each = every.get(run_id)
            if each is None or each.status is RunStatus.unreadable:
                whole = False
            elif run_id not in seen:
                found |= {param.key: param for param in each.changed_params}
                waiting += each.upstream
            seen.add(run_id)
        return cls(run, found, whole)

    def value(self, key: str, default: str) -> str:
        """Return a param's value, the default where no run has changed it, empty where a run that might have is not known."""
        return self.changed[key].value if key in self.changed else default if self.whole else ""


def stale_runs(store: RunStore) -> dict[str, tuple[str, str | None]]:
    """Return the runs that are of no more use: id -> why, and the run or file that makes it so."""
    old = {run_id: (str(Needless.outdated), path) for run_id, path in outdated(store.runs()).items()}
    return {**old, **{each.run_id: (str(each.why), each.because or None) for each in prunable(store)}}


def _listed(chain: _Chain, path: Path, apart: Mapping[str, str], stale: str | None, because: str | None) -> Listed:
    facts = chain.run
    return Listed(
        run_id=facts.run_id,
        stage=facts.stage,
        state=str(facts.status),
        model=facts.model,
        role=facts.role,
        created_utc=facts.created,
        bytes=folder_bytes(path),
        differs_in={key: value for key, default in apart.items() if (value := chain.value(key, default))},
        stale=stale,
        because=because,
        path=str(path),
    )


def _apart(chains: Sequence[_Chain]) -> dict[str, str]:
    """Return the params that some of the runs have at another value than others have, each with its default, empty for none.

    A run of whose chain one cannot be read, or is gone, says nothing of those that it does not name.
    """
    defaults = {key: each.default or "" for chain in chains for key, each in chain.changed.items()}
    told = {
        key: {chain.value(key, default) for chain in chains if chain.whole or key in chain.changed}
        for key, default in defaults.items()
    }
    return {key: defaults[key] for key in sorted(defaults) if len(told[key]) > 1}


def folder_bytes(path: Path) -> int:
    """Return the bytes of the files below a folder, links not followed; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += (Path(folder) / name).lstat().st_size
            except OSError:
                continue
    return total


def table(
    rows: Sequence[Listed], *, prune: str | None = None, now: datetime | None = None, width: int | None = None
) -> list[str]:
    """Return the listing as lines of columns, its heads first, and a line that sums it up; no line at all for no run.

    A column that says the same of every run is left out: roles and models where there is one, which a line below names, and
    states where all are complete and none is stale. In a terminal of ``width`` columns models are shortened, and what tells runs
    apart goes on in the next line. ``prune`` is the command that removes what is stale of these very runs, and is advised where one
    is. ``now`` is the clock's if not given.
    """
    if not rows:
        return []
    lines = [_HEADS, *_cells(rows, now or datetime.now(UTC), short=width is not None)]
    columns = {head: list(cells) for head, *cells in zip(*lines, strict=True)}
    same = {head for head in ("role", "model") if len({*columns[head]}) == 1}
    same |= {
        head for head, usual in (("state", str(RunStatus.complete)), ("differs in", "")) if {*columns[head]} == {usual}
    }
    shown = {head: [head, *cells] for head, cells in columns.items() if head not in same}
    about = [f"{head} {columns[head][0]}" for head in ("role", "model") if head in same and columns[head][0]]
    return [*_laid_out(shown, width), *([f"all of {', '.join(about)}"] if about else []), _summary(rows, prune)]


def _laid_out(columns: dict[str, list[str]], width: int | None) -> list[str]:
    last = columns.pop("differs in", None)
    if width is not None and "model" in columns:
        others = sum(max(map(len, cells)) + 2 for head, cells in columns.items() if head != "model")
        apart = 0 if last is None else min(_LEAST_APART, max(map(len, last))) + 2
        longest = max(_LEAST_MODEL, width - others - apart)
        columns["model"] = [_shortened(cell, longest) for cell in columns["model"]]
    widths = [max(map(len, cells)) for cells in columns.values()]
    heads = [
        "  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True))
        for line in zip(*columns.values(), strict=True)
    ]
    if last is None:
        return [head.rstrip() for head in heads]
    lines = [line for head, cell in zip(heads[1:], last[1:], strict=True) for line in _wrapped(head, cell, width)]
    return [f"{heads[0]}  {last[0]}", *lines]


def _shortened(model: str, longest: int) -> str:
    """The end of a name tells it from others of its family."""
    if len(model) <= longest:
        return model
    return f"{model.count(' + ') + 1} models" if " + " in model else f"…{model[1 - longest :]}"


def _wrapped(head: str, apart: str, width: int | None) -> list[str]:
    line = f"{head}  {apart}".rstrip()
    if width is None or len(line) <= width:
        return [line]
    place = len(head) + 2
    if width - place < _LEAST_APART:
        return [head.rstrip(), *textwrap.wrap(apart, width, initial_indent=_INDENT, subsequent_indent=_INDENT)]
    first, *more = textwrap.wrap(apart, width - place, break_on_hyphens=False)
    return [f"{head}  {first}", *(" " * place + each for each in more)]


def _summary(rows: Sequence[Listed], prune: str | None) -> str:
    stale = Counter(row.stale for row in rows if row.stale)
    all_in_all = f"{len(rows)} run{'s' * (len(rows) != 1)}", size(sum(row.bytes for row in rows))
    words = ", ".join([*all_in_all, *(f"{n} {why}" for why, n in stale.items())])
    if prune is None:
        return words
    old = Needless.outdated
    free, freed = (
        sum(row.bytes for row in rows if row.stale and (row.stale == old) is is_old) for is_old in (False, True)
    )
    ways = [(prune, free)] if free else []
    ways += [(f"{prune} --outdated", free + freed)] if freed else []
    return "; ".join([words, *(f"{size(n)} to free: {way}" for way, n in ways)])


def _cells(rows: Sequence[Listed], now: datetime, *, short: bool) -> list[tuple[str, ...]]:
    keys = {key for row in rows for key in row.differs_in}
    ends = Counter(key.rpartition(".")[2] for key in keys)
    names = {key: end if short and ends[end := key.rpartition(".")[2]] == 1 else key for key in keys}
    seen = {(key, value) for row in rows for key, value in row.differs_in.items()}
    often = Counter((key, brief(value)) for key, value in seen)

    def said(key: str, value: str) -> str:
        return f"{names[key]}={brief(value) if often[key, brief(value)] == 1 else value}"

    return [
        (
            *(row.run_id, row.role.replace(" + ", "+"), row.model),
            age(row.created_utc, now) if row.created_utc else "record unreadable",
            *(size(row.bytes), _state(row), ", ".join(said(*each) for each in row.differs_in.items())),
        )
        for row in rows
    ]


def _state(row: Listed) -> str:
    return row.stale if row.stale and row.state == RunStatus.complete else row.state


def brief(value: str) -> str:
    """Return a param's value, given as JSON, a long list as its ends and how many values it has."""
    found = json.loads(value)
    if not isinstance(found, list) or len(found) <= _MOST_VALUES:
        return value.replace(",", ", ")
    return f"{json.dumps(found[0])}..{json.dumps(found[-1])} ({len(found)})"


def age(created_utc: str, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit; ``now`` below a minute, the text itself if it is no time."""
    try:
        seconds = (now - datetime.fromisoformat(created_utc)).total_seconds()
    except (TypeError, ValueError):
        return created_utc
    return next((f"{seconds / unit:.0f} {name}" for name, unit in _UNITS if seconds >= unit), "now")
