from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from report.drawn import all_axes, draw, drawn_curves, titled, words_in

from critnb.canon import Adjacency, NullId, SpikeDef
from critnb.criticality import EMPTY_SITE, find_avalanches, label_sites
from critnb.errors import DataError
from critnb.lattice import SECONDARY, Raster, null_raster
from critnb.report.figures import (
    branching_curves,
    gstar_selection,
    null_delta,
    pick_example,
    raster_example,
    rate_match,
)
from critnb.report.figures.f01_raster import colour_avalanches
from critnb.report.figures.panels import log_ticks, rate_label
from critnb.report.style import Drawing

ONE, TWO = SpikeDef
N_RATES = 3


def column(table: pd.DataFrame, kind: SpikeDef, name: str) -> list[np.ndarray]:
    rows = table[table["spike_def_id"] == kind].sort_values(["target_rate", "g"])
    return [group[name].to_numpy() for _, group in rows.groupby("target_rate")]


@pytest.fixture(scope="module")
def drawings(study) -> dict[str, Drawing]:
    return {
        "F01": raster_example(study.raster, study.null, gstar=study.gstar, adjacency=Adjacency.ADJ_4N),
        "F02": rate_match(study.tau),
        "F03": branching_curves(study.t01),
        "F04": null_delta(study.t01),
        "F05": gstar_selection(study.choices),
    }


@pytest.mark.parametrize(("place", "name"), [(0, "b_time"), (1, "b_depth"), (2, "b_tot")])
def test_f03_draws_the_columns(drawings, study, place, name) -> None:
    axes = all_axes(drawings["F03"])[place]
    np.testing.assert_array_equal(drawn_curves(axes), column(study.t01, ONE, name))
    dashed = [line.get_ydata() for line in axes.lines if line.is_dashed() and line.get_linewidth() == 0.8][-N_RATES:]
    np.testing.assert_array_equal(dashed, column(study.t01, ONE, f"{name}_perm"))


def test_f03_draws_the_intervals(drawings, study) -> None:
    axes = all_axes(drawings["F03"])[5]
    bars = [collection for collection in axes.collections if type(collection).__name__ == "LineCollection"]
    drawn = [[(segment[0, 1], segment[1, 1]) for segment in bar.get_segments()] for bar in bars]
    ends = (column(study.t01, TWO, f"opt_b_tot_ci_{end}") for end in ("low", "high"))
    np.testing.assert_array_equal(drawn, np.stack([*map(np.array, ends)], axis=-1))


def test_f03_rings_gstar(drawings, study) -> None:
    axes = all_axes(drawings["F03"])[2]
    ringed = np.concatenate([line.get_ydata() for line in axes.lines if line.get_fillstyle() == "none"])
    table = study.t01[(study.t01["spike_def_id"] == ONE) & study.t01["opt_is_gstar"]]
    np.testing.assert_array_equal(ringed, table.sort_values("target_rate")["b_tot"])


@pytest.mark.parametrize(
    ("place", "name"), [(0, "delta_b_tot"), (3, "opt_delta_b_tot_shift"), (4, "opt_delta_b_tot_margins")]
)
def test_f04_draws_the_columns_beside_zero(drawings, study, place, name) -> None:
    axes = all_axes(drawings["F04"])[place]
    np.testing.assert_array_equal(drawn_curves(axes), column(study.t01, list(SpikeDef)[place % len(SpikeDef)], name))
    assert [0.0, 0.0] in [list(line.get_ydata()) for line in axes.lines]


def test_f04_says_what_a_shift_keeps(drawings) -> None:
    assert "keeps b_time" in drawings["F04"].caption
    assert "keeps b_time" in " ".join(text.get_text() for part in drawings["F04"].figure.subfigs for text in part.texts)


