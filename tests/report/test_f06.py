"""F06 and the words of S06B: what is drawn is what the table holds, also where g* = 1."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report.drawn import all_axes, bars, draw, legend_words, words_in
from report.frames import KINDS, RATES, filled, gstar, sparse, with_interval
from report.test_figures_pages import TALLEST_PAGE, words

from critnb.canon import GCondition, SliceRole, SpikeDef
from critnb.criticality.carried import MEASURES
from critnb.report.figures import generalization
from critnb.report.schema import T02
from critnb.report.style import PAGE_WIDTH, Drawing
from critnb.report.words import interval_words, p_words
from critnb.stages.s06b_generalize.tables import IDENTICAL, PAIRED, REFERENCE
from critnb.stages.s06b_generalize.views import branching_table, difference_table, findings, rate_table

ONE, TWO = SpikeDef
ENDS = ("", "_ci_low", "_ci_high")
GSTAR = gstar()
IS_ONE = [GSTAR[ONE, rate] == 1.0 for rate in RATES]


def t02(chosen: dict[tuple[SpikeDef, float], float] = GSTAR) -> pd.DataFrame:
    """g1 and g* of two definitions and four rates, where g* is 1 for some."""
    rng = np.random.default_rng(11)
    rows = pd.DataFrame(
        [
            (kind, rate, c, gain if c is GCondition.gstar else 1.0)
            for (kind, rate), gain in chosen.items()
            for c in GCondition
        ],
        columns=["spike_def_id", "target_rate", "g_condition", "g"],
    )
    rows["target_rate"] = rows["target_rate"].astype(float)
    base = (rows["target_rate"] / 1e-5) ** 0.6
    rows["opt_b_tot_perm"] = 0.1 * base
    rows["delta_b_tot"] = 0.1 + 0.05 * (rows["g"] - 1)
    rows["b_tot"] = rows["opt_b_tot_perm"] + rows["delta_b_tot"]
    rows["nll_mean"] = 3 + (rows["g"] - 1) ** 2
    rows["ppl"] = np.exp(rows["nll_mean"])
    rows["chi"] = 5.0 + rows["g"]
    rows["opt_occupancy"], rows["opt_achieved_rate_mean"] = 0.05 * base, 1.5 * rows["target_rate"]
    for name in MEASURES:
        with_interval(rows, name, 0.02, rng, prefix="opt_")
        difference = rows[name] - rows[name].where(rows["g_condition"] == GCondition.g1).ffill()
        rows[f"opt_{name}_vs_g1"] = difference.where(rows["g_condition"] == GCondition.gstar)
        width = np.where(rows["g"] == 1.0, 0.0, 0.005)
        with_interval(rows, f"opt_{name}_vs_g1", width, rng)
    rows["opt_vs_g1"] = np.select(
        [rows["g_condition"] == GCondition.g1, rows["g"] == 1.0], [REFERENCE, IDENTICAL], default=PAIRED
    )
    return filled(T02, rows)


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return generalization(t02())


def points(axes: Any, marker: str, *, filled_in: bool = True) -> np.ndarray:
    """The y-data of all points of a marker, filled or open."""
    found = [
        line.get_ydata()
        for line in axes.lines
        if line.get_marker() == marker and (line.get_markerfacecolor() != "white") == filled_in
    ]
    return np.sort(np.concatenate([np.ravel(y) for y in found])) if found else np.array([])


def values(kind: SpikeDef, name: str, *, same: bool, g_condition: GCondition) -> np.ndarray:
    table = t02()
    rows = table[(table["spike_def_id"] == kind) & (table["g_condition"] == g_condition)].sort_values("target_rate")
    is_one = np.array([GSTAR[kind, rate] == 1.0 for rate in rows["target_rate"]])
    return np.sort(rows[name].to_numpy()[is_one == same])


def panel(drawing: Drawing, row: int, column: int) -> Any:
    return all_axes(drawing)[3 * row + column]


@pytest.mark.parametrize(
    ("kind", "column", "name"), [(k, c, n) for k, (c, n) in product(KINDS, enumerate(("b_tot", "delta_b_tot", "ppl")))]
)
def test_values_and_differences_are_the_table_s(drawing, kind, column, name):
    row = 2 * KINDS.index(kind)
    upper, lower = panel(drawing, row, column), panel(drawing, row + 1, column)
    assert np.array_equal(points(upper, "o"), values(kind, name, same=False, g_condition=GCondition.g1))
    assert np.array_equal(points(upper, "D"), values(kind, name, same=False, g_condition=GCondition.gstar))
    assert np.array_equal(points(upper, "s"), values(kind, name, same=True, g_condition=GCondition.gstar))
    differences = f"opt_{name}_vs_g1"
    assert np.array_equal(points(lower, "D"), values(kind, differences, same=False, g_condition=GCondition.gstar))
    ends = np.sort(np.concatenate(bars(lower)).ravel())
    low, high = (
        values(kind, f"{differences}_ci_{end}", same=False, g_condition=GCondition.gstar) for end in ("low", "high")
    )
    assert np.array_equal(ends, np.sort(np.concatenate([low, high])))


def test_a_gstar_of_one_is_one_point_and_a_zero_without_a_bar(drawing):
    assert sum(IS_ONE) == 1
    lower = panel(drawing, 1, 0)
    assert points(lower, "s") == [0.0]
    assert len(np.concatenate(bars(lower))) == len(RATES) - 1
    assert "g* = 1: one condition" in legend_words(drawing)
    moved = generalization(t02(dict.fromkeys(GSTAR, 1.1)))
    assert "g* = 1: one condition" not in legend_words(moved)
    draw(generalization(t02(dict.fromkeys(GSTAR, 1.0))))


def test_the_null_is_drawn_open_beside_b_tot_alone(drawing):
    null = np.concatenate([points(panel(drawing, 0, 0), marker, filled_in=False) for marker in "oDs"])
    table = t02()
    rows = table[table["spike_def_id"] == ONE]
    assert set(null) == set(rows["opt_b_tot_perm"])
    for column in (1, 2):
        assert not any(len(points(panel(drawing, 0, column), marker, filled_in=False)) for marker in "oDs")


def test_gains_stand_under_the_rates(drawing):
    for row, kind in ((1, ONE), (3, TWO)):
        labels = [label.get_text().splitlines()[-1] for label in panel(drawing, row, 0).get_xticklabels()]
        assert labels == [f"{GSTAR[kind, rate]:g}" for rate in RATES]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_no_words_leave_the_page_or_run_into_others(share):
    drawing = generalization(sparse(t02(), share))
    boxes, page = words(drawing), drawing.figure.bbox
    assert len(boxes) > 5
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1  # noqa: PT018
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


def test_a_page_holds_it_and_its_caption_tells_of_null_and_slice(drawing):
    width, height = drawing.figure.get_size_inches()
    assert width == PAGE_WIDTH
    assert height <= TALLEST_PAGE
    assert "null" in drawing.caption
    assert str(SliceRole.B_eval) in drawing.caption
    assert drawing.scope.data_role is SliceRole.B_eval


def test_a_table_without_numbers_says_so():
    rows = t02()
    numbers = [n for n in rows.columns if rows[n].dtype == np.float64 and n not in ("target_rate", "g")]
    empty = generalization(rows.assign(**dict.fromkeys(numbers, np.nan)))
    draw(empty)
    assert all("no value in the table" in words_in(axes) for axes in all_axes(empty))


def test_the_notebook_s_tables_say_what_t02_holds():
    table = t02()
    differences = difference_table(table)
    assert len(differences) == len(GSTAR)
    first = table[table["g_condition"] == GCondition.gstar].iloc[0]
    expected = interval_words(*(first[f"opt_b_tot_vs_g1{end}"] for end in ENDS), 4)
    assert differences["b_tot"].iloc[0] == expected
    assert (differences["the difference is"] == IDENTICAL).sum() == sum(gain == 1.0 for gain in GSTAR.values())
    assert rate_table(table)["B / target"].to_numpy() == pytest.approx(1.5)
    assert branching_table(table)["Δ shift"].eq("–").all()


def test_the_findings_count_from_the_table():
    table = t02()
    moved = table[(table["g_condition"] == GCondition.gstar) & (table["g"] != 1.0)]
    said = findings(table)
    assert f"g* differs from 1 for {len(moved)} of {len(GSTAR)}" in said
    for name, word in (("b_tot", "b_tot"), ("delta_b_tot", "Δ"), ("nll_mean", "the negative log-likelihood")):
        higher, lower = (moved[f"opt_{name}_vs_g1_ci_low"] > 0).sum(), (moved[f"opt_{name}_vs_g1_ci_high"] < 0).sum()
        assert f"{word} is higher at g* in {higher} and lower in {lower}" in said
    assert (moved["opt_b_tot_vs_g1_ci_low"] > 0).any()
    assert (moved["opt_b_tot_vs_g1_ci_high"] < 0).any()
    assert "nothing to compare" in findings(t02(dict.fromkeys(GSTAR, 1.0)))


@pytest.mark.parametrize(
    ("p", "words_of"),
    [(0.0049751, "0.005"), (1 / 2000, "0.0005"), (9e-5, "< 0.0001"), (float("nan"), "–"), (1.0, "1.000")],
)
def test_p_values_in_words(p, words_of):
    assert p_words(p) == words_of
