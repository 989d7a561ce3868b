"""What every condition of a raster shows: branching and chi beside their nulls, and its avalanches beside permuted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from critnb.canon import Adjacency, NullId
from critnb.criticality.activity import Activity, activity
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.diagonals import Diagonal, Step, diagonal_steps
from critnb.criticality.null_sample import NullSample
from critnb.criticality.sizes.avalanches import Avalanches, find_avalanches
from critnb.errors import DataError
from critnb.lattice import PRIMARY, Raster


@dataclass(frozen=True, eq=False)
class Summary:
    """Everything that stands in one row of T01 but exponents; each part has an entry per condition.

    diagonals: the branching ratios along them, which b_tot lacks. permuted: the avalanches of one replicate of the primary null,
    which holds the same number of events put down at random.
    """

    activity: Activity
    diagonals: Mapping[Diagonal, Step]
    avalanches: Sequence[Avalanches]
    permuted: Sequence[Avalanches]

    def avalanche_frame(self) -> pd.DataFrame:
        """Return the rows of avalanches.parquet: one per avalanche of the real raster."""
        frames = [found.to_frame(cond_id) for cond_id, found in enumerate(self.avalanches)]
        return pd.concat(frames, ignore_index=True)


def summarise(
    raster: Raster,
    nulls: Mapping[NullId, NullSample],
    *,
    permuted: Raster,
    adjacency: Adjacency,
    replicates: int,
    seed: int,
) -> Summary:
    """Summarise every condition of a raster.

    nulls: a sample of each raster null, of the same conditions and windows; permuted: one replicate of the primary null;
    replicates and seed: those of the sequence bootstrap.

    Raises:
        DataError: nulls or permuted are not of the raster's conditions and windows; too many avalanches in a sequence.
    """
    if list(permuted.conditions) != [condition.with_null(PRIMARY) for condition in raster.conditions]:
        raise DataError(f"summary: the permuted raster must hold {PRIMARY} of the raster's conditions in their order")
    weights = multinomial_weights(len(raster.seq_id), replicates, seed)
    return Summary(
        activity(raster, nulls, weights),
        diagonal_steps(raster.counts, weights),
        *([find_avalanches(counts, each.seq_id, adjacency) for counts in each.counts] for each in (raster, permuted)),
    )
