"""Files of two runs whose conditions differ, such as two grids of gains: numbered alike, so that the same are compared.

A condition's number is its place in its run's own table, so that of another grid means another condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, Stage
from critnb.errors import CritnbError
from critnb.lattice.conditions import COND_ID, FIELDS
from critnb.review.diff.values import Array
from critnb.runs import Run, RunStore, ancestors

_OUT = CANON.OUTPUT
# the table that numbers a file's conditions, and the stage upstream that it is of, None for the run itself
_NUMBERED: Mapping[str, tuple[str, Stage | None]] = {
    _OUT.RASTER_NPZ_BASENAME: (_OUT.CONDITIONS_PARQUET_BASENAME, None),
    _OUT.NULL_NPZ_BASENAME: (_OUT.NULL_CONDITIONS_PARQUET_BASENAME, None),
    _OUT.AVALANCHES_PARQUET_BASENAME: (_OUT.METRICS_PARQUET_BASENAME, None),
    _OUT.NULL_REPLICATES_PARQUET_BASENAME: (_OUT.CONDITIONS_PARQUET_BASENAME, Stage.S03),
    _OUT.NULL_SEQUENCE_SUMS_NPZ_BASENAME: (_OUT.CONDITIONS_PARQUET_BASENAME, Stage.S03),
}
# the tables that say which conditions a run has, the first that there is
_OWN = (_OUT.CONDITIONS_PARQUET_BASENAME, _OUT.METRICS_PARQUET_BASENAME)
# the role is the run's, whose two may be compared
SAID = tuple(name for name in FIELDS if name != "model_role")
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Shared:
    """How many conditions each run has, how many both have, and the values of each field that only one has, as text."""

    old: int
    new: int
    both: int
    only_old: Mapping[str, tuple[str, ...]]
    only_new: Mapping[str, tuple[str, ...]]

    @property
    def same(self) -> bool:
        """Whether both have the same conditions."""
        return self.old == self.new == self.both


def shared_conditions(old: Run, new: Run) -> Shared | None:
    """Return what the conditions of two runs of a stage have in common; None where the stage has no table of them."""
    for basename in _OWN:
        before, after = (_own(run, basename) for run in (old, new))
        if before is not None and after is not None:
            apart = [_apart(*pair) for pair in ((before, after), (after, before))]
            return Shared(len(before), len(after), len({*before} & {*after}), *apart)
    return None


def _apart(these: Sequence[Row], those: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    found = {}
    for place, field in enumerate(SAID):
        others = {row[place] for row in those}
        if values := sorted({row[place] for row in these} - others):
            found[field] = tuple(f"{each:g}" if isinstance(each, float) else str(each) for each in values)
    return found


class Numbers:
    """The conditions of both runs, numbered alike."""

    def __init__(self, old: Run, new: Run) -> None:
        self._runs = (old, new)

    def of(self, path: str) -> tuple[Array, Array] | None:
        """Return for each run, by its own numbers of the conditions, those that both share with it in a file.

        None where the file has no such numbers, where nobody knows them, or where they are the same already.
        """
        name = PurePosixPath(path).name
        if name not in _NUMBERED:
            return None
        basename, stage = _NUMBERED[name]
        before, after = (_own(run, basename) or _above(run, basename, stage) for run in self._runs)
        if before is None or after is None or before == after:
            return None
        places = {row: place for place, row in enumerate(dict.fromkeys([*before, *after]))}
        one, other = (np.array([places[row] for row in rows], dtype=np.int64) for rows in (before, after))
        return one, other


def _own(run: Run, basename: str) -> list[Row] | None:
    path = run.result(basename)
    if path not in run.artifacts:
        return None
    frame = run.parquet(path)
    return list(frame[list(SAID)].itertuples(index=False, name=None)) if {*SAID, COND_ID} <= {*frame} else None


def _above(run: Run, basename: str, stage: Stage | None) -> list[Row] | None:
    if stage is None:
        return None
    try:
        found = [each for each in ancestors(RunStore(run.path.parent), [run]).runs if each.stage is stage]
        return _own(found[0], basename) if found else None
    except CritnbError:
        return None  # it cannot be read: the file is told to be of another shape, as it is


def renumbered(frame: pd.DataFrame, numbers: Array) -> pd.DataFrame:
    """Return a frame whose conditions have these numbers in place of their own."""
    return frame.assign(**{COND_ID: numbers[frame[COND_ID].to_numpy()]}) if COND_ID in frame else frame


def of_shared(arrays: Mapping[str, Array], numbers: Array, others: Array) -> dict[str, Array]:
    """Return arrays that have a row per condition with the rows of those that the other run has too, in the same order."""
    kept = np.flatnonzero(np.isin(numbers, others))
    kept = kept[np.argsort(numbers[kept], kind="stable")]
    taken = {name: array[kept] if array.shape[:1] == (len(numbers),) else array for name, array in arrays.items()}
    return {**taken, COND_ID: numbers[kept]} if COND_ID in arrays else taken
