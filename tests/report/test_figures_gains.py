"""F08 to F11: figures over gains, target rates, nulls and interventions, read back from what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from report import frames
from report.drawn import all_axes, bars, crosses, draw, drawn_curves, full, legend_words, words_in

from critnb.canon import GCondition, Intervention, SpikeDef
from critnb.lattice import RASTER_NULLS
from critnb.report.figures import ablations, chi_curves, null_compare, spikedef_robust
from critnb.report.figures.panels import rate_label
from critnb.report.figures.rate_axes import spread
from critnb.report.schema.nulls import null_columns
from critnb.report.style import Drawing

ONE, TWO = SpikeDef
G1, GSTAR = GCondition
N_RATES = len(frames.RATES)


@pytest.fixture(scope="module")
def t01() -> pd.DataFrame:
    return frames.t01()


@pytest.fixture(scope="module")
def t06() -> pd.DataFrame:
    return frames.t06()


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    """T01 of one definition and two rates: enough where only words are looked at."""
    return frames.t01([ONE], frames.RATES[:2], (0.85, 1.0, 1.1))


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return full()


def rows_of(t01: pd.DataFrame, kind: SpikeDef, rate: float) -> pd.DataFrame:
    return t01[(t01["spike_def_id"] == kind) & (t01["target_rate"] == rate)].sort_values("g")


def interval(rows: pd.DataFrame, stem: str) -> np.ndarray:
    return rows[[f"{stem}_ci_low", f"{stem}_ci_high"]].to_numpy()


def ringed(axes: Any) -> list[float]:
    return [y for line in axes.lines if line.get_fillstyle() == "none" for y in line.get_ydata()]


def named(axes: Any, label: str) -> Any:
    return next(line for line in axes.lines if line.get_marker() == label)


@pytest.mark.parametrize(("row", "name"), [(0, "b_tot"), (1, "delta_b_tot")])
@pytest.mark.parametrize("place", range(N_RATES))
def test_f08_has_both_definitions_on_the_same_axes(drawings, t01, row, name, place) -> None:
    axes = all_axes(drawings["F08"])[row * N_RATES + place]
    both = [rows_of(t01, kind, frames.RATES[place]) for kind in SpikeDef]
    np.testing.assert_array_equal(drawn_curves(axes), [rows[name] for rows in both])
    np.testing.assert_array_equal(bars(axes), [interval(rows, f"opt_{name}") for rows in both])
    assert ringed(axes) == [rows.loc[rows["opt_is_gstar"], name].item() for rows in both]


def test_f08_shows_the_mean_of_the_null_beside_b_tot_and_zero_beside_its_excess(drawings, t01) -> None:
    upper, lower = (all_axes(drawings["F08"])[place] for place in (0, N_RATES))
    dashed = [line.get_ydata() for line in upper.lines if line.is_dashed() and len(line.get_ydata()) > 2]
    expected = [rows_of(t01, kind, frames.RATES[0])["b_tot_perm"] for kind in SpikeDef]
    np.testing.assert_array_equal(dashed, expected)
    assert [0.0, 0.0] in [list(line.get_ydata()) for line in lower.lines]


def test_the_definitions_do_not_look_like_rates(drawings) -> None:
    """A curve of a definition in the colour of a rate would be read as that rate's."""
    curves = [line for line in all_axes(drawings["F08"])[0].lines if line.get_marker() in (">", "d")]
    rates = [line for line in all_axes(drawings["F09"])[0].lines if line.get_linestyle() == "-"]
    looks = [{(line.get_color(), line.get_marker()) for line in lines} for lines in (curves, rates)]
    assert len(looks[0]) == 2
    assert looks[0].isdisjoint(looks[1])


