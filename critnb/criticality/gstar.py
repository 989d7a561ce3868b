"""The choice of g*: the gain of the grid whose pooled b_tot is closest to one, and how sure that choice is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON
from critnb.criticality.bootstrap import multinomial_weights, percentile_interval
from critnb.criticality.branching import BranchingSums
from critnb.criticality.gain_set import TIE, confidence_set
from critnb.errors import DataError

Floats = npt.NDArray[np.float64]

_NONE = -1


@dataclass(frozen=True)
class GstarChoice:
    """The chosen gain and its diagnostics.

    b_tot, chosen_share: one value per gain, in the order of ``gains``; chosen_share is the share of the sequence-
    bootstrap replicates that choose the gain. crosses_one: b_tot reaches one inside the grid; crossing: the gain where
    it does, by linear interpolation, the one nearest the baseline if several; its interval is over the replicates that
    cross, whose share is crossing_share. confidence_set: the gains whose distance of b_tot from one cannot be told from the
    smallest at 95 % (``confidence_set`` of ``gain_set``); g* is always one. identified: a comparison left g* alone in it;
    identified_reason: why not, empty where it is.
    """

    gains: tuple[float, ...]
    b_tot: tuple[float, ...]
    gstar: float
    b_tot_at_gstar: float
    at_grid_edge: bool
    crosses_one: bool
    crossing: float | None
    crossing_ci_low: float
    crossing_ci_high: float
    crossing_share: float
    chosen_share: tuple[float, ...]
    confidence_set: tuple[float, ...]
    identified: bool
    identified_reason: str
    replicates: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them: tuples as lists, NaN as None."""
        return {name: _json(value) for name, value in asdict(self).items()}


def select_gstar(
    gains: Sequence[float], sums: BranchingSums, *, baseline: float, replicates: int, seed: int
) -> GstarChoice:
    """Choose argmin |b_tot - 1| over the gains [G] from the sums [G, N]; nothing else enters.

    Ties go to the gain closest to the baseline, then to the smaller; a gain whose b_tot is NaN is never chosen. The
    bootstrap draws the same sequences for every gain.

    Raises:
        DataError: gains and sums do not fit, a gain stands twice, or b_tot is NaN at every gain.
    """
    grid = np.asarray(gains, dtype=np.float64)
    if grid.ndim != 1 or len(sums.shape) != 2 or len(grid) != sums.shape[0] or len(np.unique(grid)) != len(grid):
        raise DataError(f"g*: {len(grid)} gains, each once, need sums [{len(grid)}, N], not {list(sums.shape)}")
    b_tot = sums.pooled().b_tot
    chosen = int(_choose(b_tot, grid, baseline))
    if chosen == _NONE:
        raise DataError("g*: b_tot is not defined at any gain of the grid; raise the target rate or use more windows")
    weights = multinomial_weights(sums.shape[1], replicates, seed)
    resampled = sums.weighted(weights).b_tot
    picks = _choose(resampled, grid, baseline)
    share = np.bincount(picks[picks != _NONE], minlength=len(grid)) / replicates
    crossing = float(_crossing(b_tot[None], grid, baseline)[0])
    crossings = _crossing(resampled, grid, baseline)
    interval = percentile_interval(crossings, min_kept=CANON.CONST.GSTAR_CROSSING_MIN_SHARE)
    plausible = confidence_set(sums, weights)
    return GstarChoice(
        gains=tuple(grid.tolist()),
        b_tot=tuple(b_tot.tolist()),
        gstar=float(grid[chosen]),
        b_tot_at_gstar=float(b_tot[chosen]),
        at_grid_edge=bool(grid[chosen] in (grid.min(), grid.max())),
        crosses_one=not math.isnan(crossing),
        crossing=None if math.isnan(crossing) else crossing,
        crossing_ci_low=float(interval.low),
        crossing_ci_high=float(interval.high),
        crossing_share=float(np.mean(~np.isnan(crossings))),
        chosen_share=tuple(share.tolist()),
        confidence_set=tuple(grid[plausible.members].tolist()),
        identified=not plausible.reason,
        identified_reason=plausible.reason,
        replicates=replicates,
        seed=seed,
    )


def _choose(b_tot: Floats, gains: Floats, baseline: float) -> npt.NDArray[np.intp]:
    """Return the index of the chosen gain [...] for b_tot [..., G], _NONE where all are NaN."""
    distance = np.where(np.isnan(b_tot), np.inf, np.abs(b_tot - 1))
    nearest = distance.min(axis=-1, keepdims=True)
    tied = distance <= nearest + TIE
    preference = _ranks(gains, baseline)
    picked = np.where(tied, preference, len(gains)).argmin(axis=-1)
    return np.where(np.isfinite(nearest[..., 0]), picked, _NONE)


def _ranks(gains: Floats, baseline: float) -> npt.NDArray[np.intp]:
    """Rank the gains by distance to the baseline, then by size; rounded, since 1.1 - 1 and 1 - 0.9 differ as floats."""
    order = np.lexsort((gains, np.round(np.abs(gains - baseline) / TIE)))
    ranks = np.empty(len(gains), dtype=np.intp)
    ranks[order] = np.arange(len(gains))
    return ranks


def _crossing(b_tot: Floats, gains: Floats, baseline: float) -> Floats:
    """Return the gain nearest the baseline where b_tot [R, G] passes one, NaN where it does not; [R].

    Between neighbouring gains b_tot is taken as linear; beside a NaN nothing is interpolated.
    """
    order = np.argsort(gains)
    g, excess = gains[order], b_tot[:, order] - 1
    left, right = excess[:, :-1], excess[:, 1:]
    inside = np.full(left.shape, np.nan)
    np.divide(left, left - right, out=inside, where=left * right < 0)
    hits = np.where(np.abs(excess) <= TIE, g, np.nan)
    candidates = np.concatenate([hits, g[:-1] + inside * np.diff(g)], axis=1)
    distance = np.where(np.isnan(candidates), np.inf, np.abs(candidates - baseline))
    nearest: Floats = np.take_along_axis(candidates, distance.argmin(axis=1)[:, None], axis=1)[:, 0]
    return nearest


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
