"""The table and figures of S00: every row right, no row right by accident, and what the figures draw."""

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from critnb.canon import Adjacency, Stage
from critnb.criticality import branching
from critnb.criticality.sizes.crackling import crackling
from critnb.criticality.sizes.scaling import CriticalReference
from critnb.criticality.tails import fit_tail, scan_xmin
from critnb.report.figures.known_answers import cluster_numbers, critical_branching, subsampling
from critnb.report.provenance import Provenance
from critnb.report.style import render, styled
from critnb.runs.decoding import npz_arrays
from critnb.runs.encoding import npz_bytes, parquet_bytes
from critnb.stages.s00_validate.known_answers import from_arrays, known_answers, sizes, table, to_arrays

PROVENANCE = Provenance(
    run_id="RUN_S00_test", stage_id=Stage.S00, model_id="none", config_hash="0" * 64, code_version="0"
)


@pytest.fixture(scope="module")
def answers():
    return known_answers()


def test_every_row_is_right(answers):
    table = answers.table
    assert list(table.columns) == ["input", "estimator", "found", "known answer", "tolerance", "passed"]
    assert table["passed"].all(), table[~table["passed"]]
    assert np.isfinite(table[["found", "known answer", "tolerance"]].to_numpy()).all()
    assert not table.duplicated(["input", "estimator"]).any()


@pytest.mark.parametrize(
    ("estimator", "known"),
    [
        ("clusters of 4 per site, 4 neighbours", 0.2**4 * (9 * 0.8**8 + 8 * 0.8**9 + 2 * 0.8**10)),
        ("clusters of 3 per site, 8 neighbours", 0.2**3 * (6 * 0.8**12 + 8 * 0.8**14 + 4 * 0.8**15 + 2 * 0.8**16)),
        ("P(S = 3)", 0.0746806),
        ("P(D = 4)", 0.0620026),
        ("E[S | D = 10]", 24.40246),
        ("exponent of S on 1 to 1000", 1.4823),
        ("alpha from survival of 16 to 64", 1.159464),
        ("gamma at durations of 3 to 12 (far out: 2)", 1.586437),
        ("gamma at durations of 3 to 10 (far out: 1.47)", 1.363273),
        ("exponent on 1 to 100", 1.5),
        ("median xmin of the scan", 10),
        ("share with p ≤ 0.1", 1),
        ("share with z beyond 2 for the lognormal", 1),
        ("share with dcc inside the reference's 95%", 0.95),
        ("slope r2", 0.298893),
        ("share with p ≤ 0.05, permutation", 0.05),
    ],
)
def test_the_table_asks_for_the_literature_s_numbers(answers, estimator, known):
    row = answers.table[answers.table["estimator"] == estimator].iloc[0]
    assert row["known answer"] == pytest.approx(known, rel=1e-5)


def test_persistent_rows_have_the_branching_of_their_chain(answers):
    rows = answers.table[answers.table["input"].str.startswith("persistent rows")].set_index("estimator")
    assert rows.loc["b_time", "known answer"] == pytest.approx(0.2 + 0.3 * 0.8)
    assert rows.loc["b_depth", "known answer"] == 0.2
    # what follows an occupied site is drawn anew: a share of 24 000, whose error the resampled windows must find
    assert rows.loc["b_time", "tolerance"] / 4 == pytest.approx(np.sqrt(0.44 * 0.56 / (0.2 * 1000 * 8 * 15)), rel=0.15)


def test_every_kind_of_estimator_has_a_row(answers):
    said = " ".join(answers.table["estimator"] + " of " + answers.table["input"])
    kinds = (
        "b_time",
        "avalanches",
        "Δb_tot",
        "clusters",
        "exponent",
        "xmin",
        "p-value",
        "z beyond",
        "gamma",
        "dcc",
        "m of",
    )
    assert [kind for kind in kinds if kind not in said] == []


def test_tolerances_could_fail_a_wrong_estimator(answers):
    """Each is small beside its answer: a tenth off would be seen, but where the answer is zero or a rate of rare events."""
    table = answers.table
    rough = table["estimator"].str.startswith(
        (
            "share",
            "mean Δ",
            "mean gamma less",
            "mean p-value",
            "median",
            "clusters of 4",
            "clusters of 3",
            "P(D = 1)",
            "P(S = 2)",
        )
    )
    sharp = table[~rough & (table["input"] != "independent sites, p = 0.05")]
    assert (sharp["tolerance"] <= 0.1 * sharp["known answer"]).all()


def test_a_wrong_estimator_is_seen(answers, monkeypatch):
    def from_both_ends(occupancy):
        sums = branching.branching_sums(occupancy)
        all_sites = branching.branching_sums(np.concatenate([occupancy, occupancy[..., -1:] * 0], axis=-1)).time_sites
        return branching.BranchingSums(sums.time_pairs, all_sites, sums.depth_pairs, sums.depth_sites)

    monkeypatch.setattr(table, "branching_sums", from_both_ends)  # counts sites without a successor
    wrong = table._table([*table._toy_raster(), *table._independent_sites()])
    assert not wrong[wrong["estimator"] == "b_time"]["passed"].all()
    assert wrong[wrong["estimator"] == "b_depth"]["passed"].all()


