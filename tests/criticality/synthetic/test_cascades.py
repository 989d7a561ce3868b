from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from critnb.criticality import closed_forms as known
from critnb.criticality.synthetic import lattice_cascades
from critnb.criticality.synthetic.cascades import poisson
from critnb.errors import DataError
from critnb.lattice.randomness import words

LAYERS, TOKENS = 8, 128


def cascades(n=60_000, *, m_time=0.6, m_depth=0.4, n_layers=LAYERS, n_tokens=TOKENS, seed=21):
    return lattice_cascades(n, n_layers=n_layers, n_tokens=n_tokens, m_time=m_time, m_depth=m_depth, seed=seed)


@pytest.fixture(scope="module")
def drawn():
    return cascades()


def share_errors(found, expected, n):
    """How many standard errors the shares found are away from those expected."""
    return (found - expected) / np.sqrt(expected * (1 - expected) / n)


@pytest.mark.slow
@pytest.mark.parametrize(("m_time", "m_depth"), [(0.6, 0.4), (0.3, 0.3), (0.0, 1.0)])
def test_sizes_that_nothing_cuts_off_follow_the_borel_law(m_time, m_depth):
    found = cascades(m_time=m_time, m_depth=m_depth, n_layers=40, n_tokens=40)
    # n events reach n - 1 steps and are complete if their sites have both successors
    room = (found.t_min < 36) & (found.l_min < 36)
    shares = np.bincount(found.size[room])[1:5] / room.sum()
    m = m_time + m_depth
    borel = [np.exp(-m * n) * (m * n) ** (n - 1) / factorial for n, factorial in ((1, 1), (2, 2), (3, 6), (4, 24))]
    assert np.abs(share_errors(shares, np.array(borel), room.sum())).max() < 4


def test_spans_along_tokens_are_those_of_the_finite_stack(drawn):
    room = drawn.t_min < TOKENS - 12
    exact = known.cascade_spans(12, n_across=LAYERS, m_along=0.6, m_across=0.4)
    for layer in (0, 5, LAYERS - 1):
        starts = room & (drawn.l_min == layer)
        shares = np.bincount(drawn.span_tokens[starts], minlength=13)[1:13] / starts.sum()
        assert np.abs(share_errors(shares, exact[layer], starts.sum())).max() < 4


def test_spans_along_layers_are_those_of_the_finite_window(drawn):
    room = drawn.l_min < LAYERS - 3
    exact = known.cascade_spans(3, n_across=TOKENS, m_along=0.4, m_across=0.6).mean(axis=0)
    shares = np.bincount(drawn.span_layers[room], minlength=4)[1:4] / room.sum()
    assert np.abs(share_errors(shares, exact, room.sum())).max() < 4


@pytest.mark.parametrize("m_time", [0.0, 0.6, 0.9])
def test_mean_sizes_are_those_of_the_finite_lattice(m_time):
    found = cascades(m_time=m_time, m_depth=1 - m_time, n_tokens=32)
    exact = known.cascade_mean_size(n_layers=LAYERS, n_tokens=32, m_time=m_time, m_depth=1 - m_time)
    assert found.size.mean() == pytest.approx(exact, abs=4 * found.size.std() / np.sqrt(len(found)))


def test_a_plain_simulation_agrees():
    """Event by event, with numpy's Poisson variables: sizes, sites, extents."""
    rng, rows = np.random.default_rng(5), []
    for _ in range(4_000):
        waiting, seen = [(int(rng.integers(6)), int(rng.integers(4)))], []
        while waiting:
            t, layer = waiting.pop()
            seen.append((t, layer))
            waiting += [(t + 1, layer)] * rng.poisson(0.5) * (t + 1 < 6)
            waiting += [(t, layer + 1)] * rng.poisson(0.5) * (layer + 1 < 4)
        (ts, ls), sites = zip(*seen, strict=True), set(seen)
        rows.append((len(seen), len(sites), max(ts) - min(ts) + 1, max(ls) - min(ls) + 1, max(ts), max(ls)))
    plain = np.array(rows).T
    ours = cascades(40_000, m_time=0.5, m_depth=0.5, n_layers=4, n_tokens=6)
    for name, values in zip(("size", "area", "span_tokens", "span_layers", "t_max", "l_max"), plain, strict=True):
        # two-sample test on counts of small values
        a, b = (np.bincount(np.minimum(x, 8), minlength=9) for x in (values, getattr(ours, name)))
        seen = (a + b) > 20
        assert stats.chi2_contingency(np.stack([a[seen], b[seen]])).pvalue > 1e-4, name


