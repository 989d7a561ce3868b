"""Estimators on arrays of one's own, against answers known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

import critnb
from critnb.api import tail as api_tail
from critnb.canon import Adjacency, NullId
from critnb.criticality.synthetic import (
    bernoulli,
    discrete_power_law,
    driven_branching,
    persistent_rows,
    poisson_branching,
    subsample,
)
from critnb.errors import ParamsError

TOY = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=bool)
PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT


def test_the_toy_raster_of_the_science_page():
    found = critnb.branching(TOY)
    assert (found.b_time.value, found.b_depth.value) == (pytest.approx(1 / 3), 0.5)
    assert float(found.b_tot) == pytest.approx(5 / 6)
    (row,) = critnb.avalanches(TOY).to_frame().to_dict("records")
    assert (row["span_tokens"], row["span_layers"], row["size"], row["l_min"], row["t_min"]) == (2, 2, 3, 1, 1)


def test_one_sequence_has_no_interval_and_says_so():
    found = critnb.branching(TOY).b_tot
    assert np.isnan([found.ci_low, found.ci_high]).all()
    assert "one sequence" in found.reason
    susceptibility = critnb.branching(TOY).chi
    assert np.isnan(susceptibility.value)
    assert "one sequence" in susceptibility.reason


def test_independent_sites_branch_as_their_density_and_their_nulls():
    density = 0.3
    found = critnb.branching(bernoulli(density, (40, 10, 200), seed=1), null_replicates=60, bootstrap_reps=100)
    error = np.sqrt(density * (1 - density) / (40 * 10 * 200 * density))
    for estimate in (found.b_time, found.b_depth):
        assert estimate.value == pytest.approx(density, abs=4 * error)
        assert estimate.ci_low < estimate.value < estimate.ci_high
        assert abs(estimate.delta) < 4 * estimate.null_sd
    assert found.b_tot.null == pytest.approx(2 * density, abs=8 * error)
    assert found.b_tot_shift.p > 0.001


def test_rows_that_copy_each_other_exceed_both_nulls():
    row = bernoulli(0.2, (20, 1, 100), seed=2)
    found = critnb.branching(np.repeat(row, 6, axis=1), null_replicates=50)
    assert found.b_depth.value == 1
    assert found.b_depth.p == found.b_tot.p == found.b_tot_shift.p == 1 / 51


def test_the_shift_keeps_what_rows_owe_to_their_own_past_and_the_permutation_does_not():
    density, memory = 0.2, 0.5
    found = critnb.branching(persistent_rows(density, memory, (30, 6, 200), seed=3), null_replicates=30)
    within = density + memory * (1 - density)
    assert found.b_time.value == pytest.approx(within, abs=0.02)
    assert found.b_tot_shift.null == pytest.approx(within + density, abs=0.03)
    assert found.b_tot.null == pytest.approx(2 * density, abs=0.03)


@pytest.mark.parametrize("null", [PERM, SHIFT])
def test_a_null_keeps_every_row_s_counts(null):
    x = np.random.default_rng(3).poisson(0.4, (5, 3, 30))
    drawn = critnb.null_replicate(x, null=null, replicate=4)
    np.testing.assert_array_equal(np.sort(drawn.counts, axis=-1), np.sort(x, axis=-1))
    np.testing.assert_array_equal(drawn.counts, critnb.null_replicate(x, null=str(null), replicate=4).counts)
    assert (drawn.counts != critnb.null_replicate(x, null=null, replicate=5).counts).any()


def test_a_statistic_of_one_s_own_against_its_null():
    def b_time(events):
        x = events.counts > 0
        return (x[..., 1:] & x[..., :-1]).sum() / x[..., :-1].sum()

    x = bernoulli(0.3, (6, 4, 50), seed=4)
    tested, known = critnb.null_test(x, b_time, replicates=40), critnb.branching(x, null_replicates=40).b_time
    assert (tested.value, tested.null, tested.p) == pytest.approx((known.value, known.null, known.p))


def test_sizes_of_critical_branching_follow_borel():
    sizes = poisson_branching(20_000, 1.0, max_generations=1001, seed=5).sizes
    sizes = sizes[sizes <= 1000]
    found = critnb.tail(sizes, xmin=1, xmax=1000)
    # the population's bounded maximum-likelihood exponent on 1..1000, from the Borel law
    assert found.alpha.value == pytest.approx(1.4823, abs=4 * found.fit.alpha_se)
    assert found.alpha.ci_low < found.alpha.value < found.alpha.ci_high
    assert found.to_frame()["law"].tolist() == ["power law", "lognormal", "exponential", "with cutoff"]


def test_a_power_law_is_found_from_its_own_start():
    values = discrete_power_law(2.5, 3000, xmin=4, seed=6)
    found = critnb.tail(np.concatenate([values, np.ones(500, dtype=int)]), p_replicates=30)
    assert found.scan.xmin >= 4
    assert found.alpha.value == pytest.approx(2.5, abs=5 * found.fit.alpha_se)
    assert found.p_value > 0.05


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ([1, 2, 0], "the sample has a value 0"),
        ([1.5, 2], "fractional"),
        ([np.nan, 2], "NaN"),
        ([[1, 2]], "a list of whole numbers"),
        (["a"], "a list of whole numbers"),
    ],
)
def test_a_sample_that_is_none_is_refused(sample, words):
    with pytest.raises(ValueError, match=words):
        critnb.tail(sample)


def test_a_small_tail_is_not_available_with_its_reason():
    found = critnb.tail([1, 2, 3])
    assert "3 values, fewer than 100" in found.reason == found.alpha.reason
    assert found.reason in repr(found)
    assert found.reason in found._repr_html_()
    assert "nan" not in repr(found).lower()
    assert set(found.to_frame()["parameters"]) == {"not available"}
    assert np.isnan(found.alpha.value)


def test_a_p_value_that_no_replicate_can_give_says_so(monkeypatch):
    monkeypatch.setattr(api_tail, "ks_p_value", lambda *_, **__: float("nan"))
    found = critnb.tail(discrete_power_law(2.5, 500, xmin=1, seed=6), p_replicates=2)
    assert "p: no sample of the fitted law has a tail" in found.headline()
    assert found.fit.available


def test_multistep_regression_recovers_m_from_a_tenth_of_the_events():
    activity = driven_branching(0.9, 10.0, 2000, 20, seed=7)
    seen = subsample(activity, 0.1, seed=8)
    found = critnb.multistep(seen[:, None])
    assert found.m.ci_low < 0.9 < found.m.ci_high
    assert found.r1.value < 0.6  # the naive ratio
    slopes = found.slopes()
    assert slopes["fit"].iloc[0] == pytest.approx(found.b * found.m.value + found.c)


def test_exponents_are_those_of_the_avalanches_that_touch_no_edge():
    x = bernoulli(0.35, (30, 8, 120), seed=9)
    found, sizes = critnb.exponents(x, bootstrap_reps=50), critnb.avalanches(x)
    inner = critnb.tail(sizes)
    assert found.real.n_uncensored == (~sizes.touches_edge).sum()
    assert found.tau_S.value == pytest.approx(inner.alpha.value)
    assert critnb.tail(sizes, of="duration").alpha.value == pytest.approx(found.alpha_D.value)
    assert critnb.crackling(sizes, bootstrap_reps=50).gamma.value == pytest.approx(found.gamma.value, nan_ok=True)
    eight = critnb.exponents(x, adjacency="ADJ_8N", bootstrap_reps=50)
    others = critnb.avalanches(x, adjacency=Adjacency.ADJ_8N)
    assert eight.real.n_avalanches == len(others) < len(sizes)
    for given in (None, Adjacency.ADJ_8N):
        assert critnb.exponents(others, adjacency=given, bootstrap_reps=2).real.n_avalanches == len(others)
    for estimator in (critnb.exponents, critnb.crackling):
        with pytest.raises(ParamsError, match="found with ADJ_8N; give the events to have ADJ_4N"):
            estimator(others, adjacency="ADJ_4N")


def test_crackling_alone_is_that_of_all_exponents():
    x = bernoulli(0.38, (100, 8, 120), seed=9)
    alone, among = critnb.crackling(x, bootstrap_reps=50), critnb.exponents(x, bootstrap_reps=50)
    assert repr(alone.gamma) == repr(among.gamma)
    assert alone.gamma.null == among.gamma.null != alone.gamma.value
    assert alone.r2 == among.real.crackling.r2


def test_a_null_that_is_not_available_says_why():
    found = critnb.crackling(bernoulli(0.35, (30, 8, 120), seed=9), bootstrap_reps=50).gamma
    assert np.isfinite(found.ci_low)
    assert np.isnan(found.null)
    assert "null: 7 of the real raster's durations have at least" in found.reason


def test_real_and_permuted_exponents_stand_on_one_support():
    x = persistent_rows(0.25, 0.6, (30, 8, 120), seed=9)
    found, alone = (critnb.exponents(each, bootstrap_reps=20) for each in (x, critnb.null_replicate(x)))
    assert alone.real.size_scan.xmin != found.real.size_scan.xmin == found.permuted.size_scan.xmin


def test_a_population_has_exponents_though_it_has_one_row():
    spikes = np.random.default_rng(10).poisson(0.01, (30, 20_000))
    found = critnb.exponents(critnb.population_activity(spikes, bin_size=2, window=500), bootstrap_reps=50)
    assert found.real.n_uncensored > 500
    assert found.tau_S.ci_low < found.tau_S.value < found.tau_S.ci_high


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: critnb.avalanches(TOY, adjacency="ADJ_6N"), "adjacency: 'ADJ_6N' is none of ADJ_4N, ADJ_8N"),
        (lambda: critnb.null_replicate(TOY, null="NULL_TOKEN_SHUFFLE_INPUT"), "does not act on rasters"),
        (lambda: critnb.null_replicate(TOY, null="shuffle"), "null: 'shuffle' is none of"),
        (lambda: critnb.branching(TOY, null_replicates=1), "null_replicates: 1 is too few"),
        (lambda: critnb.tail([1, 2, 3], of="nonsense"), "of: 'nonsense' is none of size, duration"),
        (lambda: critnb.tail(critnb.avalanches(TOY), of="area"), "of: 'area' is none of"),
        (lambda: critnb.tail([1, 2, 3], xmin=1, p_replicates=20), "the p-value repeats the choice of xmin"),
        (lambda: critnb.tail([1, 2, 3], p_replicates=1), "p_replicates: 1 is too few"),
        (lambda: critnb.crackling(TOY, bootstrap_reps=1), "bootstrap_reps: 1 is too few"),
        (lambda: critnb.multistep(TOY, along="space"), "along: 'space' is none of tokens, depth"),
    ],
)
def test_a_wrong_word_is_told_with_the_right_ones(call, words):
    with pytest.raises(ParamsError, match=words):
        call()


def test_results_show_themselves():
    found = critnb.branching(bernoulli(0.3, (4, 3, 20), seed=11), null_replicates=10, bootstrap_reps=10)
    lines = repr(found).splitlines()
    assert lines[0].startswith("Branching; EventCounts: 4 sequences of 3 x 20")
    assert [line.split()[0] for line in lines[2:]] == ["b_time", "b_depth", "b_tot", "b_tot_shift", "chi"]
    html = found._repr_html_()
    assert html.count("<tr>") == 6
    assert f"{found.b_time.value:.4g}"[:4] in html
    assert found.to_frame().set_index("name").loc["b_tot", "value"] == found.b_tot.value
