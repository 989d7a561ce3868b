"""Branching, susceptibility and multistep regression of any event counts, each beside its null."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import enough, identifier, whole
from critnb.api.arrays import EventCounts, EventsLike, event_counts
from critnb.api.estimates import NAN, Estimate, Estimates, estimates_frame
from critnb.canon import CANON, NullId
from critnb.criticality import (
    Branching,
    NullComparison,
    along_depth,
    along_tokens,
    branching_sums,
    chi,
    compare,
    multinomial_weights,
    null_branching,
    percentile_interval,
)
from critnb.criticality import multistep as fit_multistep
from critnb.errors import ParamsError
from critnb.lattice import PRIMARY, RASTER_NULLS, SECONDARY, WITHOUT_TOKENS, RasterNull, draw_null

_CONST = CANON.CONST
_ONE_SEQUENCE = "one sequence: no interval"


@dataclass(frozen=True, eq=False, repr=False)
class BranchingEstimates(Estimates):
    """b_time, b_depth and b_tot beside the permutation null, b_tot beside each other raster null too, and chi.

    ``b_tot_by_null`` holds those others by name, which are attributes as well: ``b_tot_shift`` is b_tot beside the circular
    shift. chi has no null: the nulls keep every row's counts, and so the events of a sequence.
    """

    b_time: Estimate
    b_depth: Estimate
    b_tot: Estimate
    b_tot_by_null: Mapping[str, Estimate]
    chi: Estimate
    events: EventCounts
    null_replicates: int

    def __getattr__(self, name: str) -> Estimate:
        by_null: Mapping[str, Estimate] = self.__dict__.get("b_tot_by_null", {})
        if name not in by_null:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return by_null[name]

    def headline(self) -> str:
        """Return what was estimated, and on what."""
        names = ", ".join(f"{_beside(null)}: {null.name}" for null in SECONDARY if _beside(null) in self.b_tot_by_null)
        return f"Branching; {self.events!r}; nulls of {self.null_replicates} replicates ({names})"

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate: name, value, ci_low, ci_high, null, null_sd, p, reason."""
        named = {"b_time": self.b_time, "b_depth": self.b_depth, "b_tot": self.b_tot, **self.b_tot_by_null}
        return estimates_frame({**named, "chi": self.chi})


@dataclass(frozen=True, eq=False, repr=False)
class MultistepEstimates(Estimates):
    """The branching parameter m of multistep regression, the naive slope r1 at lag 1, and all slopes r [K] at lags [K]."""

    m: Estimate
    r1: Estimate
    b: float
    c: float
    lags: npt.NDArray[np.int64] = field(repr=False)
    r: npt.NDArray[np.float64] = field(repr=False)
    along: str = "tokens"

    def headline(self) -> str:
        """Return what was estimated, and on what."""
        return f"Multistep regression along {self.along}: r_k = b m^k + c over {len(self.lags)} lags"

    def slopes(self) -> pd.DataFrame:
        """Return one row per lag with its slope, and the fitted b m^lag + c."""
        return pd.DataFrame({"lag": self.lags, "r": self.r, "fit": self.b * self.m.value**self.lags + self.c})


def branching(
    x: EventsLike,
    *,
    null_replicates: int = _CONST.NULL_REPLICATES,
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.NULL_SEED,
) -> BranchingEstimates:
    """Estimate branching along time and depth, pooled over sequences, with intervals and the raster nulls.

    x: anything ``event_counts`` takes. b_time is the share of occupied (t, l) whose (t+1, l) is occupied, b_depth that
    of (t, l+1), among those that have such a successor; b_tot is their sum. One layer has no b_depth, hence no b_tot.
    chi = Var(Y) / (Mean(Y) + CHI_EPS), Y the events of a sequence. Intervals resample sequences, so one sequence has none,
    and no chi.

    Raises:
        DataError: as ``event_counts``.
        ParamsError: fewer than two replicates.
    """
    enough(null_replicates=null_replicates, bootstrap_reps=bootstrap_reps)
    whole(seed, "seed", least=None)
    events = event_counts(x)
    sums = branching_sums(events.counts)
    weights = multinomial_weights(len(events), bootstrap_reps, seed)
    nulls = {null_id: _null_branching(events, null_id, null_replicates, seed) for null_id in WITHOUT_TOKENS}
    real, resampled = sums.pooled(), sums.weighted(weights)

    def beside(null_id: NullId, name: str) -> Estimate:
        return _estimate(getattr(real, name), getattr(resampled, name), getattr(nulls[null_id], name), len(events))

    return BranchingEstimates(
        b_time=beside(PRIMARY, "b_time"),
        b_depth=beside(PRIMARY, "b_depth"),
        b_tot=beside(PRIMARY, "b_tot"),
        b_tot_by_null={
            _beside(null): beside(null.null_id, "b_tot") for null in SECONDARY if null.null_id in WITHOUT_TOKENS
        },
        chi=_susceptibility(events, weights),
        events=events,
        null_replicates=null_replicates,
    )


