"""The explorer's state: a plain observable value, without widgets and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from critnb.canon import CANON, GCondition, Intervention, NullId, SpikeDef
from critnb.criticality import Branching, branching_sums
from critnb.errors import DataError, DependencyError
from critnb.explore.chain import Chain, chain_of
from critnb.explore.inputs import WindowTexts
from critnb.explore.selection import Beside, Box, Selection, from_line, to_line
from critnb.explore.window import Counts, Window
from critnb.lattice import Condition

_FIELDS = {
    "spike_def": "spike_def_id",
    "target_rate": "target_rate",
    "intervention": "intervention_id",
    "gain": "gain",
}
_MOST_KEPT = 512
_Kept = TypeVar("_Kept")


class ExplorerState:
    """The chain and the selection; ``choose`` changes them and calls every observer. Its text is a line that restores it."""

    def __init__(self, chain: Chain, texts: Callable[[Chain], WindowTexts]) -> None:
        self._observers: list[Callable[[], object]] = []
        self._texts_of = texts
        self._kept: dict[tuple[Any, ...], Any] = {}
        self.selection = _first(chain)
        self.chain = chain

    def __str__(self) -> str:
        return to_line(self.chain.end.run_id, self.selection)

    __repr__ = __str__

    def observe(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` after every change."""
        self._observers.append(callback)

    def use(self, chain: Chain) -> None:
        """Select another chain: the same condition and window where it has them, its first otherwise.

        Raises IntegrityError for a chain whose rasters are damaged, and stays where it is.
        """
        before, first = self.selection, _first(chain)
        kept = replace(before.condition, model_role=chain.role)
        if kept in set(chain.raster.conditions):
            row = min(before.row, len(chain.raster.seq_id) - 1)
            # another model's windows may be longer or deeper
            first = replace(before, condition=kept, row=row, picked=None, view=None, brush=None)
        self._take(chain, first)

    def restore(self, line: str, chains: Sequence[Chain]) -> None:
        """Show what a line shows, which is the text of a state.

        Raises ParamsError for what is no such line, DependencyError where none of ``chains`` has its run, DataError for what that
        chain does not hold, and IntegrityError for a damaged one; then nothing has changed.
        """
        run_id, wanted = from_line(line)
        chain = self.chain if run_id is None else chain_of(chains, run_id)
        if chain is self.chain:
            self._change(self._chosen(exactly=True, **wanted))
            return
        other = ExplorerState(chain, self._texts_of)
        other.choose(exactly=True, **wanted)
        self._take(chain, other.selection)

    def choose(self, *, exactly: bool = False, **wanted: Any) -> None:
        """Change spike_def, target_rate, intervention, gain, null_id, row, picked, beside, view or brush.

        Where the raster has no such gain under the other choices, the nearest gain is taken, but ``exactly`` refuses it. Raises
        DataError for a value that the chain does not hold.
        """
        self._change(self._chosen(exactly=exactly, **wanted))

    def _take(self, chain: Chain, selection: Selection) -> None:
        self.chain, self.selection = chain, selection
        self.__dict__.pop("texts", None)
        self._kept.clear()
        self._tell()

    def _change(self, chosen: Selection) -> None:
        if chosen != self.selection:
            self.selection = chosen
            self._tell()

    def _chosen(self, *, exactly: bool, **wanted: Any) -> Selection:
        """Return the selection with what is wanted; raises DataError for what the chain does not hold."""
        before = self.selection
        condition = self._condition({key: value for key, value in wanted.items() if key in _FIELDS})
        if exactly and condition.gain != wanted.get("gain", condition.gain):
            raise DataError(f"no raster of {condition.intervention_id} at gain {wanted['gain']:g}")
        row = int(wanted.get("row", before.row))
        if not 0 <= row < self.n_windows:
            raise DataError(f"no window in place {row}; the raster holds {self.n_windows}")
        same = condition == before.condition and row == before.row
        picked = wanted.get("picked", before.picked if same else None)
        if picked is not None:
            self._window(condition, row).facts(int(picked))
        return Selection(
            condition,
            row,
            _null(wanted.get("null_id", before.null_id)),
            None if picked is None else int(picked),
            Beside(wanted.get("beside", before.beside)),
            self._part(wanted.get("view", before.view)),
            self._part(wanted.get("brush", before.brush)),
        )

    def _part(self, box: Box | None) -> Box | None:
        _, _, n_layers, n_tokens = self.chain.raster.counts.shape
        if box is None or box.within(layers=n_layers, tokens=n_tokens):
            return box
        raise DataError(f"no part {box}; a window has tokens 0-{n_tokens - 1} and layers 0-{n_layers - 1}")

    @property
    def spike_defs(self) -> list[SpikeDef]:
        """The spike definitions of the chain."""
        return [kind for kind in SpikeDef if self.chain.raster.conditions.where(spike_def_id=kind)]

    @property
    def target_rates(self) -> list[float]:
        """The target rates of the chain, ascending."""
        return sorted({condition.target_rate for condition in self.chain.raster.conditions})

    @property
    def interventions(self) -> list[Intervention]:
        """The interventions of the chain."""
        return [kind for kind in Intervention if self.chain.raster.conditions.where(intervention_id=kind)]

    @property
    def gains(self) -> list[float]:
        """The gains, ascending, of the other selected values."""
        condition = self.selection.condition
        return self._gains(condition.spike_def_id, condition.target_rate, condition.intervention_id)

    @property
    def n_windows(self) -> int:
        """Number of windows of the raster."""
        return len(self.chain.raster.seq_id)

    @property
    def seq_id(self) -> int:
        """The selected window's number in its corpus."""
        return int(self.chain.raster.seq_id[self.selection.row])

    @cached_property
    def texts(self) -> WindowTexts:
        """The text of the chain's windows, or why there is none."""
        return self._texts_of(self.chain)

    @property
    def window(self) -> Window:
        """The selected window of the real raster."""
        return self._window(self.selection.condition, self.selection.row)

    @property
    def null_window(self) -> Window:
        """The same window under the selected null; raises DependencyError where there is none."""
        selection = self.selection
        return self.keep(
            (selection.null_id, selection.condition, selection.row),
            lambda: Window.of(self.null_counts()[selection.row], adjacency=self.chain.adjacency),
        )

    @property
    def at_one(self) -> Condition:
        """The selected condition at gain 1, where no intervention acts; raises DependencyError where no raster has it."""
        one = replace(self.selection.condition, gain=CANON.CONST.GAIN_BASELINE, intervention_id=Intervention.MLP_GLOBAL)
        if one not in set(self.chain.raster.conditions):
            raise DependencyError(f"no raster at gain {one.gain:g} under {one.intervention_id}")
        return one

    @property
    def window_at_one(self) -> Window:
        """The selected window at gain 1; raises as ``at_one``."""
        return self._window(self.at_one, self.selection.row)

    @property
    def branching(self) -> Branching:
        """Branching of the selected condition, pooled over all windows."""
        return branching_sums(self.chain.raster.counts[self.cond_id]).pooled()

    @property
    def cond_id(self) -> int:
        """The selected condition's index on the axis C."""
        return self.chain.raster.conditions.index(self.selection.condition)

    def gstar(self) -> float | None:
        """Return g* of the selected spike definition and target rate, None where metrics do not mark it."""
        condition = self.selection.condition
        key = ("g*", condition.spike_def_id, condition.target_rate)
        return self.keep(key, lambda: self._gstar(condition))

    def _gstar(self, condition: Condition) -> float | None:
        metrics = self.chain.metrics
        rows = metrics[
            (metrics["spike_def_id"] == str(condition.spike_def_id))
            & (metrics["target_rate"] == condition.target_rate)
            & (metrics["intervention_id"] == str(Intervention.MLP_GLOBAL))
            & metrics[f"is_{GCondition.gstar}"]
        ]
        return float(rows["gain"].iloc[0]) if len(rows) else None

    def _condition(self, wanted: dict[str, Any]) -> Condition:
        before = self.selection.condition
        for key, value in wanted.items():
            if not self.chain.raster.conditions.where(**{_FIELDS[key]: value}):
                held = sorted({str(getattr(c, _FIELDS[key])) for c in self.chain.raster.conditions})
                raise DataError(f"no condition with {key} {value}; there is {', '.join(held)}")
        merged = replace(before, **{_FIELDS[key]: value for key, value in wanted.items()})
        gains = self._gains(merged.spike_def_id, merged.target_rate, merged.intervention_id)
        if not gains:
            raise DataError(
                f"no raster of {merged.intervention_id} at {merged.spike_def_id}, rate {merged.target_rate:g}"
            )
        return replace(merged, gain=_nearest(gains, merged.gain))

    def _gains(self, spike_def: SpikeDef, rate: float, intervention: Intervention) -> list[float]:
        conditions = self.chain.raster.conditions
        found = conditions.where(spike_def_id=spike_def, target_rate=rate, intervention_id=intervention)
        return sorted(conditions[i].gain for i in found)

    def null_counts(self) -> Counts:
        """Return the counts [N, L, T] of the selected condition's null; raises DependencyError where there is none."""
        condition, null_id = self.selection.condition, self.selection.null_id
        return self.keep(("null", condition, null_id), lambda: self.chain.null(condition, null_id).counts[0])

    def _window(self, condition: Condition, row: int) -> Window:
        def find() -> Window:
            counts = self.chain.raster.counts[self.chain.raster.conditions.index(condition), row]
            return Window.of(counts, adjacency=self.chain.adjacency, tokens=self.texts.of(row))

        return self.keep(("real", condition, row), find)

    def keep(self, key: tuple[Any, ...], make: Callable[[], _Kept]) -> _Kept:
        """Return the result of ``make`` for this key, kept until the chain changes."""
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = make()
        kept: _Kept = self._kept[key]
        return kept

    def _tell(self) -> None:
        for callback in self._observers:
            callback()


def _first(chain: Chain) -> Selection:
    """Return the first spike definition's highest rate at gain 1, and the window with the median number of events."""
    conditions = chain.raster.conditions
    gain = _nearest(sorted({c.gain for c in conditions}), CANON.CONST.GAIN_BASELINE)
    at_gain = [c for c in conditions if c.gain == gain and c.intervention_id is Intervention.MLP_GLOBAL]
    first = max(at_gain, key=lambda c: (c.spike_def_id is at_gain[0].spike_def_id, c.target_rate))
    events = chain.raster.counts[conditions.index(first)].sum(axis=(1, 2), dtype=np.int64)
    return Selection(first, int(np.argsort(events, kind="stable")[(len(events) - 1) // 2]))


def _null(wanted: str) -> NullId:
    found = NullId(wanted)
    if found is NullId.NULL_NONE:
        raise DataError(f"{found} is no null to show")
    return found


def _nearest(gains: Sequence[float], wanted: float) -> float:
    """Return the gain nearest to the wanted one, the smaller of two."""
    return min(gains, key=lambda gain: (round(abs(gain - wanted), 9), gain))