def test_f05_draws_the_choice(drawings, study) -> None:
    first, (curve, bars) = study.choices[0], (all_axes(drawings["F05"])[0], all_axes(drawings["F05"])[N_RATES])
    assert drawn_curves(curve)[0].tolist() == first["b_tot"]
    assert [patch.get_height() for patch in bars.patches] == first["chosen_share"]
    assert [first["gstar"]] * 2 in [list(line.get_xdata()) for line in curve.lines]
    title = [rate_label(first["target_rate"]), f"g* = {first['gstar']:g}"]
    assert curve.get_title(loc="left") == "\n".join(title + ([] if first["identified"] else ["not identified"]))


def test_f05_marks_the_gains_that_are_ruled_out(study) -> None:
    """By open markers, at every gain outside the confidence set."""
    gains = study.choices[0]["gains"]
    sets = [dict(choice, confidence_set=[gains[1], choice["gstar"]]) for choice in study.choices]
    curve = all_axes(gstar_selection(sets))[0]
    open_marks = [line for line in curve.lines if line.get_markerfacecolor() == "white"]
    drawn = {x for line in open_marks for x in line.get_xdata()}
    assert drawn == set(gains) - {gains[1], sets[0]["gstar"]}


def test_f05_says_what_is_not_sure(study) -> None:
    doubtful = [dict(choice, identified=False, at_grid_edge=True) for choice in study.choices]
    title = all_axes(gstar_selection(doubtful))[0].get_title(loc="left")
    assert "not identified" in title
    assert "grid's edge" in title


def test_f02_gate_in_units_of_its_tolerance(drawings, study) -> None:
    gate = titled(drawings["F02"], "A_cal")
    rows = study.tau[study.tau["spike_def_id"] == ONE]
    expected = (rows["events"] - rows["target_events"]) / np.maximum(1, 1e-3 * rows["target_events"])
    drawn = np.concatenate([line.get_ydata() for line in gate.lines])
    np.testing.assert_array_equal(np.sort(drawn), np.sort(expected))
    assert gate.get_ylim()[0] < -1 < 1 < gate.get_ylim()[1]


def test_f02_a_miss_widens_the_gate_panel(study) -> None:
    missed = study.tau.assign(events=study.tau["events"] + 40)
    assert titled(rate_match(missed), "A_cal").get_ylim()[1] > 4


def test_f02_held_out_bars_span_the_gains(drawings, study) -> None:
    axes = titled(drawings["F02"], "A_raster")
    rows = study.tau[(study.tau["spike_def_id"] == ONE) & (study.tau["target_rate"] == study.tau["target_rate"].min())]
    ratio = (rows["achieved_rate_raster"] / rows["target_layer_rate"]).groupby(rows["layer"])
    drawn = [(segment[0, 1], segment[1, 1]) for segment in axes.collections[0].get_segments()]
    np.testing.assert_array_equal(drawn, np.stack([ratio.min(), ratio.max()], axis=-1))


def test_f01_squares_are_the_occupied_sites(drawings, study) -> None:
    example = pick_example(study.raster, study.gstar)
    axes = all_axes(drawings["F01"])[0]
    squares = next(c for c in axes.collections if isinstance(c, PolyCollection))
    centres = {tuple(np.round(path.vertices[:4].mean(axis=0)).astype(int)) for path in squares.get_paths()}
    layer, token = np.nonzero(study.raster.counts[example.cond_id, example.row])
    assert centres == set(zip(token.tolist(), layer.tolist(), strict=True))


def test_f01_counts_what_it_shows(drawings, study) -> None:
    example = pick_example(study.raster, study.gstar)
    counts = study.raster.counts[example.cond_id, example.row]
    title = all_axes(drawings["F01"])[0].get_title(loc="left")
    assert title.startswith(f"real: {counts.sum()} events, ")
    assert all_axes(drawings["F01"])[1].get_title(loc="left").startswith("permutation null of the same window: ")


