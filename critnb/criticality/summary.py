"""What every condition of a raster shows: branching and chi beside their nulls, and its avalanches beside permuted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import Adjacency, NullId
from critnb.criticality.activity import Activity, activity
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.diagonals import Diagonal, Step, diagonal_steps
from critnb.criticality.null_sample import NullSample
from critnb.criticality.sizes.avalanches import Avalanches, find_avalanches
from critnb.errors import DataError
from critnb.lattice import PRIMARY, Raster

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Summary:
    """Everything that stands in one row of T01 but exponents; each part has an entry per condition.

    diagonals: the branching ratios along them, which b_tot lacks. permuted: the avalanches of one replicate of the primary null,
    which holds the same number of events put down at random.
    """

    activity: Activity
    diagonals: Mapping[Diagonal, Step]
    avalanches: AvalancheSummary
    permuted: AvalancheSummary


@dataclass(frozen=True, eq=False)
class AvalancheSummary:
    """What the avalanches of every condition are like, each [C]: how many, and their sizes and spans; NaN where there is none."""

    number: npt.NDArray[np.int64]
    size_mean: Floats
    size_median: Floats
    span_tokens_mean: Floats
    span_layers_mean: Floats

    @classmethod
    def of(cls, raster: Raster, adjacency: Adjacency) -> Self:
        """Find the avalanches of one condition after the other; raises DataError for too many in a sequence."""
        each = (find_avalanches(counts, raster.seq_id, adjacency) for counts in raster.counts)
        columns = zip(*map(_described, each), strict=True)
        number, *others = (np.array(column) for column in columns)
        return cls(number.astype(np.int64), *(other.astype(np.float64) for other in others))


def _described(found: Avalanches) -> tuple[float, ...]:
    if not len(found):
        return (0, *[float("nan")] * 4)
    means = (float(values.mean()) for values in (found.span_tokens, found.span_layers))
    return (len(found), float(found.size.mean()), float(np.median(found.size)), *means)


def avalanche_frames(raster: Raster, adjacency: Adjacency) -> Iterator[pd.DataFrame]:
    """Yield the rows of avalanches.parquet of one condition after the other: one per avalanche."""
    for cond_id, counts in enumerate(raster.counts):
        yield find_avalanches(counts, raster.seq_id, adjacency).to_frame(cond_id)


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
        *(AvalancheSummary.of(each, adjacency) for each in (raster, permuted)),
    )
