from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from critnb.criticality.synthetic.samples import discrete_power_law, rounded_lognormal
from critnb.criticality.tails import Histogram, TailFit, fit_tail
from critnb.criticality.tails.fit import boundary_p, vuong
from critnb.criticality.tails.laws import Fitted
from critnb.errors import DataError

NUMBERS = [
    name for name in TailFit.__dataclass_fields__ if name not in ("xmin", "xmax", "n_tail", "available", "reason")
]


def fit(sample, xmin, xmax, **options):
    return fit_tail(Histogram.of(np.asarray(sample, dtype=np.int64)), xmin=xmin, xmax=xmax, **options)


def test_vuong_by_hand():
    # values 1, 1, 2, 3 with differences 0.2, 0.2, -0.1, 0.5 a value
    one, other = Fitted((0.0,), np.array([-1.0, -2.0, -2.0])), Fitted((0.0,), np.array([-1.2, -1.9, -2.5]))
    each = np.array([0.2, 0.2, -0.1, 0.5])
    ratio, z, p = vuong(one, other, Histogram.of(np.array([1, 1, 2, 3])))
    assert ratio == pytest.approx(0.8)
    assert z == pytest.approx(0.8 / (np.sqrt(4) * each.std()))
    assert p == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert vuong(other, one, Histogram.of(np.array([1, 1, 2, 3])))[:2] == pytest.approx((-ratio, -z))


def test_one_law_twice_has_no_z():
    law = Fitted((0.0,), np.array([-1.0, -2.0]))
    ratio, z, p = vuong(law, law, Histogram.of(np.array([1, 1, 2])))
    assert ratio == 0
    assert np.isnan([z, p]).all()


@pytest.mark.parametrize("ratio", [-0.1, -1.9207, -8.0])
def test_the_nested_test_has_half_a_chi_square(ratio):
    # Self and Liang 1987, case 5: the parameter on its boundary
    assert boundary_p(ratio) == pytest.approx(stats.norm.sf(np.sqrt(-2 * ratio)))
    assert boundary_p(0.0) == 1.0
    assert np.isnan(boundary_p(float("nan")))


def test_the_record_is_of_one_piece():
    sample = discrete_power_law(1.8, 2_000, xmax=500, seed=1)
    found = fit(sample, 2, 500)
    assert (found.xmin, found.xmax, found.n_tail) == (2, 500, np.count_nonzero(sample >= 2))
    assert (found.available, found.reason) == (True, "")
    for other in ("lognormal", "exponential", "cutoff"):
        ratio = getattr(found, f"llr_powerlaw_vs_{other}")
        assert ratio == pytest.approx(found.ll_powerlaw - getattr(found, f"ll_{other}"), abs=1e-8)
    for other in ("lognormal", "exponential"):
        z = getattr(found, f"z_powerlaw_vs_{other}")
        assert np.sign(z) == np.sign(getattr(found, f"llr_powerlaw_vs_{other}"))
        assert getattr(found, f"p_powerlaw_vs_{other}") == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert found.llr_powerlaw_vs_cutoff <= 0
    assert all(type(getattr(found, name)) is float for name in NUMBERS)


def test_every_law_lives_on_the_same_support():
    # Trap: a lognormal fitted to everything but compared on the tail loses to the power law by thousands of nats.
    sample = rounded_lognormal(2.0, 1.2, 20_000, xmax=10_000, seed=2)
    xmin = Histogram.of(sample).quantile(0.8)
    found = fit(sample, xmin, 10_000)
    assert found.llr_powerlaw_vs_lognormal < -1
    k = np.arange(xmin, 10_001)
    normal = stats.norm(found.lognorm_mu, found.lognorm_sigma)
    share = normal.sf(np.log(k - 0.5)) - normal.sf(np.log(k + 0.5))
    tail = sample[sample >= xmin]
    assert found.ll_lognormal == pytest.approx(np.log(share / share.sum())[tail - xmin].sum(), rel=1e-9)
    # what the trap would give: the whole sample's mu and sigma, not normalised on the tail
    whole = stats.norm(np.log(sample).mean(), np.log(sample).std())
    trapped = np.log(whole.sf(np.log(tail - 0.5)) - whole.sf(np.log(tail + 0.5))).sum()
    assert found.ll_powerlaw - trapped > 1_000


