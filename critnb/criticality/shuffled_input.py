"""The input null: what rasters show when the model reads shuffled tokens, beside the condition that they belong to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import NullId
from critnb.criticality.branching import BranchingSums, branching_sums, expected_under_permutation
from critnb.criticality.metrics import condition_metrics
from critnb.lattice.conditions import COND_ID
from critnb.lattice.raster import Raster

_SHUFFLED = NullId.NULL_TOKEN_SHUFFLE_INPUT


def token_shuffle_columns(raster: Raster, nulls: Raster) -> pd.DataFrame:
    """Return T01's token-shuffle columns, one row a condition of ``raster``, NaN where ``nulls`` has no such raster.

    The excess is over the exact expectation of the shuffled raster's own permutation null, since its rates are its own.
    """
    ids = nulls.conditions.where(null_id=_SHUFFLED)
    shuffled = nulls.take(ids)
    metrics = condition_metrics(shuffled)
    expected = BranchingSums.stack([expected_under_permutation(counts) for counts in shuffled.counts])
    real = BranchingSums.stack([branching_sums(counts) for counts in shuffled.counts])
    frame = pd.DataFrame(
        {
            "opt_occupancy_token_shuffle": metrics["occupancy"],
            "opt_b_tot_token_shuffle": metrics["b_tot"],
            "opt_delta_b_tot_token_shuffle": real.pooled().b_tot - expected.pooled().b_tot,
            "opt_chi_token_shuffle": metrics["chi"],
        }
    )
    place = {condition: row for row, condition in enumerate(shuffled.conditions)}
    rows = [place.get(condition.with_null(_SHUFFLED), -1) for condition in raster.conditions]
    found = frame.reindex(np.asarray(rows)).reset_index(drop=True)
    return found.assign(**{COND_ID: np.arange(len(rows), dtype=np.int32)})