@pytest.mark.parametrize("kind", SpikeDef)
@pytest.mark.parametrize("place", range(N_RATES))
def test_f09_draws_chi_with_its_intervals_and_marks_the_largest(drawings, t01, kind, place) -> None:
    rate = frames.RATES[place]
    rows = rows_of(t01, kind, rate)
    axes = all_axes(drawings["F09"])[list(SpikeDef).index(kind) * N_RATES + place]
    np.testing.assert_array_equal(drawn_curves(axes), [rows["chi"]])
    np.testing.assert_array_equal(bars(axes), [interval(rows, "opt_chi")])
    star = named(axes, "*")
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (rows.loc[rows["chi"].idxmax(), "g"], rows["chi"].max())
    assert ringed(axes) == [rows.loc[rows["opt_is_gstar"], "chi"].item()]


@pytest.mark.parametrize("kind", SpikeDef)
def test_f09_draws_the_intensive_form_below(drawings, t01, kind) -> None:
    rows = rows_of(t01, kind, frames.RATES[0])
    axes = all_axes(drawings["F09"])[(2 + list(SpikeDef).index(kind)) * N_RATES]
    np.testing.assert_array_equal(drawn_curves(axes), [rows["opt_chi_intensive"]])
    np.testing.assert_array_equal(bars(axes), [interval(rows, "opt_chi_intensive")])


def test_f09_shades_the_gains_near_gstar(drawings) -> None:
    axes = all_axes(drawings["F09"])[0]
    gstar = frames.gstar()[ONE, frames.RATES[0]]
    left, right = axes.patches[0].get_x(), axes.patches[0].get_x() + axes.patches[0].get_width()
    assert (left, right) == (pytest.approx(gstar - 0.2), pytest.approx(gstar + 0.2))


def test_f09_shows_chi_of_shuffled_tokens_at_two_gains(drawings, t01) -> None:
    axes, rows = all_axes(drawings["F09"])[0], rows_of(t01, ONE, frames.RATES[0])
    hollow = next(line for line in axes.lines if line.get_markerfacecolor() == "white")
    shown = rows["opt_chi_token_shuffle"]
    assert shown.notna().sum() == 2
    np.testing.assert_array_equal(hollow.get_ydata(), shown)


def test_f09_says_what_the_raster_nulls_keep(drawings) -> None:
    drawing = drawings["F09"]
    note = " ".join(text.get_text() for part in drawing.figure.subfigs for text in part.texts)
    assert "chi exactly" in drawing.caption
    assert "chi exactly" in " ".join(note.split())


def _curves(axes) -> list[np.ndarray]:
    """The y-data of F10's series, whatever their line style."""
    return [line.get_ydata() for line in axes.lines if line.get_linestyle() != "None" and line.get_marker() != "None"]


@pytest.mark.parametrize("kind", SpikeDef)
@pytest.mark.parametrize(("column", "marked"), [(0, "opt_is_g1"), (1, "opt_is_gstar")])
def test_f10_draws_the_diagonals_below(drawings, t01, kind, column, marked) -> None:
    axes = all_axes(drawings["F10"])[2 * len(SpikeDef) + 2 * list(SpikeDef).index(kind) + column]
    rows = t01[(t01["spike_def_id"] == kind) & t01[marked]].sort_values("target_rate")
    names = ("opt_delta_b_diag", "opt_delta_b_anti")
    np.testing.assert_array_equal(_curves(axes), [rows[name] for name in names])
    np.testing.assert_array_equal(bars(axes), [interval(rows, name) for name in names])


@pytest.mark.parametrize("kind", SpikeDef)
@pytest.mark.parametrize(("column", "marked"), [(0, "opt_is_g1"), (1, "opt_is_gstar")])
def test_f10_draws_the_excess_over_each_null(drawings, t01, kind, column, marked) -> None:
    axes = all_axes(drawings["F10"])[2 * list(SpikeDef).index(kind) + column]
    rows = t01[(t01["spike_def_id"] == kind) & t01[marked]].sort_values("target_rate")
    excesses = [null_columns(null_id).delta for null_id in RASTER_NULLS]
    names = (*excesses, "opt_delta_b_tot_token_shuffle")
    np.testing.assert_array_equal(_curves(axes), [rows[name] for name in names])
    *drawn, shuffled = bars(axes)
    for found, name in zip(drawn, excesses, strict=True):
        np.testing.assert_array_equal(found, interval(rows, f"opt_{name.removeprefix('opt_')}"))
    assert excesses[:2] == ["delta_b_tot", "opt_delta_b_tot_shift"]
    assert len(shuffled) == 0


