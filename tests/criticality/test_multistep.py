import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from critnb.criticality import multinomial_weights
from critnb.criticality.multistep import (
    Centre,
    along_depth,
    along_tokens,
    default_max_lag,
    fit_lags,
    lag_slopes,
    multistep,
)
from critnb.criticality.synthetic import bernoulli, driven_branching, subsample
from critnb.errors import DataError

WEIGHTS = multinomial_weights(96, 300, seed=1337)


def naive_slopes(activity, max_lag, centre):
    """Term by term: the slope of regression over every pair of values k positions apart."""
    slopes = []
    for k in range(1, max_lag + 1):
        earlier, later = activity[..., :-k].astype(float), activity[..., k:].astype(float)
        axes = (0, 1) if centre is Centre.POSITION else None
        dx, dy = earlier - earlier.mean(axis=axes), later - later.mean(axis=axes)
        slopes.append((dx * dy).sum() / (dx * dx).sum())
    return np.array(slopes)


@pytest.mark.parametrize("centre", Centre)
@pytest.mark.parametrize("shape", [(96, 1, 40), (7, 5, 8), (3, 2, 2)])
def test_slopes_are_those_of_the_naive_twin(shape, centre):
    activity = np.random.default_rng(2).poisson(np.linspace(0.5, 30, shape[2]), shape).astype(np.uint16)
    for lag in {1, shape[2] // 2, shape[2] - 1}:
        np.testing.assert_allclose(
            lag_slopes(activity, lag, centre=centre), naive_slopes(activity, lag, centre), rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("centre", Centre)
@pytest.mark.parametrize("shape", [(12, 1, 30), (12, 6, 8)])
def test_weights_give_what_the_repeated_sequences_give(shape, centre):
    activity = np.random.default_rng(3).poisson(4.0, shape) * np.arange(1, 13)[:, None, None]
    weights = multinomial_weights(12, 40, seed=1)
    found = lag_slopes(activity, shape[2] - 2, centre=centre, weights=weights)
    for row, weight in zip(found, weights, strict=True):
        literally = np.repeat(activity, weight, axis=0)
        np.testing.assert_allclose(row, naive_slopes(literally, shape[2] - 2, centre), rtol=0, atol=1e-10)


@pytest.mark.parametrize("centre", Centre)
def test_resamples_of_one_sequence_do_not_vary(centre):
    """Up to rounding: what is left of a large activity is no variance to divide by."""
    activity = np.full((3, 1, 10), 1e6) + np.arange(3)[:, None, None] / 7
    slopes = lag_slopes(activity, 4, centre=centre, weights=np.array([[3, 0, 0], [0, 3, 0], [1, 1, 1]]))
    assert np.isnan(slopes).all(axis=1).tolist() == [True, True, False]
    assert slopes[2] == pytest.approx(np.ones(4), rel=1e-6)


def test_means_of_positions_leave_no_correlation_and_a_pooled_mean_does():
    rate_of_layer = np.array([1, 2, 4, 8, 8, 4, 2, 1])
    activity = np.random.default_rng(4).poisson(rate_of_layer, (96, 64, 8))
    assert abs(lag_slopes(activity, 1)[0]) < 4 / np.sqrt(activity.size)
    # what the rates alone give: their covariance over their variance and the Poisson noise
    earlier, later = rate_of_layer[:-1], rate_of_layer[1:]
    expected = np.cov(earlier, later, bias=True)[0, 1] / (earlier.var() + earlier.mean())
    assert lag_slopes(activity, 1, centre=Centre.POOLED)[0] == pytest.approx(expected, abs=0.02)
    assert expected > 0.3


@given(
    m=st.floats(0.05, 0.995),
    b=st.floats(0.05, 1.0),
    c=st.floats(-0.2, 0.5),
    lags=st.integers(4, 64),
    offset=st.booleans(),
)
def test_a_fit_of_exact_slopes_returns_what_made_them(m, b, c, lags, offset):
    k = np.arange(1, lags + 1)
    m_found, b_found, c_found = fit_lags(b * m**k + (c if offset else 0.0), offset=offset)
    np.testing.assert_allclose(b_found * m_found**k + c_found, b * m**k + (c if offset else 0), atol=1e-9)
    if m**lags < 0.5:  # a decay that the lags show
        assert m_found == pytest.approx(m, rel=1e-5)


@pytest.mark.parametrize("offset", [False, True])
def test_fits_are_scipys(offset):
    k, rng = np.arange(1, 31), np.random.default_rng(5)
    r = 0.4 * 0.85**k + 0.05 * offset + 0.01 * rng.standard_normal((20, 30))

    def model(k, m, b, c=0.0):
        return b * m**k + c

    start = (0.8, 0.5, 0.0) if offset else (0.8, 0.5)
    scipys = np.array([curve_fit(model, k, row, p0=start, xtol=1e-14, ftol=1e-14)[0] for row in r])
    ours = np.stack(fit_lags(r, offset=offset), axis=1)
    np.testing.assert_allclose(ours[:, : len(start)], scipys, rtol=1e-6)


@pytest.mark.slow
def test_no_m_on_a_fine_grid_fits_better():
    k, rng = np.arange(1, 9), np.random.default_rng(6)
    r = rng.standard_normal((40, 8))  # noise: several minima, edges
    m, b, c = fit_lags(r, offset=True)
    least = ((r - b[:, None] * m[:, None] ** k - c[:, None]) ** 2).sum(axis=1)
    for row, ours in zip(r, least, strict=True):
        others = []
        for at in np.linspace(0.01, 0.999, 2000):
            design = np.stack([at**k, np.ones(8)], axis=1)
            (slope, level), *_ = np.linalg.lstsq(design, row, rcond=None)
            if slope >= 0:
                others.append(((row - slope * at**k - level) ** 2).sum())
        assert np.isnan(ours) if not others else ours <= min(others) + 1e-6


def test_many_fits_at_once_are_the_fits_alone():
    r = np.random.default_rng(7).normal(0.3, 0.1, (5, 2, 10))
    together = np.stack(fit_lags(r, offset=True))
    alone = np.stack([[np.stack(fit_lags(row, offset=True)) for row in pair] for pair in r])
    np.testing.assert_allclose(together, np.moveaxis(alone, -1, 0), rtol=1e-9)


def test_series_without_a_fit_are_nan():
    rising, short = np.linspace(0, 0.5, 10), np.array([0.5, 0.25, 0.1])
    for r in (rising, -(0.5 ** np.arange(1, 11)), np.full(10, np.nan), short):
        assert np.isnan(fit_lags(r, offset=True)).all()
    assert np.isfinite(fit_lags(short, offset=False)).all()


def test_subsampling_moves_the_ratio_and_not_m():
    seen = subsample(driven_branching(0.9, 2.0, 128, 96, seed=11), 0.1, seed=12)
    found = multistep(seen[:, None, :], weights=WEIGHTS)
    assert found.available
    assert found.m_ci_low < 0.9 < found.m_ci_high
    assert found.r1 == pytest.approx(0.332103, abs=0.05)
    assert found.m_ci_high - found.m_ci_low < 0.1


def test_sequences_of_different_activity_need_the_offset():
    drives = np.random.default_rng(13).gamma(4, 0.5, 96)
    x = driven_branching(0.8, drives, 128, 96, seed=13)[:, None, :]
    with_offset, without = (multistep(x, weights=WEIGHTS, offset=offset) for offset in (True, False))
    assert with_offset.m_ci_low < 0.8 < with_offset.m_ci_high < 0.9
    assert without.m_ci_low > 0.98  # the trap: it looks critical


def test_rows_in_random_order_leave_the_constant_alone():
    rng = np.random.default_rng(14)
    rate = rng.gamma(5, 0.2, (96, 1, 1))
    x = rng.poisson(rate, (96, 1, 128))
    found = multistep(x, weights=WEIGHTS)
    # the share of variance between sequences, 0.2 / 1.2, is what every slope is
    assert found.r.mean() == pytest.approx(1 / 6, abs=0.05)
    assert not found.available
    assert "beyond what sequences share" in found.reason
    assert np.isnan([found.m, found.m_ci_low, found.m_ci_high, found.b, found.c]).all()
    assert np.isfinite(found.r1)
    # without an offset that constant is taken for m = 1
    constant = multistep(x, weights=WEIGHTS, offset=False)
    assert fit_lags(constant.r, offset=False)[0] > 0.99
    assert constant.reason == "the correlation does not decay over 64 lags"


def test_views_of_counts():
    counts = np.arange(2 * 3 * 5, dtype=np.uint16).reshape(2, 3, 5)
    tokens, depth = along_tokens(counts), along_depth(counts)
    assert tokens.shape == (2, 1, 5)
    assert tokens[1, 0, 2] == counts[1, :, 2].sum()
    assert depth.shape == (2, 5, 3)
    assert depth[1, 4, 2] == counts[1, 2, 4]
    assert along_tokens(np.full((1, 2, 1), 65_535, dtype=np.uint16))[0, 0, 0] == 131_070


def test_default_lags():
    assert [default_max_lag(positions) for positions in (1, 2, 8, 66, 500)] == [0, 0, 6, 64, 64]


SILENT, ONE_LAYER = np.zeros((96, 4, 16), dtype=np.uint16), bernoulli(0.3, (96, 1, 16), seed=1).astype(np.uint16)

# r_k = -1, 1, -1, ...: the best b of every m is negative
ALTERNATING = np.random.default_rng(15).normal(size=(96, 1, 1)) * (-1.0) ** np.arange(16)

# one sequence with events: a resample without it is silent
ONE_ACTIVE = driven_branching(0.8, 2.0, 16, 96, seed=16)[:, None, :] * (np.arange(96) == 5)[:, None, None]
WITHOUT_IT = np.count_nonzero(multinomial_weights(96, 50, seed=1)[:, 5] == 0)


@pytest.mark.parametrize(
    ("activity", "reason"),
    [
        (along_tokens(SILENT), "there is no event"),
        (along_depth(SILENT + 3), "the fit needs 4 lags, and the number of positions (4) gives 2"),
        (along_tokens(SILENT + 3), "does not vary"),
        (np.full((96, 1, 16), 0.1), "does not vary"),
        (along_depth(ONE_LAYER), "the number of positions (1) gives 0"),
        (along_tokens(ONE_LAYER[..., :1]), "the number of positions (1) gives 0"),
        (along_tokens(ONE_LAYER[:1]), "one sequence"),
        (along_tokens(ONE_LAYER[:0]), "an axis is empty"),
        (ALTERNATING, "no correlation that decays"),
        (ONE_ACTIVE, f"does not vary about its mean in {WITHOUT_IT} of 50 resamples"),
    ],
)
def test_what_is_not_available_says_why(activity, reason):
    found = multistep(activity, weights=multinomial_weights(len(activity), 50, seed=1))
    assert not found.available
    assert reason in found.reason
    assert np.isnan([found.m, found.m_ci_low, found.m_ci_high, found.b, found.c]).all()


def test_wrong_shapes_are_errors():
    activity = np.ones((3, 1, 10))
    for max_lag in (0, 10):
        with pytest.raises(DataError, match=f"no lags 1 to {max_lag} in activity"):
            lag_slopes(activity, max_lag)
    with pytest.raises(DataError, match="for 3 sequences"):
        lag_slopes(activity, 2, weights=multinomial_weights(4, 10, seed=1))
    with pytest.raises(DataError, match="no lags"):
        lag_slopes(activity[0], 2)


@pytest.mark.slow
def test_the_interval_covers_m():
    weights, covered = multinomial_weights(48, 150, seed=1), []
    for seed in range(80):
        x = driven_branching(0.7, 2.0, 64, 48, seed=seed)
        found = multistep(x[:, None, :], weights=weights, max_lag=16)
        covered.append(found.m_ci_low <= 0.7 <= found.m_ci_high)
    # 95 % nominal; 80 repeats have a standard error of 2.4 %; benchmarks/calibration.py has hundreds
    assert np.mean(covered) >= 0.86


def windows(make, n=96, length=128):
    """Activity [N, 1, T] of one function of a generator a window."""
    rng = np.random.default_rng(3)
    return np.stack([make(rng, length) for _ in range(n)])[:, None, :]


NO_BRANCHING = {
    "a drift within windows": lambda rng, t: rng.poisson(
        np.clip(5 + rng.normal(0, 2) * np.linspace(-1, 1, t), 0.1, None)
    ),
    "a moving average of two": lambda rng, t: np.convolve(rng.poisson(1.0, t + 1), [1, 1], "valid"),
}


@pytest.mark.parametrize("make", NO_BRANCHING.values(), ids=NO_BRANCHING)
def test_what_is_no_branching_process_gets_no_m(make):
    """Trap: a trend looked like m = 1 and a memory of one step like m = 0, with intervals of width zero."""
    found = multistep(windows(make), weights=WEIGHTS)
    assert not found.available
    assert np.isnan([found.m, found.m_ci_low, found.b]).all()
    assert found.r1_ci_low <= found.r1 <= found.r1_ci_high
    assert any(word in found.reason for word in ("one lag", "does not decay", "above one"))


def test_a_fully_observed_process_has_its_m_though_b_is_one():
    x = driven_branching(0.9, drive=2.0, length=128, n=96, seed=4)[:, None, :]
    found = multistep(x, weights=WEIGHTS)
    assert found.available, found.reason
    assert found.m == pytest.approx(0.9, abs=0.05)
    assert found.b == pytest.approx(1.0, abs=0.15)
