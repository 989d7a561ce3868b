from dataclasses import replace

import numpy as np
import pytest

from critnb.canon import Adjacency, GCondition, Intervention, NullId, SpikeDef
from critnb.criticality import NullSample, branching_sums, condition_metrics, null_branching, summarise
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.shuffled_input import shuffled_input
from critnb.criticality.synthetic import bernoulli, one_condition_raster
from critnb.lattice import PRIMARY, RASTER_NULLS, ConditionTable, concatenate, null_raster
from critnb.stages.s05_analysis.tables import ablation_rows, summary_frame

GSTAR = 1.2
N = 24
KEY = (SpikeDef.SPIKE_ONE_SIDED_POS, 1e-5)
OTHERS = (Intervention.ATTN_GLOBAL, Intervention.MLP_BAND_LATE)


def condition(p, seed, **fields):
    one = one_condition_raster(bernoulli(p, (N, 5, 30), seed=seed).astype(np.uint16))
    return replace(one, conditions=ConditionTable([replace(one.conditions[0], **fields)]))


@pytest.fixture(scope="module")
def raster():
    grid = [condition(0.2 + 0.1 * g, i, gain=g) for i, g in enumerate((0.8, 1.0, GSTAR))]
    others = [condition(0.3, 10 + i, gain=GSTAR, intervention_id=one) for i, one in enumerate(OTHERS)]
    return concatenate([*grid, *others])


@pytest.fixture(scope="module")
def summary(raster):
    samples = {
        null_id: NullSample.of(
            null_branching(counts, raster.seq_id, null_id, seed=1, condition_key=c.key(), replicates=range(20))
            for counts, c in zip(raster.counts, raster.conditions, strict=True)
        )
        for null_id in RASTER_NULLS
    }
    permuted = null_raster(raster, PRIMARY, seed=1)
    return summarise(raster, samples, permuted=permuted, adjacency=Adjacency.ADJ_4N, replicates=100, seed=1337)


@pytest.fixture(scope="module")
def rows(summary, raster):
    rate = raster.conditions[0].target_rate
    return ablation_rows(summary_frame(summary), summary.activity, {(KEY[0], rate): GSTAR})


def test_baseline_once_and_gstar_under_every_intervention(rows):
    assert list(zip(rows["g_condition"], rows["intervention_id"], rows["g"], strict=True)) == [
        (str(GCondition.g1), str(Intervention.MLP_GLOBAL), 1.0),
        (str(GCondition.gstar), str(Intervention.MLP_GLOBAL), GSTAR),
        *((str(GCondition.gstar), str(one), GSTAR) for one in OTHERS),
    ]


def test_numbers_are_those_of_the_conditions(rows, raster):
    for row, cond_id in zip(rows.itertuples(), (1, 2, 3, 4), strict=True):
        assert row.b_tot == pytest.approx(float(branching_sums(raster.counts[cond_id]).pooled().b_tot))


def test_differences_from_the_baseline_are_paired_on_sequences(rows, summary, raster):
    first = rows.iloc[0]
    assert first["opt_delta_b_tot_vs_g1"] == first["opt_delta_b_tot_vs_g1_ci_low"] == 0
    weights = multinomial_weights(N, 100, 1337)
    b_tot = [branching_sums(counts).weighted(weights).b_tot for counts in raster.counts]
    last = rows.iloc[-1]
    replicates = summary.activity.resampled["delta_b_tot"]
    unpaired = np.percentile(replicates[:, 4], 97.5) - np.percentile(replicates[:, 1], 2.5)
    assert last["opt_delta_b_tot_vs_g1_ci_high"] < unpaired
    # the null's term moves little: the interval is near that of the paired difference of b_tot itself
    width = last["opt_delta_b_tot_vs_g1_ci_high"] - last["opt_delta_b_tot_vs_g1_ci_low"]
    assert width == pytest.approx(np.subtract(*np.percentile(b_tot[4] - b_tot[1], [97.5, 2.5])), rel=0.3)


def test_a_replicate_of_delta_is_that_of_repeated_sequences(summary, raster):
    weights = multinomial_weights(N, 100, 1337)
    counts = raster.counts[2]
    null = null_branching(
        counts, raster.seq_id, PRIMARY, seed=1, condition_key=raster.conditions[2].key(), replicates=range(20)
    ).mean(axis=0)
    repeated = np.repeat(np.arange(N), weights[3])
    expected = branching_sums(counts[repeated]).pooled().b_tot - null[repeated].pooled().b_tot
    assert summary.activity.resampled["delta_b_tot"][3, 2] == pytest.approx(float(expected), abs=1e-12)


def test_token_shuffle_stands_at_its_conditions_and_nowhere_else(raster):
    shuffled = raster.take([1, 2])
    marked = replace(
        shuffled,
        conditions=ConditionTable(c.with_null(NullId.NULL_TOKEN_SHUFFLE_INPUT) for c in shuffled.conditions),
        counts=np.ascontiguousarray(shuffled.counts[:, :, :, ::-1]),
    )
    nulls = concatenate([null_raster(shuffled, PRIMARY, seed=1), marked])
    found = shuffled_input(raster, nulls)
    metrics = condition_metrics(marked)
    for name in ("b_tot", "chi", "occupancy"):
        np.testing.assert_array_equal(getattr(found, name), [np.nan, *metrics[name], np.nan, np.nan])
    # independent sites exceed the expectation of their own permutation by nothing but chance
    assert abs(found.excess[1]) < 0.06