def test_fields_agree_with_each_other(drawn):
    assert np.array_equal(drawn.seq_id, np.arange(len(drawn)))
    assert not drawn.avalanche_id.any()
    assert np.array_equal(drawn.span_tokens, drawn.t_max - drawn.t_min + 1)
    assert np.array_equal(drawn.span_layers, drawn.l_max - drawn.l_min + 1)
    assert np.all((drawn.size >= drawn.area) & (drawn.area >= drawn.span_tokens + drawn.span_layers - 1))
    assert drawn.t_min.min() == 0
    assert drawn.t_max.max() == TOKENS - 1
    edge = (drawn.t_min == 0) | (drawn.t_max == TOKENS - 1) | (drawn.l_min == 0) | (drawn.l_max == LAYERS - 1)
    assert np.array_equal(drawn.touches_edge, edge)
    assert np.bincount(drawn.l_min) == pytest.approx(len(drawn) / LAYERS, rel=0.05)
    assert (drawn.size.dtype, drawn.area.dtype, drawn.seq_id.dtype) == (np.int64, np.int32, np.int32)


def test_the_first_of_more_are_the_same(drawn):
    fewer = cascades(20_001)  # across blocks
    for field in fields(fewer):
        assert np.array_equal(getattr(fewer, field.name), getattr(drawn, field.name)[:20_001]), field.name
    assert not np.array_equal(cascades(500, seed=22).size, drawn.size[:500])


def test_draws_are_fixed():
    """The numbers of the first implementation: a change of them changes published references."""
    found = cascades(12, seed=1337)
    assert found.size.tolist() == [2, 1, 2, 2, 24, 1, 1, 1, 1, 1, 30, 2]
    assert found.span_tokens.tolist() == [2, 1, 2, 2, 5, 1, 1, 1, 1, 1, 9, 2]


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.05, 1.3, 31.9, 32.1, 100.0, 700.0])
def test_poisson_variables(mean):
    draws = poisson(np.full(40_000, mean), words(np.uint64(9), np.arange(40_000)))
    cells = stats.poisson.ppf([0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999], mean)
    cuts = np.unique(cells)
    expected = np.diff(np.concatenate([[0], stats.poisson.cdf(cuts, mean), [1]])) * 40_000
    found = np.bincount(np.searchsorted(cuts, draws), minlength=len(expected))
    kept = expected > 5
    assert stats.chisquare(found[kept], expected[kept] * found[kept].sum() / expected[kept].sum()).pvalue > 1e-4


def test_poisson_variables_of_mixed_means_are_those_drawn_alone():
    mean, word = np.array([0.5, 40.0, 3.0, 90.0]), words(np.uint64(3), np.arange(4))
    together = poisson(mean, word)
    assert together.tolist() == [int(poisson(mean[i : i + 1], word[i : i + 1])[0]) for i in range(4)]
    # the largest word of all does not run on
    assert poisson(np.array([32.0]), np.array([2**64 - 1], dtype=np.uint64))[0] < 200


def test_no_cascades_and_one_site():
    assert len(cascades(0)) == 0
    alone = cascades(50, n_layers=1, n_tokens=1)
    assert alone.size.tolist() == [1] * 50
    assert alone.touches_edge.all()


@pytest.mark.parametrize(("m_time", "m_depth"), [(0.7, 0.4), (-0.1, 0.5), (0.5, float("nan"))])
def test_what_is_not_bounded_is_refused(m_time, m_depth):
    with pytest.raises(DataError, match="lattice cascades: m_time"):
        cascades(1, m_time=m_time, m_depth=m_depth)
