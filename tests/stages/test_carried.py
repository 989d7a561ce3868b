"""g1 against g* on the same windows: against brute force, with what pairing and identity must give."""

from __future__ import annotations

import numpy as np
import pytest

from critnb.canon import DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.criticality import NullSample, multinomial_weights, null_branching
from critnb.criticality.carried import MEASURES, carried_over, perplexity
from critnb.lattice import PRIMARY, RASTER_NULLS, Condition, ConditionTable, Raster
from critnb.stages.s06b_generalize.tables import IDENTICAL, PAIRED, REFERENCE, carried_frame, paired_rows

N, L, T = 12, 4, 30
REPLICATES = 80
ONE, TWO = SpikeDef
RATE = 0.01
# g* is 1.2 for one definition and the baseline itself for the other
GSTAR = {(str(ONE), RATE): 1.2, (str(TWO), RATE): 1.0}
NLL = {gain: np.random.default_rng(int(10 * gain)).gamma(9.0, 0.3, N) for gain in (1.0, 1.2)}


@pytest.fixture(scope="module")
def raster() -> Raster:
    wanted = [(ONE, 1.0), (TWO, 1.0), (ONE, 1.2)]
    table = ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.B, kind, RATE, gain, Intervention.MLP_GLOBAL) for kind, gain in wanted
    )
    counts = np.random.default_rng(5).poisson(0.35, size=(3, N, L, T)).astype(np.uint16)
    return Raster(counts, table, np.arange(N, dtype=np.int32))


@pytest.fixture(scope="module")
def nulls(raster):
    return {
        null_id: NullSample.of(
            null_branching(counts, raster.seq_id, null_id, seed=1, condition_key=c.key(), replicates=range(20))
            for counts, c in zip(raster.counts, raster.conditions, strict=True)
        )
        for null_id in RASTER_NULLS
    }


@pytest.fixture(scope="module")
def weights():
    return multinomial_weights(N, REPLICATES, 1337)


@pytest.fixture(scope="module")
def carried(raster, nulls, weights):
    return carried_over(raster, nulls, NLL, weights)


def t02_rows(carried):
    return paired_rows(carried, carried_frame(carried), GSTAR)


@pytest.fixture(scope="module")
def rows(carried):
    return t02_rows(carried).set_index(["spike_def_id", "g_condition"])


def b_tot(counts):
    x = counts > 0
    return (x[..., 1:] & x[..., :-1]).sum() / x[..., :-1].sum() + (x[:, 1:] & x[:, :-1]).sum() / x[:, :-1].sum()


def brute_force(statistic, weights):
    """Percentiles of a statistic of resampled window numbers, one replicate after the other."""
    found = [statistic(np.repeat(np.arange(N), row)) for row in weights]
    return np.percentile(found, [2.5, 97.5])


def interval(row, name):
    return [row[f"opt_{name}_ci_low"], row[f"opt_{name}_ci_high"]]


def test_perplexity_is_exp_of_the_mean_over_windows(rows, weights):
    row = rows.loc[(str(ONE), "gstar")]
    assert row["nll_mean"] == pytest.approx(NLL[1.2].mean())
    assert row["ppl"] == pytest.approx(np.exp(NLL[1.2].mean()))
    assert interval(row, "nll_mean") == pytest.approx(brute_force(lambda i: NLL[1.2][i].mean(), weights))
    assert interval(row, "ppl") == pytest.approx(brute_force(lambda i: np.exp(NLL[1.2][i].mean()), weights))


def test_differences_resample_the_same_windows_of_both(rows, raster, weights):
    row = rows.loc[(str(ONE), "gstar")]
    first, second = raster.counts[0], raster.counts[2]
    assert row["opt_vs_g1"] == PAIRED
    assert row["opt_b_tot_vs_g1"] == pytest.approx(b_tot(second) - b_tot(first))
    by_hand = brute_force(lambda i: b_tot(second[i]) - b_tot(first[i]), weights)
    assert interval(row, "b_tot_vs_g1") == pytest.approx(by_hand)
    by_hand = brute_force(lambda i: np.exp(NLL[1.2][i].mean()) - np.exp(NLL[1.0][i].mean()), weights)
    assert interval(row, "ppl_vs_g1") == pytest.approx(by_hand)
    assert row["opt_nll_mean_vs_g1"] == pytest.approx((NLL[1.2] - NLL[1.0]).mean())


def test_a_shift_that_all_windows_share_has_an_interval_of_no_width(raster, nulls, weights):
    """Unpaired resamples would give it the width of what windows differ in."""
    shifted = {1.0: NLL[1.0], 1.2: NLL[1.0] + 0.25}
    rows = t02_rows(carried_over(raster, nulls, shifted, weights))
    row = rows[(rows["spike_def_id"] == str(ONE)) & (rows["g_condition"] == "gstar")].iloc[0]
    assert [row["opt_nll_mean_vs_g1"], *interval(row, "nll_mean_vs_g1")] == pytest.approx([0.25] * 3, abs=1e-12)
    assert np.subtract(*interval(row, "nll_mean")[::-1]) > 0.1


def test_a_gstar_of_one_differs_by_exactly_nothing_and_says_so(rows):
    row = rows.loc[(str(TWO), "gstar")]
    assert row["g"] == 1.0
    assert row["opt_vs_g1"] == IDENTICAL
    for name in MEASURES:
        assert row[f"opt_{name}_vs_g1"] == 0.0
        assert interval(row, f"{name}_vs_g1") == [0.0, 0.0]
        assert row[name] == rows.loc[(str(TWO), "g1"), name]


def test_the_reference_has_no_difference(rows):
    for kind in (ONE, TWO):
        row = rows.loc[(str(kind), "g1")]
        assert row["opt_vs_g1"] == REFERENCE
        assert np.isnan([row[f"opt_{name}_vs_g1"] for name in MEASURES]).all()


def test_every_b_stands_beside_its_null(rows, nulls):
    row, null = rows.loc[(str(ONE), "gstar")], nulls[PRIMARY].pooled
    for name in ("b_time", "b_depth", "b_tot"):
        assert row[f"opt_{name}_perm"] == pytest.approx(getattr(null, name)[2].mean())
    assert row["delta_b_tot"] == pytest.approx(row["b_tot"] - null.b_tot[2].mean())
    z = (row["b_tot"] - null.b_tot[2].mean()) / null.b_tot[2].std(ddof=1)
    assert row["opt_delta_b_tot_z"] == pytest.approx(z)


def test_a_likelihood_beyond_floats_has_no_perplexity():
    found = perplexity([0.0, np.log(257.0), 5000.0])
    assert found[:2] == pytest.approx([1.0, 257.0])
    assert np.isnan(found[2])


def test_nothing_occupied_is_nan_and_no_warning(raster, nulls, weights):
    empty = Raster(np.zeros_like(raster.counts), raster.conditions, raster.seq_id)
    samples = {
        null_id: NullSample.of(
            null_branching(counts, empty.seq_id, null_id, seed=1, condition_key=b"", replicates=range(5))
            for counts in empty.counts
        )
        for null_id in RASTER_NULLS
    }
    rows = t02_rows(carried_over(empty, samples, NLL, weights))
    assert rows["b_tot"].isna().all()
    assert rows["ppl"].notna().all()
