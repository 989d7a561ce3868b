from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from critnb.canon import Adjacency, NullId
from critnb.criticality import (
    NullSample,
    branching_sums,
    chi,
    condition_metrics,
    find_avalanches,
    multinomial_weights,
    null_branching,
    summarise,
)
from critnb.criticality.summary import avalanche_frames
from critnb.criticality.synthetic import bernoulli, one_condition_raster, persistent_rows, toy_raster
from critnb.errors import DataError
from critnb.lattice import RASTER_NULLS, concatenate, null_raster
from critnb.report.schema.nulls import secondary_columns
from critnb.stages.s05_analysis.tables import summary_frame

PERM, SHIFT = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
FIRST = ["cond_id", "model_role", "dataset_role", "spike_def_id", "target_rate", "gain", "intervention_id", "null_id"]


def at_gain(x, gain):
    one = one_condition_raster(x.astype(np.uint16))
    tokens = np.zeros((len(x), x.shape[-1]), dtype=np.int32)
    return replace(one, conditions=type(one.conditions)([replace(one.conditions[0], gain=gain)]), tokens=tokens)


def samples(raster, replicates=60):
    return {
        null_id: NullSample.of(
            null_branching(
                counts,
                raster.seq_id,
                null_id,
                seed=1,
                condition_key=c.key(),
                replicates=range(replicates),
                tokens=raster.tokens,
            )
            for counts, c in zip(raster.counts, raster.conditions, strict=True)
        )
        for null_id in RASTER_NULLS
    }


def summary(raster, **more):
    options = {"adjacency": Adjacency.ADJ_4N, "replicates": 200, "seed": 1337} | more
    return summarise(raster, samples(raster), permuted=null_raster(raster, PERM, seed=1), **options)


@pytest.fixture(scope="module")
def raster():
    """Condition 0 independent, 1 persistent in time, 2 empty."""
    shape = (30, 4, 60)
    noise, rows = bernoulli(0.3, shape, seed=1), persistent_rows(0.3, 0.5, shape, seed=2)
    return concatenate([at_gain(noise, 0.9), at_gain(rows, 1.0), at_gain(np.zeros(shape), 1.1)])


@pytest.fixture(scope="module")
def rows(raster):
    return summary_frame(summary(raster))


def test_metrics_of_the_toy_raster():
    row = condition_metrics(toy_raster()).iloc[0]
    assert list(row.index[:8]) == FIRST
    assert (row.occupancy, row.events, row.n_sequences, row.n_empty_sequences, row.chi) == (0.25, 3, 1, 0, 0)
    assert (row.b_time, row.b_depth, row.b_tot) == (1 / 3, 1 / 2, 1 / 3 + 1 / 2)


def test_metrics_count_events_not_sites(raster):
    doubled = replace(raster, counts=raster.counts * np.uint16(2))
    one, two = condition_metrics(raster), condition_metrics(doubled)
    assert (two.events == 2 * one.events).all()
    assert (two.occupancy == one.occupancy).all()
    assert one.n_empty_sequences.tolist() == [0, 0, 30]


def test_metrics_of_nothing_are_nan_or_zero(raster):
    empty = condition_metrics(raster).iloc[2]
    assert empty[["b_time", "b_depth", "b_tot"]].isna().all()
    assert (empty.occupancy, empty.events, empty.chi) == (0, 0, 0)


REQUIRED = {
    *("b_time", "b_depth", "b_tot", "b_time_perm", "b_depth_perm", "b_tot_perm"),
    *("delta_b_time", "delta_b_depth", "delta_b_tot", "chi", "n_sequences", "n_avalanches"),
    *("avalanche_size_mean", "avalanche_size_median", "avalanche_span_tokens_mean", "avalanche_span_layers_mean"),
}
OPTIONAL = {
    *("b_time_perm_sd", "b_depth_perm_sd", "b_tot_perm_sd"),
    *("delta_b_tot_z", "delta_b_tot_p", "b_tot_perm_expected"),
    *("b_tot_shift", "delta_b_tot_shift", "delta_b_tot_shift_z", "delta_b_tot_shift_p"),
    *("b_tot_adj8n", "occupancy", "n_empty_sequences", "n_avalanches_perm", "avalanche_size_mean_perm"),
    *("reason_branching", "chi_intensive"),
    *("b_diag", "b_anti", "delta_b_diag", "delta_b_anti"),
}
WITH_INTERVAL = {
    *("b_time", "b_depth", "b_tot", "delta_b_time", "delta_b_depth", "delta_b_tot", "chi", "chi_intensive"),
    *("b_diag", "b_anti", "delta_b_diag", "delta_b_anti", "delta_b_tot_shift"),
}


