"""The table and figures of S00: every row right, no row right by accident, and what the figures draw."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from critnb.canon import Adjacency, Stage
from critnb.criticality import branching
from critnb.report.figures.known_answers import cluster_numbers, critical_branching, subsampling
from critnb.report.provenance import Provenance
from critnb.report.style import render, styled
from critnb.steps import known_answers as steps

PROVENANCE = Provenance(
    run_id="RUN_S00_test", stage_id=Stage.S00, model_id="none", config_hash="0" * 64, code_version="0"
)


@pytest.fixture(scope="module")
def answers():
    return steps.known_answers()


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
        ("slope r2", 0.298893),
        ("share with p ≤ 0.05, permutation", 0.05),
    ],
)
def test_the_table_asks_for_the_literature_s_numbers(answers, estimator, known):
    row = answers.table[answers.table["estimator"] == estimator].iloc[0]
    assert row["known answer"] == pytest.approx(known, rel=1e-5)


def test_tolerances_could_fail_a_wrong_estimator(answers):
    """Each is small beside its answer: a tenth off would be seen, but where the answer is zero or a rate of rare events."""
    table = answers.table
    rough = table["estimator"].str.startswith(
        ("share", "mean Δ", "clusters of 4", "clusters of 3", "P(D = 1)", "P(S = 2)")
    )
    sharp = table[~rough & (table["input"] != "independent sites, p = 0.05")]
    assert (sharp["tolerance"] <= 0.1 * sharp["known answer"]).all()


def test_a_wrong_estimator_is_seen(answers, monkeypatch):
    def from_both_ends(occupancy):
        sums = branching.branching_sums(occupancy)
        all_sites = branching.branching_sums(np.concatenate([occupancy, occupancy[..., -1:] * 0], axis=-1)).time_sites
        return branching.BranchingSums(sums.time_pairs, all_sites, sums.depth_pairs, sums.depth_sites)

    monkeypatch.setattr(steps, "branching_sums", from_both_ends)  # counts sites without a successor
    wrong = steps._table([*steps._toy_raster(), *steps._independent_sites()])
    assert not wrong[wrong["estimator"] == "b_time"]["passed"].all()
    assert wrong[wrong["estimator"] == "b_depth"]["passed"].all()


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