def test_f10_places_the_series_at_their_rates(drawings) -> None:
    axes = all_axes(drawings["F10"])[0]
    assert axes.get_xscale() == "log"
    x = next(line.get_xdata() for line in axes.lines if line.get_marker() == "s")
    # the second of the series, which stand side by side
    n_series = len(RASTER_NULLS) + 1
    np.testing.assert_allclose(x, spread(np.array(frames.RATES), 1, n_series, width=0.08 * n_series))
    assert [label.get_text() for label in all_axes(drawings["F10"])[2].get_xticklabels()] == ["1", "2", "4", "8"]
    assert "10⁻⁵" in all_axes(drawings["F10"])[2].get_xlabel()


def test_f10_says_that_a_shift_leaves_depth_alone(drawings) -> None:
    drawing = drawings["F10"]
    assert any("depth only" in words for words in legend_words(drawing))
    assert "keeps b_time" in drawing.caption


def test_f10_without_shuffled_tokens_marks_them_as_not_available(t01) -> None:
    drawing = null_compare(t01.assign(opt_delta_b_tot_token_shuffle=np.nan))
    assert [crosses(axes) for axes in all_axes(drawing)] == [N_RATES] * 4 + [0] * 4
    assert "not available" in legend_words(drawing)


def points(axes: Any, place: int) -> list[float]:
    """The x of the points on one line of F11, by rate."""
    drawn = [(line.get_xdata(), line.get_ydata()) for line in axes.lines if line.get_marker() not in ("None", "", "x")]
    return [x for xs, ys in drawn for x, y in zip(xs, ys, strict=True) if abs(y - place) < 0.5]


@pytest.mark.parametrize("kind", SpikeDef)
@pytest.mark.parametrize(("column", "name"), [(0, "delta_b_tot"), (1, "opt_delta_b_tot_vs_g1"), (2, "chi")])
def test_f11_has_a_line_an_intervention(drawings, t06, kind, column, name) -> None:
    axes = all_axes(drawings["F11"])[3 * list(SpikeDef).index(kind) + column]
    lines = [(G1, Intervention.MLP_GLOBAL), *((GSTAR, intervention) for intervention in Intervention)]
    drawn = {tuple(end) for series in bars(axes) for end in series}
    for place, (g_condition, intervention) in enumerate(lines):
        rows = t06[(t06["spike_def_id"] == kind) & (t06["intervention_id"] == intervention)]
        rows = rows[rows["g_condition"] == g_condition].sort_values("target_rate").dropna(subset=name)
        assert points(axes, place) == rows[name].tolist()
        stem = name if name.startswith("opt_") else f"opt_{name}"
        assert {tuple(end) for end in interval(rows, stem)} <= drawn