def _unbounded(sample, *, xmin, xmax):
    return fit_tail(sample, xmin=xmin, xmax=None)


def _from_the_first(sample, *, xmax, min_tail=100):
    return scan_xmin(sample, xmax=xmax, min_tail=sample.n)


def _bare_values(*_, **__):
    return CriticalReference(1.5, 2.0, 2.0, 0.0, 0.0, 0.05)


@pytest.mark.parametrize(
    ("name", "wrong", "rows", "seen"),
    [
        ("fit_tail", _unbounded, sizes._power_law_rows, 1),
        ("scan_xmin", _from_the_first, sizes._scan_rows, 3),
        ("ks_p_value", lambda *_, **__: 1.0, sizes._p_value_rows, 2),
        ("fit_tail", lambda sample, *, xmin, xmax: fit_tail(sample, xmin=200, xmax=xmax, min_tail=2), None, 3),
        ("reference", _bare_values, sizes._reference_rows, 2),
    ],
    ids=["no upper end", "no scan", "p of one", "a far tail", "the bare values as reference"],
)
def test_a_wrong_estimator_of_sizes_is_seen(monkeypatch, name, wrong, rows, seen):
    rows = sizes._likelihood_ratio_rows if rows is None else rows
    monkeypatch.setattr(sizes, name, wrong)
    assert (~table._table(rows())["passed"]).sum() == seen


def test_a_wrong_range_of_durations_is_seen(answers, monkeypatch):
    def from_two_on(sample, weights):
        return crackling(dataclasses.replace(sample, duration=sample.duration + 1), weights)

    monkeypatch.setattr(sizes, "crackling", from_two_on)
    (row,) = table._table([sizes._crackling("", "", answers.runs, longest=12, gamma=1.586437)]).itertuples()
    assert not row.passed


def axes_of(drawing):
    with styled():
        FigureCanvasAgg(drawing.figure).draw()
    return [axes for part in drawing.figure.subfigs for axes in part.axes]


def points(axes):
    return [line.get_ydata() for line in axes.lines if line.get_linestyle() == "None"]


def test_k01_draws_what_was_found_over_the_exact_lines(answers):
    clusters = answers.clusters
    for axes, adjacency in zip(axes_of(cluster_numbers(clusters)), Adjacency, strict=True):
        rows = clusters[clusters["adjacency"] == adjacency]
        found = [group["found"].to_numpy() for _, group in rows.groupby("size")]
        assert len(found) == {Adjacency.ADJ_4N: 4, Adjacency.ADJ_8N: 3}[adjacency]
        for drawn, expected in zip(points(axes), found, strict=True):
            np.testing.assert_array_equal(drawn, expected[expected > 0])
        lines = [line for line in axes.lines if line.get_linestyle() == "-"]
        # p q^4 and p q^8 at p = 0.05, the first density
        q = 0.95 ** (4 if adjacency is Adjacency.ADJ_4N else 8)
        assert lines[0].get_ydata()[0] == pytest.approx(0.05 * q, rel=1e-9)


def test_k02_draws_the_runs(answers):
    sizes, durations, means = axes_of(critical_branching(answers.runs))
    assert points(sizes)[0][0] == np.mean(answers.runs.sizes == 1)
    assert points(durations)[0][4] == np.mean(answers.runs.durations == 5)
    assert points(means)[0][2] == answers.runs.sizes[answers.runs.durations == 3].mean()


def test_k03_draws_slopes_and_parameters(answers):
    slopes, parameters = axes_of(subsampling(answers.subsampled, m=0.9))
    for drawn, p in zip(points(slopes), (0.1, 1.0), strict=True):
        np.testing.assert_array_equal(drawn, answers.subsampled[0.9, p][0].r[:40])
    naive, found = points(parameters)[:2]
    fits = [answers.subsampled[m, 0.1][0] for m in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)]
    np.testing.assert_array_equal(naive, [fit.r1 for fit in fits])
    np.testing.assert_array_equal(found, [fit.m for fit in fits])
    assert np.all(naive < found - 0.2)


def test_a_figure_has_the_same_bytes_twice(answers):
    first, second = (render(cluster_numbers(answers.clusters), "fig", PROVENANCE) for _ in range(2))
    assert (first.png, first.pdf) == (second.png, second.pdf)


def test_what_runs_share_is_value_for_value_what_was_computed(answers):
    again = from_arrays(npz_arrays(npz_bytes(to_arrays(answers))))
    assert parquet_bytes(again.table) == parquet_bytes(answers.table)
    assert parquet_bytes(again.clusters) == parquet_bytes(answers.clusters)
    assert all(np.array_equal(*pair) for pair in zip(again.runs, answers.runs, strict=True))
    assert again.subsampled.keys() == answers.subsampled.keys()
    for key, (fit, errors) in answers.subsampled.items():
        for one, other in zip(dataclasses.astuple(fit), dataclasses.astuple(again.subsampled[key][0]), strict=True):
            assert type(one) in (type(other), np.float64, np.bool_)
            np.testing.assert_array_equal(one, other)
        assert np.array_equal(errors, again.subsampled[key][1])
