"""The input null: what rasters show when the model reads shuffled tokens, beside the condition that they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.criticality.branching import BranchingSums, expected_under_permutation
from critnb.criticality.metrics import condition_metrics
from critnb.lattice.raster import Raster

Floats = npt.NDArray[np.float64]
_SHUFFLED = NullId.NULL_TOKEN_SHUFFLE_INPUT


@dataclass(frozen=True, eq=False)
class ShuffledInput:
    """The rasters of shuffled tokens, each number [C] by the real condition; NaN where there is no such raster.

    excess: b_tot minus the exact expectation of the shuffled raster's own permutation null, since its rates are its own.
    """

    occupancy: Floats
    b_tot: Floats
    excess: Floats
    chi: Floats


def shuffled_input(raster: Raster, nulls: Raster) -> ShuffledInput:
    """Return what the token-shuffled rasters among ``nulls`` show, one entry per condition of ``raster``."""
    shuffled = nulls.take(nulls.conditions.where(null_id=_SHUFFLED))
    metrics = condition_metrics(shuffled)
    expected = BranchingSums.stack([expected_under_permutation(counts) for counts in shuffled.counts])
    found = {name: metrics[name].to_numpy() for name in ("occupancy", "b_tot", "chi")}
    found["excess"] = found["b_tot"] - expected.pooled().b_tot
    place = {condition: row for row, condition in enumerate(shuffled.conditions)}
    rows = np.array([place.get(condition.with_null(_SHUFFLED), -1) for condition in raster.conditions])
    return ShuffledInput(**{name: np.where(rows < 0, np.nan, values[rows]) for name, values in found.items()})