def test_f01_picks_the_median_window_of_the_highest_rate_at_gstar(study) -> None:
    example = pick_example(study.raster, study.gstar)
    condition = study.raster.conditions[example.cond_id]
    assert (condition.spike_def_id, condition.target_rate) == (ONE, max(rate for _, rate in study.gstar))
    assert condition.gain == study.gstar[ONE, condition.target_rate]
    events = study.raster.counts[example.cond_id].sum(axis=(1, 2))
    assert (events < events[example.row]).sum() <= (len(events) - 1) / 2 <= (events <= events[example.row]).sum()


def test_f01_of_another_run_is_refused(study) -> None:
    with pytest.raises(DataError, match="F01: the raster has no condition"):
        pick_example(study.raster, dict.fromkeys(study.gstar, 1.234))


def touching(labels: np.ndarray, area: np.ndarray) -> set[tuple[int, int]]:
    """The pairs of avalanches of several sites that meet at a corner, which ADJ_4N keeps apart."""
    corners = [(labels[:-1, :-1], labels[1:, 1:]), (labels[1:, :-1], labels[:-1, 1:])]
    pairs = {(a, b) for left, right in corners for a, b in zip(left.ravel(), right.ravel(), strict=True)}
    return {(a, b) for a, b in pairs if EMPTY_SITE not in (a, b) and a != b and min(area[[a, b]]) > 1}


def test_avalanches_that_touch_differ_in_colour(study) -> None:
    dense = study.raster.conditions.where(target_rate=max(rate for _, rate in study.gstar), gain=0.7)[0]
    pairs = 0
    for row, seq_id in enumerate(study.raster.seq_id):
        window = study.raster.counts[dense, [row]], np.array([seq_id]), Adjacency.ADJ_4N
        found = find_avalanches(*window)
        colours = colour_avalanches(found)
        met = touching(label_sites(*window)[0], found.area)
        assert all(colours[a] != colours[b] for a, b in met)
        pairs += len(met)
    assert pairs > 10


def test_a_colour_is_not_dealt_to_a_neighbour_of_its_last_owner() -> None:
    """Six pairs far from the long row use up the palette; the seventh, beside the row, would get the row's colour."""
    counts = np.zeros((1, 8, 40), dtype=np.uint16)
    counts[0, 0, :30] = 1
    for t in (2, 6, 10, 14, 18):
        counts[0, 7, t : t + 2] = 1
    counts[0, 2, 24:26] = 1
    found = find_avalanches(counts, np.zeros(1, dtype=np.int32), Adjacency.ADJ_4N)
    colours = colour_avalanches(found)
    assert found.t_min.tolist() == [0, 2, 6, 10, 14, 18, 24]
    assert len(set(colours[:6])) == 6
    assert colours[6] != colours[0]


def test_single_sites_are_grey(study) -> None:
    found = find_avalanches(study.raster.counts[0], study.raster.seq_id, Adjacency.ADJ_4N)
    grey = {colour for colour, area in zip(colour_avalanches(found), found.area, strict=True) if area == 1}
    assert len(grey) == 1
    assert grey.isdisjoint(c for c, area in zip(colour_avalanches(found), found.area, strict=True) if area > 1)


@pytest.mark.parametrize("name", ["F01", "F02", "F03", "F04", "F05"])
def test_no_text_leaves_the_page_or_runs_into_another(drawings, name) -> None:
    drawing = drawings[name]
    canvas, page = draw(drawing), drawing.figure.bbox
    texts = [
        text
        for axes in all_axes(drawing)
        for text in (axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label)
    ]
    boxes = [text.get_window_extent(canvas) for text in texts if text.get_text() and text.get_visible()]
    assert boxes
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1  # noqa: PT018
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("name", ["F01", "F02", "F03", "F04", "F05"])
def test_every_row_and_bottom_panel_is_labelled(drawings, name) -> None:
    for axes in all_axes(drawings[name]):
        place = axes.get_subplotspec()
        assert not place.is_last_row() or axes.get_xlabel()
        assert not place.is_first_col() or axes.get_ylabel()