def multistep(
    x: EventsLike,
    *,
    along: str = "tokens",
    max_lag: int | None = None,
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.BOOTSTRAP_SEED,
) -> MultistepEstimates:
    """Estimate the branching parameter m by multistep regression along ``tokens`` (time) or ``depth``.

    Along tokens the activity is summed over layers; along depth each token's layers are a trial of its own. The null is
    m of one permuted replicate. Source: Wilting and Priesemann 2018, Nature Communications 9, 2325.

    Raises:
        DataError: as ``event_counts``, or max_lag is not below the length.
        ParamsError: ``along`` is neither word, max_lag no whole number, or fewer than two replicates.
    """
    enough(bootstrap_reps=bootstrap_reps)
    whole(seed, "seed", least=None)
    if along not in (choices := {"tokens": along_tokens, "depth": along_depth}):
        raise ParamsError(f"along: {along!r} is none of {', '.join(choices)}")
    if max_lag is not None:
        whole(max_lag, "max_lag", least=0)
    events = event_counts(x)
    weights = multinomial_weights(len(events), bootstrap_reps, seed)
    real, null = (
        fit_multistep(choices[along](one.counts), weights=weights, max_lag=max_lag)
        for one in (events, null_replicate(events))
    )
    m = Estimate(real.m, real.m_ci_low, real.m_ci_high, null.m, reason=real.reason)
    r1 = Estimate(real.r1, real.r1_ci_low, real.r1_ci_high, null.r1)
    return MultistepEstimates(m, r1, real.b, real.c, real.lags, real.r, along)


def null_replicate(
    x: EventsLike, *, null: str = PRIMARY, replicate: int = 0, seed: int = _CONST.NULL_SEED
) -> EventCounts:
    """Return one replicate of a raster null: by default every row permuted over time.

    Each (sequence, layer) then keeps its counts exactly. Equal arguments give equal replicates on every machine.

    Raises:
        DataError: as ``event_counts``.
        ParamsError: ``null`` is no null of rasters.
    """
    events, null_id = event_counts(x), _raster_null(null)
    whole(seed, "seed", least=None)
    whole(replicate, "replicate", least=0)
    drawn = draw_null(
        events.counts, events.seq_id, null_id, seed=seed, condition_key=events.key, replicates=[replicate]
    )
    return events.with_counts(drawn[0])


def null_test(
    x: EventsLike,
    statistic: Callable[[EventCounts], float],
    *,
    null: str = PRIMARY,
    replicates: int = _CONST.NULL_REPLICATES,
    seed: int = _CONST.NULL_SEED,
) -> Estimate:
    """Compare any statistic of event counts with the same statistic of null replicates.

    The statistic may return NaN where it is not defined; such replicates are left out. p = (1 + #{null >= value}) /
    (R + 1), one-sided: small where the real value is larger (Davison and Hinkley 1997, eq. 4.11).

    Raises:
        DataError: as ``event_counts``.
        ParamsError: ``null`` is no null of rasters, or fewer than two replicates.
    """
    enough(replicates=replicates)
    events = event_counts(x)
    values = [
        float(statistic(null_replicate(events, null=null, replicate=number, seed=seed))) for number in range(replicates)
    ]
    value = float(statistic(events))
    return _compared(Estimate(value), compare(value, np.array(values)))


def _beside(null: RasterNull) -> str:
    return f"b_tot_{null.short}"


def _null_branching(events: EventCounts, null_id: NullId, replicates: int, seed: int) -> Branching:
    sums = null_branching(
        events.counts, events.seq_id, null_id, seed=seed, condition_key=events.key, replicates=range(replicates)
    )
    return sums.pooled()


def _estimate(
    value: npt.ArrayLike, resampled: npt.NDArray[np.float64], null: npt.NDArray[np.float64], n_sequences: int
) -> Estimate:
    number = float(np.asarray(value))
    if n_sequences == 1:
        found = Estimate(number, reason=_ONE_SEQUENCE)
    else:
        interval = percentile_interval(resampled)
        found = Estimate(number, float(interval.low), float(interval.high))
    return _compared(found, compare(number, null)) if len(null) else found


def _susceptibility(events: EventCounts, weights: npt.NDArray[np.int64]) -> Estimate:
    if len(events) == 1:
        return Estimate(NAN, reason="one sequence: no variance between sequences")
    per_sequence = events.counts.sum(axis=(1, 2), dtype=np.int64)
    return _estimate(chi(per_sequence), chi(per_sequence, weights), np.zeros(0), len(events))


def _compared(found: Estimate, tested: NullComparison) -> Estimate:
    reason = "; ".join(why for why in (tested.reason, found.reason) if why)
    return replace(found, null=tested.null_mean, null_sd=tested.null_sd, p=tested.p_one_sided, reason=reason)


def _raster_null(given: str) -> NullId:
    null_id = identifier(NullId, given, "null")
    if null_id in RASTER_NULLS and null_id not in WITHOUT_TOKENS:
        raise ParamsError(f"null: {null_id} needs token ids; choose one of {', '.join(WITHOUT_TOKENS)}")
    if null_id not in RASTER_NULLS:
        raise ParamsError(f"null: {null_id} does not act on rasters; choose one of {', '.join(WITHOUT_TOKENS)}")
    return null_id