def test_columns_of_t01_are_there(rows):
    intervals = {f"{name}_ci_{end}" for name in WITH_INTERVAL for end in ("low", "high")}
    wanted = {*FIRST, *REQUIRED, *(f"opt_{name}" for name in OPTIONAL | intervals)}
    # what a further null would add is held in test_added_null
    further = {column.name for column in secondary_columns()} - wanted
    assert set(rows.columns) == wanted | further
    assert not any("perm" in name or "shift" in name for name in further)


def test_independent_sites_do_not_differ_from_their_nulls(rows):
    noise = rows.iloc[0]
    assert noise.b_time == pytest.approx(0.3, abs=0.05)
    assert abs(noise.opt_delta_b_tot_z) < 3
    assert noise.opt_delta_b_tot_ci_low < 0 < noise.opt_delta_b_tot_ci_high
    assert noise.opt_delta_b_tot_shift_ci_low < 0 < noise.opt_delta_b_tot_shift_ci_high


def test_persistence_differs_from_the_permutation_and_not_from_the_shift(rows):
    persistent = rows.iloc[1]
    # what the permutation keeps of rows of 60 sites: their density, which persistence spreads ((1+r)/(1-r) times)
    null = (0.7 * 1.5 / 0.5 + 60 * 0.3 - 1) / 59
    assert persistent.delta_b_time == pytest.approx(0.3 + 0.5 * 0.7 - null, abs=0.04)
    assert persistent.opt_delta_b_tot_p == 1 / 61
    assert persistent.opt_delta_b_tot_ci_low > 0.25
    assert persistent.opt_delta_b_tot_shift_ci_low < 0 < persistent.opt_delta_b_tot_shift_ci_high
    assert persistent.avalanche_size_mean > persistent.opt_avalanche_size_mean_perm


def test_closed_form_is_the_mean_of_the_null(rows):
    error = rows.opt_b_tot_perm_sd[:2] / np.sqrt(60)
    assert ((rows.b_tot_perm - rows.opt_b_tot_perm_expected)[:2].abs() < 4 * error).all()


