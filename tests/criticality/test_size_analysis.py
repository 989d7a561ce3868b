"""One condition from counts to table rows: what a reviewer would recompute by hand, and that poor rasters say why."""

import math

import numpy as np
import pytest

from critnb.canon import Adjacency, NullId, SizeDef
from critnb.criticality import AvalancheSample, exponents, find_avalanches, multinomial_weights
from critnb.criticality.multistep import along_tokens, multistep
from critnb.criticality.sizes.analysis import PERMUTED, REAL, Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.sample import Lattice
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.synthetic import bernoulli, one_condition_raster, persistent_rows
from critnb.criticality.tails import Histogram, fit_tail
from critnb.report.schema import T01, T04, T05, T09
from critnb.stages.s05_analysis.size_columns import reasons, t01_columns, t04_columns, t05_columns, t09_rows

ADJ = Adjacency.ADJ_4N


def analyse(counts, *, p_replicates=20):
    n, layers, tokens = counts.shape
    lattice = Lattice(layers, tokens, 50)
    settings = Settings(
        lattice, ADJ, multinomial_weights(n, 60, 1), critical_pool(lattice, cascades=5_000, seed=1),
        p_replicates=p_replicates, reference_replicates=20,
    )  # fmt: skip
    return analyse_sizes(SizeShard(one_condition_raster(counts), margins=False), settings)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(1)
    rows = persistent_rows(0.35, 0.4, (120, 12, 80), seed=2)
    return (rows * rng.integers(1, 4, rows.shape)).astype(np.uint16)


@pytest.fixture(scope="module")
def found(counts):
    return analyse(counts)


def test_rows_fit_the_schemas(found):
    given = (
        (T01, t01_columns(found, ADJ)),
        (T04, t04_columns(found)),
        (T05, t05_columns(found, ADJ)),
        *((T09, row) for row in t09_rows(found)),
    )
    for schema, row in given:
        assert set(row) <= set(schema.by_name), schema.name
    required = {*T04.required, *T05.required, *T09.required} & {*t04_columns(found), *t05_columns(found, ADJ)}
    assert {"xmin", "alpha_powerlaw", "crackling_gamma", "pass"} <= required


def test_both_size_definitions_have_the_exponents_that_each_has_alone(counts, found):
    ids, weights = np.arange(120, dtype=np.int32), multinomial_weights(120, 60, 1)
    for size_def in SizeDef:
        sample = AvalancheSample.of(find_avalanches(counts, ids, ADJ), ids, size_def)
        alone = exponents(sample, weights, lattice=Lattice(12, 80, 50), size_def=size_def)
        together = found.exponents[REAL, ADJ, size_def]
        assert together.duration_scan == alone.duration_scan
        assert np.array_equal(together.alpha_D.replicates, alone.alpha_D.replicates)
        assert np.array_equal(together.dcc.replicates, alone.dcc.replicates, equal_nan=True)


def test_every_combination_is_there(found):
    assert {(row["null_id"], row["adjacency"], row["size_def"]) for row in t09_rows(found)} == {
        (str(null_id), str(adjacency), str(size_def))
        for null_id in (NullId.NULL_NONE, NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM)
        for adjacency in Adjacency
        for size_def in SizeDef
    }


def test_fits_are_of_all_avalanches_above_the_quantile(counts, found):
    sizes = find_avalanches(counts, np.arange(120, dtype=np.int32), ADJ).size
    xmin = int(np.quantile(sizes, 0.8, method="higher"))
    row = t04_columns(found)
    assert row["xmin"] == xmin
    assert row["n_tail"] == int((sizes >= xmin).sum())
    alone = fit_tail(Histogram.of(sizes), xmin=xmin, xmax=12 * 80 * 50)
    assert row["alpha_powerlaw"] == alone.alpha_powerlaw
    assert row["opt_z_powerlaw_vs_lognormal"] == alone.z_powerlaw_vs_lognormal
    assert row["opt_D_xmax"] == 80