def test_a_table_of_nothing_says_so(study) -> None:
    numbers = [name for name in study.t01.columns if name.startswith(("b_", "delta_", "opt_b", "opt_delta"))]
    empty = study.t01.assign(**dict.fromkeys(numbers, np.nan))
    for drawing in (branching_curves(empty), null_delta(empty)):
        draw(drawing)
        assert all("not available" in words_in(axes) for axes in all_axes(drawing))


def test_one_statistic_that_is_missing_leaves_the_others(study) -> None:
    kind = study.t01["spike_def_id"] == ONE
    axes = all_axes(branching_curves(study.t01.assign(b_time=study.t01["b_time"].mask(kind))))
    assert ["not available" in words_in(panel) for panel in axes] == [True] + [False] * 5
    assert len(axes[3].get_xticks())


def test_a_table_without_optional_columns_is_drawn(study) -> None:
    required = study.t01[[name for name in study.t01.columns if not name.startswith("opt_")]]
    draw(branching_curves(required))
    panels = all_axes(null_delta(required))
    assert ["not available" in words_in(panel) for panel in panels] == [False, False, *([True, True] * len(SECONDARY))]


def test_rates_without_values_say_so(study) -> None:
    drawing = rate_match(study.tau.assign(achieved_rate_raster=np.nan))
    draw(drawing)
    assert "no value of achieved_rate_raster" in words_in(titled(drawing, "A_raster"))


def test_a_choice_without_values_says_so(study) -> None:
    nothing = dict(study.choices[0], b_tot=[None] * len(study.choices[0]["gains"]))
    drawing = gstar_selection([nothing, *study.choices[1:-1]])
    draw(drawing)
    said = " ".join(words_in(axes) for axes in all_axes(drawing))
    assert "b_tot is defined at no gain" in said
    assert "no choice for this rate" in said


def test_a_raster_of_nothing_says_so(study) -> None:
    empty = Raster(np.zeros_like(study.raster.counts), study.raster.conditions, study.raster.seq_id)
    null = null_raster(empty, NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM, seed=1)
    drawing = raster_example(empty, null, gstar=study.gstar, adjacency=Adjacency.ADJ_8N)
    draw(drawing)
    assert all("not available: no events" in words_in(axes) for axes in all_axes(drawing))


@pytest.mark.parametrize(("rate", "words"), [(2e-5, "ρ = 2·10⁻⁵"), (1.5e-4, "ρ = 1.5·10⁻⁴"), (0.1, "ρ = 1·10⁻¹")])
def test_rates_in_words(rate, words) -> None:
    assert rate_label(rate) == words


def test_one_gain_and_one_rate_are_enough(study) -> None:
    row = study.t01[(study.t01["g"] == 1.0) & (study.t01["target_rate"] == study.t01["target_rate"].min())].iloc[:1]
    for drawing in (branching_curves(row), null_delta(row)):
        draw(drawing)
        assert all_axes(drawing)[0].get_xlim()[0] < 1.0 < all_axes(drawing)[0].get_xlim()[1]


@pytest.mark.parametrize(("low", "high"), [(8e-6, 3e-5), (1e-5, 2.5e-4), (1e-6, 9e-4)])
def test_a_logarithmic_axis_has_two_to_five_labels(low, high) -> None:
    axes = Figure().subplots()
    axes.set(xscale="log", xlim=(low, high))
    log_ticks(axes.xaxis, low, high)
    labelled = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(labelled) <= 5
    assert not any(label.get_text() for label in axes.get_xticklabels(minor=True))


@pytest.mark.parametrize("choice", [0, -1])
def test_bars_and_rings_at_the_grids_edge_are_whole(study, choice) -> None:
    gains = study.choices[0]["gains"]
    edge = [dict(entry, gstar=gains[choice]) for entry in study.choices]
    curve, bars = all_axes(gstar_selection(edge))[0], all_axes(gstar_selection(edge))[N_RATES]
    low, high = bars.get_xlim()
    assert all(low < bar.get_x() and bar.get_x() + bar.get_width() < high for bar in bars.patches)
    assert not curve.lines[-1].get_clip_on()