def test_an_upper_end_matters_to_every_law():
    sample = discrete_power_law(1.3, 2_000, xmax=50, seed=3)
    bounded, unbounded = fit(sample, 1, 50), fit(sample, 1, None)
    assert bounded.alpha_powerlaw == pytest.approx(1.3, abs=4 * bounded.alpha_se)
    assert unbounded.alpha_powerlaw > bounded.alpha_powerlaw + 10 * bounded.alpha_se
    assert all(
        getattr(bounded, f"ll_{law}") > getattr(unbounded, f"ll_{law}")
        for law in ("powerlaw", "lognormal", "exponential", "cutoff")
    )


@pytest.mark.parametrize(
    ("xmin", "xmax", "words"),
    [
        (2.5, 9, "xmin 2.5 is no whole number"),
        (2, 9.5, "xmax 9.5 is no whole number"),
        (np.nan, 9, "xmin nan is no whole number"),
        (True, 9, "xmin True is no whole number"),
        (0, 9, "xmin 0 is below one"),
        (2, 2**53 + 1, r"xmax 9007199254740993 is above 2\^53"),
        (8, 7, "xmin 8 is above xmax 7"),
    ],
)
def test_a_support_has_whole_ends_in_order(xmin, xmax, words):
    with pytest.raises(DataError, match=words):
        fit([3, 4, 5, 6], xmin, xmax)


@pytest.mark.parametrize(
    ("sample", "xmin", "xmax", "reason"),
    [
        ([], 1, 50, "0 values, fewer than 100"),
        ([7], 1, None, "1 value, fewer than 100"),
        ([1, 2, 3] * 33, 1, 50, "99 values, fewer than 100"),
        ([1] * 500 + [2, 3], 2, 50, "2 values, fewer than 100"),
        ([1, 2] * 200, 30, 50, "0 values, fewer than 100"),
        ([7] * 200, 7, None, "all values are equal"),
        ([7] * 200, 1, 50, "all values are equal"),
        ([9] * 200, 9, 9, "all values are equal"),
        ([999] + [1000] * 200, 1, 1000, "nearly all values are at xmax"),
    ],
)
def test_what_has_no_fit_says_why(sample, xmin, xmax, reason):
    found = fit(sample, xmin, xmax)
    assert not found.available
    assert found.reason == reason
    assert (found.xmin, found.xmax) == (xmin, xmax)
    assert np.isnan([getattr(found, name) for name in NUMBERS]).all()


def test_nonsense_bounds_are_errors():
    with pytest.raises(DataError, match="a value 9, above xmax 8"):
        fit([9] * 200, 1, 8)
    with pytest.raises(DataError, match="xmin 0 is below one"):
        fit([9] * 200, 0, 9)


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.integers(1, 5), st.integers(1, 40), st.integers(1, 10**6)), min_size=2, max_size=40),
    st.one_of(st.none(), st.integers(0, 50), st.just(10**8)),
)
def test_any_sample_gives_numbers_or_a_reason(values, room):
    sample = np.array(values)
    found = fit(sample, int(sample.min()), None if room is None else int(sample.max()) + room, min_tail=2)
    assert found.available == (found.reason == "")
    if not found.available:
        assert len(np.unique(sample)) == 1 or found.reason == "nearly all values are at xmax"
        return
    _, counts = np.unique(sample, return_counts=True)
    entropy = counts @ np.log(counts / len(sample))
    numbers = asdict(found)
    for law in ("powerlaw", "exponential", "lognormal"):
        assert numbers[f"ll_{law}"] <= entropy + 1e-6
    if not np.isnan(found.ll_cutoff):  # a peak far from both ends
        assert found.ll_powerlaw <= found.ll_cutoff <= entropy + 1e-6
        assert found.cutoff_lambda >= 0
    assert found.alpha_se > 0
    assert found.lognorm_sigma > 0
