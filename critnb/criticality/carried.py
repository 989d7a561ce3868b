"""What g1 and g* show on a data set that neither was chosen on: activity and likelihood, and their paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.criticality.activity import Activity, Floats, activity
from critnb.criticality.bootstrap import Interval, between_windows, paired_difference, percentile_interval
from critnb.criticality.null_sample import NullSample
from critnb.lattice.raster import Raster

Gstar = Mapping[tuple[str, float], float]

LIKELIHOODS = ("nll_mean", "ppl")
MEASURES = ("b_tot", "delta_b_tot", "chi", *LIKELIHOODS)


@dataclass(frozen=True, eq=False)
class Carried:
    """Activity, and the likelihoods nll_mean and ppl: values [C], intervals [C] and bootstrap replicates [R, C] by name."""

    activity: Activity
    likelihoods: Mapping[str, Floats]
    intervals: Mapping[str, Interval]
    resampled: Mapping[str, Floats]

    def difference(self, name: str, *, first: int, second: int) -> tuple[float, float, float]:
        """Return one of MEASURES of one condition minus that of another, and the ends of its paired interval."""
        if name in LIKELIHOODS:
            return paired_difference(self.likelihoods[name], self.resampled[name], first=first, second=second)
        return self.activity.difference(name, first=first, second=second)


def perplexity(nll_mean: npt.ArrayLike) -> Floats:
    """Return exp of a mean negative log-likelihood in nats per token; NaN where float64 does not hold it."""
    with np.errstate(over="ignore"):
        value = np.exp(np.asarray(nll_mean, dtype=np.float64))
    return np.where(np.isfinite(value), value, np.nan)


def carried_over(
    raster: Raster, nulls: Mapping[NullId, NullSample], nll: Mapping[float, Floats], weights: npt.NDArray[np.int64]
) -> Carried:
    """Return the activity of every condition, with its likelihood beside it; raises DataError as ``activity``.

    nll: each window's mean negative log-likelihood [N] by gain, in the order of the raster's windows, which all predict
    equally many tokens. ppl is exp of the mean over windows, and its replicates are exp of the replicates of that mean,
    so that ``weights`` [R, N] resample windows for every number alike.
    """
    of_condition = np.stack([nll[condition.gain] for condition in raster.conditions])  # [C, N]
    mean, drawn = of_condition.mean(axis=1), weights @ of_condition.T / weights.sum(axis=1, keepdims=True)
    resampled_mean = between_windows(drawn, weights)
    resampled = {"nll_mean": resampled_mean, "ppl": perplexity(resampled_mean)}
    return Carried(
        activity(raster, nulls, weights),
        {"nll_mean": mean, "ppl": perplexity(mean)},
        {name: percentile_interval(values) for name, values in resampled.items()},
        resampled,
    )
