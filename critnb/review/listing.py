"""The runs of a folder as a table: by stage and age, each with what tells it from the other runs of its stage."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from critnb.canon import Stage
from critnb.review.index.facts import RunFacts, facts_of
from critnb.review.index.files import size
from critnb.runs import RunStore

_HEADS = ("run", "state", "model", "role", "made", "size", "differs in")
_ORDER = {stage: place for place, stage in enumerate(Stage)}
_UNITS = (("d", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True)
class Listed:
    """One run of a listing.

    created_utc: when it was begun, empty where its record cannot be read. bytes: of all its files. differs_in: the values, as
    JSON, of the params that runs of its stage in this folder do not share.
    """

    run_id: str
    stage: Stage
    state: str
    model: str
    role: str
    created_utc: str
    bytes: int
    differs_in: dict[str, str]
    path: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON takes them."""
        return asdict(self)


def listed(store: RunStore) -> list[Listed]:
    """Return every run of the folder, partial ones too, by stage and then by age, the oldest first."""
    of_stage: dict[Stage, list[RunFacts]] = defaultdict(list)
    for facts in facts_of(store):
        of_stage[facts.stage].append(facts)
    return [
        _listed(facts, store.root / facts.folder, apart)
        for stage in sorted(of_stage, key=_ORDER.__getitem__)
        for apart in [_apart(of_stage[stage])]
        for facts in sorted(of_stage[stage], key=lambda each: (each.created, each.run_id))
    ]


def _listed(facts: RunFacts, path: Path, apart: Sequence[str]) -> Listed:
    values = {each.key: each.value for each in facts.changed_params}
    defaults = {each.key: each.default for each in facts.changed_params}
    shown = {key: values[key] for key in apart if key in values and values[key] != defaults[key]}
    return Listed(
        run_id=facts.run_id,
        stage=facts.stage,
        state=str(facts.status),
        model=facts.model,
        role=facts.role,
        created_utc=facts.created,
        bytes=folder_bytes(path),
        differs_in=shown,
        path=str(path),
    )


def _apart(runs: Iterable[RunFacts]) -> list[str]:
    """Name the params that some of the runs have at another value than others have."""
    given = [{each.key: each.value for each in facts.changed_params} for facts in runs]
    return [key for key in sorted(set().union(*given)) if len({values.get(key) for values in given}) > 1]


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


def table(rows: Sequence[Listed], *, now: datetime | None = None) -> list[str]:
    """Return the listing as lines of columns, its heads first; no line at all for no run. ``now`` is the clock's if not given."""
    if not rows:
        return []
    now = now or datetime.now(UTC)
    cells = [_HEADS, *(_cells(row, now) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADS) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in cells
    ]


def _cells(row: Listed, now: datetime) -> tuple[str, ...]:
    differs = ", ".join(f"{key}={value}" for key, value in row.differs_in.items())
    made = age(row.created_utc, now) if row.created_utc else "record unreadable"
    return row.run_id, row.state, row.model, row.role, made, size(row.bytes), differs


def age(created_utc: str, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit; ``just now`` below a minute, the text itself if it is no time."""
    try:
        seconds = (now - datetime.fromisoformat(created_utc)).total_seconds()
    except (TypeError, ValueError):
        return created_utc
    return next((f"{seconds / unit:.0f} {name} ago" for name, unit in _UNITS if seconds >= unit), "just now")
