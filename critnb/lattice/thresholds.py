"""Exact thresholds of one setting and the gate that they have to pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DependencyError

_KEYS = ["intervention_id", "gain", "spike_def_id", "target_rate"]


def gate_tolerance(target_events: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far the number of events may be from its target: max(1, RATE_MATCH_TOL_REL * k)."""
    tolerance: NDArray[np.float64] = np.maximum(1.0, CANON.CONST.RATE_MATCH_TOL_REL * target_events)
    return tolerance


@dataclass(frozen=True)
class Thresholds:
    """tau [D, R, L] of D spike definitions and R label rates under one intervention and gain, and what it achieved.

    ``target`` are layer target rates, ``target_events`` and ``events`` counts among ``n_samples`` values, ``ties`` how many
    values equal tau; all [D, R, L].
    """

    intervention: Intervention
    gain: float
    spike_defs: tuple[SpikeDef, ...]
    rates: tuple[float, ...]
    n_samples: int
    tau: NDArray[np.float64]
    target: NDArray[np.float64]
    target_events: NDArray[np.int64]
    events: NDArray[np.int64]
    ties: NDArray[np.int64]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a (spike definition, rate, layer), in that order."""
        n_layers = self.tau.shape[-1]
        index = pd.MultiIndex.from_product([self.spike_defs, self.rates, range(n_layers)])
        return pd.DataFrame(
            {
                "intervention_id": str(self.intervention),
                "gain": self.gain,
                "spike_def_id": index.get_level_values(0).astype(str),
                "target_rate": index.get_level_values(1),
                "layer": index.get_level_values(2).astype(np.int32),
                "tau": self.tau.ravel(),
                "target_layer_rate": self.target.ravel(),
                "target_events": self.target_events.ravel(),
                "events": self.events.ravel(),
                "achieved_rate": self.events.ravel() / self.n_samples,
                "ties": self.ties.ravel(),
            }
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what a checkpoint holds."""
        names = ("tau", "target", "target_events", "events", "ties")
        return {**{name: getattr(self, name) for name in names}, "n_samples": np.array(self.n_samples)}


def tau_of(
    frame: pd.DataFrame, intervention: Intervention, gain: float, spike_defs: Sequence[SpikeDef], rates: Sequence[float]
) -> NDArray[np.float64]:
    """Return tau [D, R, L] of one setting from a table of thresholds; DependencyError where the table lacks it."""
    rows = frame[(frame["intervention_id"] == str(intervention)) & (frame["gain"] == gain)]
    table = rows.set_index(["spike_def_id", "target_rate", "layer"])["tau"].sort_index()
    try:
        return np.array([[table.loc[(str(d), rate)].to_numpy() for rate in rates] for d in spike_defs])
    except KeyError as error:
        raise DependencyError(f"no thresholds for {intervention} at gain {gain:g}: {error.args[0]}") from None


def judged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of thresholds with the gate's columns off, tolerance, tied, by_ties and passed.

    ``off`` is |events - k|, k the target. ``tied``: the miss is ties at the cut and nothing else. tau is the (k+1)-th
    largest value exactly where at most k values lie above it and more than k at or above it, events <= k < events + ties.
    Where events < k, the values of ranks events + 1 to k + 1 then all equal tau: the exact threshold misses, and the
    next lower value would let all of the ties pass. ``by_ties``: tied, and off by more than the tolerance. ``passed``:
    off is within the tolerance, or tied.
    """
    target, events = frame["target_events"], frame["events"]
    off, tolerance = (events - target).abs(), gate_tolerance(target.to_numpy())
    tied = (events < target) & (target < events + frame["ties"])
    within = off <= tolerance
    return frame.assign(off=off, tolerance=tolerance, tied=tied, by_ties=tied & ~within, passed=within | tied)


def gate(frame: pd.DataFrame) -> pd.DataFrame:
    """Return, per setting, spike definition and rate, the layer farthest from its target and whether the gate holds.

    A layer that fails comes before one that misses by ties alone, however far. ``by_ties`` counts the layers of the group
    that miss by more than the tolerance and pass since the miss is ties.
    """
    rows = judged(frame[[*_KEYS, "layer", "target_events", "events", "ties"]])
    # a row without a number has not passed, and leads its group
    excess = (rows["off"] - rows["tolerance"]).fillna(np.inf)
    order = rows.assign(excess=excess).sort_values(["passed", "excess"], ascending=[True, False], kind="stable")
    worst = order.groupby(_KEYS, sort=False).head(1).sort_values(by=_KEYS, ignore_index=True)
    by_ties = rows.groupby(_KEYS, sort=True)["by_ties"].sum().to_numpy()
    return worst.drop(columns="excess").assign(by_ties=by_ties)
