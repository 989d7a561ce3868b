"""Independent sites: branching equals the density, and the null test rejects as often as its level says.

The rows of such a raster can be exchanged along tokens, so the p-value of the permutation test is valid at every level
(Davison and Hinkley 1997, section 4.2), and 5 % of the tests fall below 5 % but for ties.
"""

import numpy as np
import pytest

from critnb.canon import NullId
from critnb.criticality import branching_sums, compare, null_branching
from critnb.criticality.synthetic import bernoulli
from critnb.lattice import RASTER_NULLS

PERMUTATION, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
SHAPE, REPEATS, REPLICATES = (8, 4, 24), 400, 99


@pytest.mark.parametrize("density", [0.02, 0.3, 0.9])
def test_branching_is_the_density(density):
    found = branching_sums(bernoulli(density, (100, 8, 128), seed=71)).pooled()
    error = np.sqrt(density * (1 - density) / (density * 100 * 7 * 127))
    assert found.b_time == pytest.approx(density, abs=4 * error)
    assert found.b_depth == pytest.approx(density, abs=4 * error)


@pytest.mark.parametrize("null_id", RASTER_NULLS)
def test_delta_is_zero_and_false_positives_are_at_the_level(null_id):
    rasters = bernoulli(0.2, (REPEATS, *SHAPE), seed=72).astype(np.uint16)
    seq_id = np.arange(SHAPE[0], dtype=np.int32)
    tokens = np.random.default_rng(73).integers(0, 5, (SHAPE[0], SHAPE[2]), dtype=np.int32)
    compared = []
    for repeat, counts in enumerate(rasters):
        value = float(branching_sums(counts).pooled().b_tot)
        key = str(repeat).encode()
        given = {"tokens": tokens, "seed": 1, "condition_key": key, "replicates": range(REPLICATES)}
        sums = null_branching(counts, seq_id, null_id, **given)
        compared.append(compare(value, sums.pooled().b_tot))
    delta = np.array([one.delta for one in compared])
    assert delta.mean() == pytest.approx(0, abs=4 * delta.std() / np.sqrt(REPEATS))
    rate = np.mean([one.p_one_sided <= 0.05 for one in compared])
    # 400 repeats have a standard error of 1.1 %; rates that are estimated vary from draw to draw, so that test may reject less
    assert rate <= 0.05 + 0.035
    assert rate >= (0 if RASTER_NULLS[null_id].reads_tokens else 0.05 - 0.035)