def test_summary_columns_are_the_default_adjacency_and_events(found):
    row = t01_columns(found, ADJ)
    main = found.exponents[REAL, ADJ, SizeDef.SIZE_EVENTS]
    null = found.exponents[PERMUTED, ADJ, SizeDef.SIZE_EVENTS]
    assert row["opt_tau_S"] == main.tau_S.value
    assert row["opt_tau_S_perm"] == pytest.approx(null.tau_S.value, nan_ok=False)
    assert row["crackling_gamma"] == main.crackling.gamma
    assert (row["opt_crackling_gamma_perm_ci_low"], row["opt_gamma_uncensored"]) == (
        null.crackling.ci_low,
        main.gamma.gamma,
    )


def test_persistent_rows_differ_from_their_null(found):
    real, null = found.exponents[REAL, ADJ, SizeDef.SIZE_EVENTS], found.exponents[PERMUTED, ADJ, SizeDef.SIZE_EVENTS]
    assert real.n_avalanches < null.n_avalanches
    assert found.tokens[REAL].m == pytest.approx(0.4, abs=0.1)


def test_multistep_is_that_of_the_counts(counts, found):
    alone = multistep(along_tokens(counts), weights=multinomial_weights(120, 60, 1))
    assert found.tokens[REAL].m == alone.m
    assert found.tokens[REAL].m_ci_low == alone.m_ci_low


POOR = {
    "nothing at all": np.zeros((6, 5, 20)),
    "one avalanche": np.pad(np.ones((1, 1, 1)), ((2, 3), (2, 2), (9, 10))),
    "all sizes equal": np.tile([[0] * 20, [0, 1] * 10, [0] * 20], (6, 1, 1)),
    "fewer than a hundred": bernoulli(0.1, (2, 5, 20), seed=1),
    "one layer": bernoulli(0.3, (30, 1, 40), seed=1),
    "one token": bernoulli(0.3, (30, 8, 1), seed=1),
    "full": np.ones((6, 5, 20)),
    "some empty sequences": np.concatenate([np.zeros((3, 5, 20)), bernoulli(0.2, (3, 5, 20), seed=1)]),
    "one sequence": bernoulli(0.3, (1, 8, 60), seed=1),
}


@pytest.mark.parametrize("counts", POOR.values(), ids=POOR)
def test_poor_rasters_say_why_and_never_crash(counts):
    counts = np.asarray(counts).astype(np.uint16)
    found = analyse(counts, p_replicates=3)
    row = t04_columns(found)
    assert row["opt_available"] == (not row["opt_reason"])
    assert math.isnan(row["alpha_powerlaw"]) == (not row["opt_available"])
    assert math.isnan(row["opt_ks_alpha"]) == bool(row["opt_ks_reason"])
    assert math.isnan(row["xmin"]) == math.isnan(row["opt_D_xmin"]) == (not counts.any())
    if row["opt_available"]:
        assert math.isfinite(row["opt_alpha_powerlaw_ci_low"])
    crackling = t05_columns(found, ADJ)
    assert crackling["pass"] != bool(crackling["opt_reason"])
    assert math.isnan(crackling["opt_gamma_collapse"]) == bool(crackling["opt_reason_collapse"])
    assert math.isnan(crackling["opt_crackling_gamma_perm"]) <= bool(crackling["opt_reason_perm"])
    for each in found.exponents.values():
        missing = [each.tau_S.value, each.alpha_D.value, each.gamma.gamma]
        ends = [*each.tau_S.interval, *each.alpha_D.interval, each.gamma.ci_low]
        assert any(math.isnan(value) for value in (*missing, *ends)) <= bool(each.reason)
    why, summary = reasons(found, ADJ), t01_columns(found, ADJ)
    for suffix in ("", "_perm"):
        numbers = [value for name, value in summary.items() if name.endswith(suffix) and isinstance(value, float)]
        assert any(math.isnan(value) for value in numbers) <= bool(summary[f"opt_reason{suffix}"])
    assert math.isnan(t01_columns(found, ADJ)["opt_dcc"]) <= bool(why["opt_dcc"])
    assert (why["opt_m_time"], why["opt_m_depth"]) == (found.tokens[REAL].reason, found.depth[REAL].reason)
    for fitted in (*found.tokens.values(), *found.depth.values()):
        assert fitted.available == (not fitted.reason)
        assert math.isnan(fitted.m) == (not fitted.available)
