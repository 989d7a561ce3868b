"""A branching ratio against the same number on null replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.canon import NullId
from critnb.criticality.branching import BranchingSums
from critnb.lattice.drawing import bit_blocks, why_not_drawn
from critnb.lattice.raster import Tokens


@dataclass(frozen=True)
class NullComparison:
    """What a value exceeds its null by; NaN where not available, and then ``reason`` says why.

    delta = value - null_mean; null_sd with R - 1 degrees of freedom; z = delta / null_sd;
    p_one_sided = (1 + #{null >= value}) / (R + 1), R the ``replicates`` that have a value.
    """

    delta: float
    null_mean: float
    null_sd: float
    z: float
    p_one_sided: float
    reason: str | None = None
    replicates: int = 0


def null_branching(
    counts: npt.NDArray[np.uint16],
    seq_id: npt.NDArray[np.int32],
    null_id: NullId,
    *,
    seed: int,
    condition_key: bytes,
    replicates: Sequence[int],
    tokens: Tokens | None = None,
) -> BranchingSums:
    """Return the branching sums [R, N] of null replicates of one condition's counts uint16 [N, L, T].

    ``replicates`` are the replicates' numbers: range(200) in one call equals range(100) and range(100, 200) stacked.
    Where the null cannot be drawn of these counts (``why_not_drawn``) all sums are zero, so that no ratio has a value.
    Raises DataError as ``draw_null``.
    """
    shape = (len(replicates), len(seq_id))
    if why_not_drawn(counts, tokens, null_id):
        return BranchingSums.zeros(shape)
    from critnb.criticality.bit_sums import counted

    blocks = bit_blocks(
        counts, seq_id, null_id, seed=seed, condition_key=condition_key, replicates=replicates, tokens=tokens
    )
    # the planes run through replicate and sequence in order
    sums = np.empty((4, shape[0] * shape[1]), dtype=np.int64)
    for planes, bits in blocks:
        counted(bits, counts.shape[-1], sums[:, planes])
    return BranchingSums(*sums.reshape(4, *shape))


def compare(value: float, null_values: npt.NDArray[np.float64]) -> NullComparison:
    """Compare a value with null values [R]; NaN replicates are left out (Davison and Hinkley 1997, eq. 4.11, for p)."""
    nulls = null_values[~np.isnan(null_values)]
    if np.isnan(value):
        return _not_available("the value itself is not defined: no site has a successor")
    if len(nulls) < 2:
        return _not_available(f"{len(nulls)} of {len(null_values)} null replicates have a value, at least 2 are needed")
    # Replicates that are all equal would leave a rounding error in mean and spread.
    equal = np.ptp(nulls) == 0
    mean, sd = (float(nulls[0]), 0.0) if equal else (float(nulls.mean()), float(nulls.std(ddof=1)))
    p = (1 + np.count_nonzero(nulls >= value)) / (len(nulls) + 1)
    z = (value - mean) / sd if sd > 0 else float("nan")
    return NullComparison(value - mean, mean, sd, z, p, None if sd > 0 else "all null replicates are equal", len(nulls))


def _not_available(reason: str) -> NullComparison:
    nan = float("nan")
    return NullComparison(nan, nan, nan, nan, nan, reason)
