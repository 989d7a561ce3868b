"""What g1 and g* show on a data set that neither was chosen on: activity and likelihood, and their paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, GCondition, NullId
from critnb.criticality.activity import Activity, Columns, Floats, activity, interval_columns
from critnb.criticality.bootstrap import percentile_interval
from critnb.criticality.null_sample import NullSample
from critnb.lattice.conditions import COND_ID
from critnb.lattice.raster import Raster

Gstar = Mapping[tuple[str, float], float]

MEASURES = ("b_tot", "delta_b_tot", "chi", "nll_mean", "ppl")
REFERENCE = "reference"
PAIRED = "paired"
IDENTICAL = "zero by definition: g* = 1 is g1"
_BASELINE = CANON.CONST.GAIN_BASELINE
# T01 requires these, T02 does not
_OPTIONAL_HERE = ("b_time_perm", "b_depth_perm", "b_tot_perm", "delta_b_time", "delta_b_depth")


def perplexity(nll_mean: npt.ArrayLike) -> Floats:
    """Return exp of a mean negative log-likelihood in nats per token; NaN where float64 does not hold it."""
    with np.errstate(over="ignore"):
        value = np.exp(np.asarray(nll_mean, dtype=np.float64))
    return np.where(np.isfinite(value), value, np.nan)


def carried_over(
    raster: Raster, nulls: Mapping[NullId, NullSample], nll: Mapping[float, Floats], weights: npt.NDArray[np.int64]
) -> Activity:
    """Return ``activity`` under T02's names, with nll_mean and ppl, their intervals and replicates beside it.

    nll: each window's mean negative log-likelihood [N] by gain, in the order of the raster's windows, which all predict
    equally many tokens. ppl is exp of the mean over windows, and its replicates are exp of the replicates of that mean,
    so that ``weights`` [R, N] resample windows for every number alike.
    """
    found = activity(raster, nulls, weights)
    of_condition = np.stack([nll[condition.gain] for condition in raster.conditions])  # [C, N]
    resampled_nll = weights @ of_condition.T / weights.sum(axis=1, keepdims=True)
    resampled = {**found.resampled, "nll_mean": resampled_nll, "ppl": perplexity(resampled_nll)}
    nll_mean = of_condition.mean(axis=1)
    columns: Columns = {"nll_mean": nll_mean, "ppl": perplexity(nll_mean)}
    for name in ("nll_mean", "ppl"):
        columns |= interval_columns(f"opt_{name}", resampled[name])
    rows = found.rows.rename(columns={name: f"opt_{name}" for name in _OPTIONAL_HERE})
    return Activity(rows.assign(**columns), resampled)


def paired_rows(carried: Activity, gstar: Gstar) -> pd.DataFrame:
    """Return T02's rows: g1 and g* of every spike definition and rate, g* with its differences from g1.

    A difference and its interval come from the same windows and the same resamples of both. Where g* is 1 the two rows are
    one condition: the difference is zero, its interval too, and ``opt_vs_g1`` says why.
    """
    place = carried.rows.set_index(["spike_def_id", "target_rate", "gain"])[COND_ID]
    rows = []
    for (spike_def, rate), gain in gstar.items():
        first, second = int(place[spike_def, rate, _BASELINE]), int(place[spike_def, rate, gain])
        rows += [
            {**_row(carried, first, GCondition.g1), **_no_differences(), "opt_vs_g1": REFERENCE},
            {
                **_row(carried, second, GCondition.gstar),
                **_differences(carried, first=first, second=second),
                "opt_vs_g1": IDENTICAL if first == second else PAIRED,
            },
        ]
    return pd.DataFrame(rows)


def _row(carried: Activity, cond_id: int, g_condition: GCondition) -> dict[str, Any]:
    row = carried.rows.iloc[cond_id].drop([COND_ID, "intervention_id", "null_id"]).rename({"gain": "g"})
    return {**{str(name): value for name, value in row.items()}, "g_condition": str(g_condition)}


def _no_differences() -> dict[str, float]:
    return {f"opt_{name}_vs_g1{end}": float("nan") for name in MEASURES for end in ("", "_ci_low", "_ci_high")}


def _differences(carried: Activity, *, first: int, second: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in MEASURES:
        values, replicates = carried.rows[name], carried.resampled[name]
        interval = percentile_interval(replicates[:, second] - replicates[:, first])
        found[f"opt_{name}_vs_g1"] = float(values.iloc[second] - values.iloc[first])
        found[f"opt_{name}_vs_g1_ci_low"] = float(interval.low)
        found[f"opt_{name}_vs_g1_ci_high"] = float(interval.high)
    return found