@pytest.mark.parametrize("name", ["b_time", "b_depth", "b_tot"])
def test_the_null_columns_are_mean_and_spread_of_its_replicates(raster, rows, name):
    pooled = getattr(samples(raster)[PERM].pooled, name)
    np.testing.assert_allclose(rows[f"{name}_perm"], pooled.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(rows[f"opt_{name}_perm_sd"], pooled.std(axis=1, ddof=1), rtol=1e-12)


def test_deltas_and_means_fit_together(rows):
    for name in ("b_time", "b_depth", "b_tot"):
        np.testing.assert_allclose(rows[f"delta_{name}"], rows[name] - rows[f"{name}_perm"], rtol=1e-12)
    np.testing.assert_allclose(rows.b_tot_perm, rows.b_time_perm + rows.b_depth_perm, rtol=1e-12)


def test_intervals_are_those_of_resampled_sequences(raster, rows):
    weights = multinomial_weights(30, 200, seed=1337)
    picks = [np.repeat(np.arange(30), w) for w in weights]
    means = samples(raster)[PERM].sequence_means[1]
    b = [float(branching_sums(raster.counts[1, pick]).pooled().b_tot) for pick in picks]
    null = [float(means[pick].pooled().b_tot) for pick in picks]
    events = raster.counts[1].sum(axis=(1, 2), dtype=np.int64)
    expected = {
        "opt_b_tot": b,
        "opt_delta_b_tot": np.subtract(b, null),
        "opt_chi": [float(chi(events[pick])) for pick in picks],
    }
    for name, values in expected.items():
        ends = np.percentile(values, [2.5, 97.5])
        np.testing.assert_allclose(rows.loc[1, [f"{name}_ci_low", f"{name}_ci_high"]].to_numpy(float), ends, rtol=1e-9)


def test_an_empty_condition_is_a_row_of_nan(rows):
    empty = rows.iloc[2]
    assert empty[["b_tot", "delta_b_tot", "opt_delta_b_tot_p", "avalanche_size_mean", "opt_b_tot_ci_low"]].isna().all()
    assert (empty.n_avalanches, empty.n_sequences, empty.opt_n_empty_sequences) == (0, 30, 30)


def test_eight_neighbour_branching_adds_the_diagonal(raster, rows):
    np.testing.assert_allclose(rows.opt_b_tot_adj8n, rows.b_tot + rows.opt_b_diag)
    assert rows.opt_b_diag[0] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("adjacency", Adjacency)
def test_avalanches_are_those_of_every_condition(raster, adjacency):
    result = summary(raster, adjacency=adjacency)
    frames = [find_avalanches(c, raster.seq_id, adjacency).to_frame(i) for i, c in enumerate(raster.counts)]
    rows = pd.concat(avalanche_frames(raster, adjacency), ignore_index=True)
    pd.testing.assert_frame_equal(rows, pd.concat(frames, ignore_index=True))
    shown = summary_frame(result)
    assert shown.n_avalanches.tolist() == [len(frame) for frame in frames]
    assert shown.avalanche_size_median[0] == frames[0]["size"].median()
    assert shown.avalanche_span_layers_mean[1] == pytest.approx(frames[1].span_layers.mean())
    assert rows.columns[0] == "cond_id"


@pytest.mark.parametrize("shape", [(3, 1, 20), (3, 4, 1), (1, 3, 20), (1, 1, 1)])
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_degenerate_lattices_give_a_row_and_no_warning(shape, density):
    row = summary_frame(summary(at_gain(bernoulli(density, shape, seed=4), 1.0))).iloc[0]
    assert row.n_sequences == shape[0]
    assert np.isnan(row.b_tot) == (density == 0.0 or shape[1] == 1 or shape[2] == 1)


def test_a_full_raster_equals_its_null(raster):
    row = summary_frame(summary(replace(raster, counts=np.ones_like(raster.counts)))).iloc[0]
    assert (row.b_tot, row.delta_b_tot, row.opt_b_tot_perm_sd, row.opt_delta_b_tot_p) == (2, 0, 0, 1)
    assert np.isnan(row.opt_delta_b_tot_z)


def test_nulls_of_another_raster_are_an_error(raster):
    few, options = raster.take([0]), {"adjacency": Adjacency.ADJ_4N, "replicates": 20, "seed": 1}
    with pytest.raises(DataError, match="not of this raster"):
        summarise(few, samples(raster, 5), permuted=null_raster(few, PERM, seed=1), **options)
    with pytest.raises(DataError, match="permuted raster must hold"):
        summarise(few, samples(few, 5), permuted=null_raster(few, SHIFT, seed=1), **options)
    with pytest.raises(DataError, match="no sample of NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT"):
        summarise(few, {PERM: samples(few, 5)[PERM]}, permuted=null_raster(few, PERM, seed=1), **options)


def sites(n_sequences: int, *places: tuple[int, int]) -> np.ndarray:
    """Windows of 3 layers and 8 tokens, the (layer, token) places active in the first of them alone."""
    x = np.zeros((n_sequences, 3, 8))
    for layer, token in places:
        x[0, layer, token] = 1
    return x


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (persistent_rows(0.3, 0.5, (20, 3, 8), seed=2), ""),
        (sites(20), "there is no event in any window"),
        (sites(20, (2, 1), (2, 2)), "no active site has a next layer in the lattice, so that b_tot is not defined"),
        (sites(20, (0, 7), (1, 7)), "no active site has a next token in the lattice, so that b_tot is not defined"),
        (sites(20, (2, 7)), "no active site has a next layer or token in the lattice, so that b_tot is not defined"),
        # the one window with events is in about 64 % of the resamples
        (sites(20, (0, 1), (0, 2), (1, 2)), "in over a tenth of the resamples no active site has a successor"),
    ],
)
def test_branching_that_is_not_available_has_its_reason(x, reason):
    row = summary_frame(summary(at_gain(np.asarray(x), 1.0))).iloc[0]
    assert row["opt_reason_branching"].startswith(reason)
    lost = row[["b_tot", "delta_b_tot", "opt_delta_b_tot_ci_low", "opt_delta_b_tot_shift_ci_low"]].isna().any()
    assert bool(row["opt_reason_branching"]) == lost == bool(reason)


def test_one_window_has_numbers_without_intervals(raster):
    row = summary_frame(
        summary(
            replace(raster.take([1]), counts=raster.counts[1:2, :1], seq_id=raster.seq_id[:1], tokens=raster.tokens[:1])
        )
    ).iloc[0]
    assert row["opt_reason_branching"].startswith("one window: no interval; no comparison with the token-identity null")
    ends = [name for name in row.index if name.endswith(("_ci_low", "_ci_high"))]
    assert row[ends].isna().all()
    assert row[["b_tot", "delta_b_tot", "opt_delta_b_tot_margins", "opt_b_diag", "opt_delta_b_anti"]].notna().all()


def test_a_null_that_cannot_be_drawn_has_its_reason_and_takes_nothing_from_the_others(raster):
    known, unknown = (
        summary_frame(summary(each)) for each in (raster.take([1]), replace(raster.take([1]), tokens=None))
    )
    assert unknown["opt_delta_b_tot_tokens"].isna().all()
    assert "token ids of the windows" in unknown["opt_reason_branching"][0]
    others = [name for name in known if "tokens" not in name and name != "opt_reason_branching"]
    pd.testing.assert_frame_equal(unknown[others], known[others], check_exact=True)
