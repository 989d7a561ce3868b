"""Estimators on arrays of one's own, against answers known beforehand."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
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


@pytest.mark.parametrize("end", ["xmin", "xmax", "min_tail"])
@pytest.mark.parametrize("given", [5.5, np.nan, np.inf, True, "5", 0, -3, np.float32(7.25), np.array([5]), pd.NA])
def test_an_end_that_is_no_whole_number_is_told_by_its_name_and_value(end, given):
    with pytest.raises(ParamsError, match=re.escape(f"tail: {end}: {given!r} is no whole number")):
        critnb.tail(np.arange(1, 200), **{end: given})


def test_ends_that_are_whole_are_taken_and_must_not_cross():
    sample = discrete_power_law(2.2, 3000, xmin=1, xmax=5000, seed=11)
    plain = critnb.tail(sample, xmin=5, xmax=5000)
    for low, high in ((5.0, 5000.0), (np.int8(5), np.uint16(5000)), (np.float64(5), np.int64(5000))):
        assert critnb.tail(sample, xmin=low, xmax=high).fit == plain.fit
    with pytest.raises(ParamsError, match="xmin: 7 is above xmax 6"):
        critnb.tail([1, 2, 3], xmin=7, xmax=6)


def test_a_small_sample_says_which_xmin_was_left_out_and_min_tail_lets_it_in():
    # 90 values of a power law from 40 on over 200 that rise towards 39: its start is no candidate by default
    body = np.repeat(np.arange(1, 40), np.arange(1, 40))[-200:]
    sample = np.concatenate([body, discrete_power_law(2.5, 90, xmin=40, seed=0)])
    by_default = critnb.tail(sample)
    assert by_default.scan.xmin < 40
    left_out = by_default.excluded
    distinct = np.unique(sample)
    kept = [int((sample >= value).sum()) for value in distinct]
    assert left_out.n == sum(n < 100 for n in kept) - 1  # the largest value alone has no exponent
    let_in = critnb.tail(sample, min_tail=80)
    assert (let_in.scan.xmin, let_in.scan.distance) == (left_out.nearest.xmin, left_out.nearest.distance)
    assert left_out.nearest.xmin == 40
    assert left_out.nearest.distance < by_default.scan.distance
    for shown in (repr(by_default), by_default._repr_html_()):
        assert f"the nearest, {left_out.nearest.xmin}, has exponent" in shown
        assert f"(min_tail={left_out.nearest.n_tail} lets it in)" in shown
    assert "none of smaller distance" in repr(let_in)
    assert critnb.tail(sample, xmin=40).excluded is None
    assert critnb.tail(sample, xmin=40, min_tail=90).fit.n_tail == 90


def test_a_sample_without_a_candidate_says_what_a_smaller_tail_would_give():
    found = critnb.tail([1, 1, 2, 3, 5, 8])
    assert not found.fit.available
    assert "6 values, fewer than 100; 4 values were no candidates for xmin" in found.headline()
    assert critnb.tail([]).excluded.n == critnb.tail([7]).excluded.n == 0


def test_a_p_value_repeats_the_scan_with_the_same_least_tail():
    sample = discrete_power_law(2.5, 60, xmin=1, seed=6)
    assert np.isnan(critnb.tail(sample, p_replicates=20).p_value)
    assert 0 < critnb.tail(sample, p_replicates=20, min_tail=20).p_value <= 1


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ([1, 2, 0], "the sample has a value 0"),
        ([1.5, 2], "1 fractional or infinite values, such as 1.5"),
        ([np.inf, 2], "1 fractional or infinite values, such as inf"),
        ([np.nan, 2], "1 of 2 values are missing .*; leave them out of the list"),
        ([1, None, 2], "1 of 3 values are missing"),
        (np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]), "1 of 3 values are missing"),
        (pd.Series([1, None, None], dtype="Int64"), "2 of 3 values are missing"),
        ([2, 1e19], r"the sample has a value 1e\+19; sizes"),
        ([2, -1e19], r"the sample has a value -1e\+19; sizes"),
        ([2, 2.0**53 + 2], "the sample has a value 9007199254740994; sizes"),
        (np.array([2, 2**64 - 1], dtype=np.uint64), "the sample has a value 18446744073709551615; sizes"),
        ([2, 10**30], "a value 1000000000000000000000000000000, beyond 64 bits"),
        ([True, True], "not bool"),
        ([[1, 2]], "a list of whole numbers"),
        (["a"], "values are str32; give numbers"),
        (np.array([1, 2], dtype="m8[s]"), "values are timedelta"),
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


@pytest.mark.parametrize("seed", [1.5, np.nan, "3", None, True])
def test_a_seed_that_is_no_whole_number_is_told(seed):
    for call in (critnb.branching, critnb.multistep, critnb.crackling, critnb.exponents, critnb.null_replicate):
        with pytest.raises(ParamsError, match=f"seed: {seed!r} is no whole number"):
            call(TOY, seed=seed)
    with pytest.raises(ParamsError, match=f"seed: {seed!r} is no whole number"):
        critnb.tail([1, 2, 3], seed=seed)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: critnb.null_replicate(TOY, replicate=0.5), "replicate: 0.5 is no whole number from 0 on"),
        (lambda: critnb.branching(TOY, null_replicates=10.5), "null_replicates: 10.5 is no whole number"),
        (lambda: critnb.multistep(TOY, max_lag=1.5), "max_lag: 1.5 is no whole number"),
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
    assert [line.split()[0] for line in lines[2:]] == ["b_time", "b_depth", "b_tot", *found.b_tot_by_null, "chi"]
    assert next(iter(found.b_tot_by_null)) == "b_tot_shift"
    html = found._repr_html_()
    assert html.count("<tr>") == 5 + len(found.b_tot_by_null)
    assert f"{found.b_time.value:.4g}"[:4] in html
    assert found.to_frame().set_index("name").loc["b_tot", "value"] == found.b_tot.value