def test_f11_names_its_lines_from_the_top(drawings) -> None:
    axes = all_axes(drawings["F11"])[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0].startswith("g1 = 1")
    assert names[2:4] == ["g* on all attention", "g* on MLPs, first third"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_f11_says_what_was_not_run_and_what_has_no_value(t06) -> None:
    at_attention = t06["intervention_id"] == Intervention.ATTN_GLOBAL
    partly = t06[t06["intervention_id"] != Intervention.MLP_BAND_MID].assign(chi=t06["chi"].mask(at_attention))
    panels = all_axes(ablations(partly))
    assert [words_in(axes).count("not available: not run") for axes in panels] == [1] * 6
    assert [words_in(axes).count("not available: no value") for axes in panels] == [0, 0, 1] * 2
    assert [words_in(axes).count("reference") for axes in panels] == [0, 1, 0] * 2


def test_f11_marks_one_missing_rate(t06) -> None:
    first = (t06["target_rate"] == frames.RATES[0]) & (t06["intervention_id"] == Intervention.ATTN_GLOBAL)
    drawing = ablations(t06.assign(chi=t06["chi"].mask(first)))
    assert [crosses(axes) for axes in all_axes(drawing)] == [0, 0, 1] * 2


@pytest.mark.parametrize(
    ("make", "reason"),
    [(spikedef_robust, "no eligible active sites"), (chi_curves, "no window has events"), (null_compare, "no null")],
)
def test_a_table_of_nothing_says_why(small, make, reason) -> None:
    empty = frames.sparse(small, 1.0)
    drawing = make(empty)
    draw(drawing)
    assert all("not available" in words_in(axes) for axes in all_axes(drawing))
    assert all(reason in " ".join(words_in(axes).split()) for axes in all_axes(drawing))
    assert not any(len(axes.get_xticks()) for axes in all_axes(drawing))


def test_rates_beyond_the_fourth_go_on_below() -> None:
    rates = (1e-5, 1.5e-5, 2e-5, 3e-5, 4e-5)
    axes = all_axes(spikedef_robust(frames.t01([ONE], rates, (1.0, 1.1))))
    assert [panel.get_title(loc="left") for panel in axes if panel.get_title(loc="left")] == [*map(rate_label, rates)]
    assert len(axes) == 2 * len(rates)
    assert [panel.get_xlabel() for panel in axes].count("gain g") == len(rates)


def test_f08_without_a_null_still_shows_b_tot(small) -> None:
    axes = all_axes(spikedef_robust(small.assign(delta_b_tot=np.nan, b_tot_perm=np.nan)))
    assert [" ".join(words_in(panel).split()) for panel in axes] == [
        "",
        "",
        *["not available: no null of these conditions"] * 2,
    ]


def test_an_empty_table_of_ablations_says_so() -> None:
    drawing = ablations(frames.sparse(frames.t06([ONE], frames.RATES[:2]), 1.0))
    draw(drawing)
    assert all("no value in the table" in words_in(axes) for axes in all_axes(drawing))


def test_points_without_a_value_are_crosses(drawings, t01) -> None:
    lost = (t01["g"] == 0.8) & (t01["spike_def_id"] == TWO)
    drawing: Drawing = chi_curves(t01.assign(chi=t01["chi"].mask(lost)))
    assert [crosses(axes) for axes in all_axes(drawing)] == [0] * N_RATES + [1] * N_RATES + [0] * 2 * N_RATES
    assert "not available" in legend_words(drawing)
    assert "not available" not in legend_words(drawings["F09"])


def test_a_table_without_optional_columns_is_drawn(small) -> None:
    required: Any = small[[name for name in small.columns if not name.startswith("opt_")]]
    for make in (spikedef_robust, chi_curves, null_compare):
        draw(make(required))
    assert "this gain is not in the table" in " ".join(words_in(all_axes(null_compare(required))[0]).split())


def test_f08_says_at_each_rate_how_far_both_definitions_see_the_same_events():
    table = frames.t01(rates=(1e-5, 2e-5, 4e-5), gains=(1.0, 1.1))
    known = {1e-5: ([0.25, 0.75], [9.0, 3.0]), 2e-5: ([1.0, 1.0], [0.0, 0.0]), 4e-5: ([np.nan] * 2, [np.nan] * 2)}
    for rate, (overlap, apart) in known.items():
        for gain, shared, differ in zip((1.0, 1.1), overlap, apart, strict=True):
            places = (table["target_rate"] == rate) & (table["g"] == gain)
            table.loc[places, ["opt_spike_def_overlap", "opt_spike_def_sites_apart"]] = shared, differ
    titles = [axes.get_title(loc="left") + axes.get_title() for axes in all_axes(spikedef_robust(table))[:3]]
    said = ["\nshared: 25.0 to 75.0 %", "\nthe same events under both", ""]
    assert titles == [rate_label(rate) + words for rate, words in zip(known, said, strict=True)]
