"""The null that keeps what a token does: its brute-force twin, its frequencies, and what it must not do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.lattice import Condition, ConditionTable, Raster, draw_null, marginals_exact, null_raster, why_not_drawn

TOKENS = NullId.NULL_RASTER_TOKEN_IDENTITY
STREAM = {"seed": 5, "condition_key": b"c"}
ONE = Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 2e-5, 0.7, Intervention.MLP_GLOBAL)


def ids(n):
    return np.arange(n, dtype=np.int32)


def allowed(counts, tokens, n, layer, t):
    """The counts that a site may get, by the definition: one entry per occurrence elsewhere."""
    others = [(m, s) for m in range(len(counts)) if m != n for s in range(counts.shape[-1])]
    same = [(m, s) for m, s in others if tokens[m, s] == tokens[n, t]]
    return [int(counts[m, layer, s]) for m, s in same or others]


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_every_count_is_one_of_its_token_in_another_window(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers((2, 1, 1), (5, 4, 12))
    counts = rng.integers(0, 9, shape, dtype=np.uint16)
    tokens = rng.integers(0, 6, (shape[0], shape[2]), dtype=np.int32)
    drawn = draw_null(counts, ids(shape[0]), TOKENS, replicates=range(2), tokens=tokens, **STREAM)
    for _, n, layer, t in np.ndindex(drawn.shape):
        assert drawn[_, n, layer, t] in allowed(counts, tokens, n, layer, t)


def test_all_occurrences_elsewhere_are_equally_likely():
    # every site has its own count, so that a draw says where it came from
    counts = np.arange(1, 25, dtype=np.uint16).reshape(3, 2, 4)
    tokens = np.array([[7, 7, 1, 2], [7, 3, 7, 7], [4, 4, 1, 7]], dtype=np.int32)
    drawn = draw_null(counts, ids(3), TOKENS, replicates=range(6_000), tokens=tokens, **STREAM)
    for n, layer, t in np.ndindex(counts.shape):
        wanted = allowed(counts, tokens, n, layer, t)
        values, found = np.unique(drawn[:, n, layer, t], return_counts=True)
        assert values.tolist() == sorted(wanted)
        assert len(found) == 1 or stats.chisquare(found).pvalue > 1e-4
    # layers and neighbouring tokens are drawn on their own
    table = stats.contingency.crosstab(drawn[:, 0, 0, 0], drawn[:, 0, 1, 0]).count
    assert stats.chi2_contingency(table).pvalue > 1e-3
    table = stats.contingency.crosstab(drawn[:, 0, 0, 0], drawn[:, 0, 0, 1]).count
    assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.fixture
def raster():
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 5, (4, 20), dtype=np.int32)
    tokens[2, 3] = 99  # in no other window
    return Raster(rng.integers(1, 4, (1, 4, 3, 20), dtype=np.uint16), ConditionTable([ONE]), ids(4), tokens)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_null_is_kept_where_every_count_is_allowed(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers((2, 1, 1), (5, 3, 6))
    counts, null = rng.integers(0, 3, (2, *shape), dtype=np.uint16)
    null = np.where(rng.random(shape) < 0.2, null, counts)
    tokens = rng.integers(0, 3, (shape[0], shape[2]), dtype=np.int32)
    expected = all(null[at] in allowed(counts, tokens, *at) for at in np.ndindex(null.shape))
    table = ConditionTable([ONE.with_null(TOKENS)])
    real = Raster(counts[None], ConditionTable([ONE]), ids(shape[0]), tokens)
    assert marginals_exact(real, Raster(null[None], table, ids(shape[0]), tokens)).tolist() == [expected]


def test_what_is_kept_is_told_of_a_token_and_of_one_that_no_other_window_has(raster):
    null = null_raster(raster, TOKENS, seed=1)
    assert marginals_exact(raster, null).tolist() == [True]
    for where in ((0, 1, 2, 4), (0, 2, 0, 3)):
        wrong = replace(null, counts=null.counts.copy())
        wrong.counts[where] = 9
        assert marginals_exact(raster, wrong).tolist() == [False]


def test_a_count_that_its_token_has_in_its_own_window_alone_is_not_kept(raster):
    real = replace(raster, counts=raster.counts.copy())
    real.counts[0, 1, 2, 4] = 9
    null = null_raster(raster, TOKENS, seed=1)
    null.counts[0, 1, 2, 4] = 9
    assert marginals_exact(real, null).tolist() == [False]


def test_of_one_window_nothing_is_drawn(raster):
    one = Raster(raster.counts[:, :1], raster.conditions, ids(1), raster.tokens[:1])
    assert "one window" in why_not_drawn(one.counts[0], one.tokens, TOKENS)
    null = null_raster(one, TOKENS, seed=1)
    assert not null.counts.any()
    assert marginals_exact(one, null).all()
    assert why_not_drawn(raster.counts[0], raster.tokens, TOKENS) == ""
    assert "not known" in why_not_drawn(raster.counts[0], None, TOKENS)
