"""F07: what it shows of T03, that it fits its page, and what it says where nothing was answered."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from report import frames
from report.drawn import all_axes, bars, draw, legend_words, words_in

from critnb.canon import DatasetRole, GCondition, SpikeDef
from critnb.report.figures.f07_arc import arc_mcq
from critnb.report.style import PAGE_WIDTH, PNG_DPI, Drawing


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    return arc_mcq(frames.t03())


def points(axes) -> list[np.ndarray]:
    return [line.get_ydata() for line in axes.lines if line.get_linestyle() == "None" and len(line.get_ydata()) > 1]


def at_gstar(name: str, kind: SpikeDef, table=None) -> np.ndarray:
    table = frames.t03() if table is None else table
    rows = table[(table["g_condition"] == GCondition.gstar) & (table["spike_def_id"] == kind)]
    return rows.sort_values("target_rate")[name].to_numpy()


@pytest.mark.parametrize(("place", "name"), [*enumerate(["accuracy", "opt_acc_text", "opt_acc_norm"])])
def test_each_column_shows_its_accuracy_above_its_paired_difference(drawing, place, name):
    top, bottom = all_axes(drawing)[place], all_axes(drawing)[place + 3]
    for series, kind in enumerate(SpikeDef):
        assert np.array_equal(points(top)[series], at_gstar(name, kind))
        difference = f"opt_{name.removeprefix('opt_')}_vs_g1"
        assert np.array_equal(points(bottom)[series], at_gstar(difference, kind))
        ends = np.stack([at_gstar(f"{difference}_ci_{end}", kind) for end in ("low", "high")], axis=1)
        assert np.allclose(bars(bottom)[series], ends)


def test_the_baseline_is_a_band_of_its_interval_and_chance_a_dotted_line(drawing):
    table, axes = frames.t03(), all_axes(drawing)[0]
    first = table[table["g_condition"] == GCondition.g1].iloc[0]
    (band,) = axes.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx(
        (first["accuracy_ci_low"], first["accuracy_ci_high"])
    )
    levels = {line.get_linestyle(): line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert (levels["-"], levels[":"]) == (first["accuracy"], 0.25)
    assert legend_words(drawing)[-2:] == ["g1", "chance"]


def test_under_each_rate_stands_its_gstar(drawing):
    labels = [label.get_text().split("\n") for label in all_axes(drawing)[4].get_xticklabels()]
    chosen = frames.gstar()
    assert [words[1:] for words in labels] == [
        [f"{sign} {chosen[kind, rate]:g}" for sign, kind in zip("▸♦", SpikeDef, strict=True)] for rate in frames.RATES
    ]


def test_no_words_leave_the_page_or_run_into_others(drawing):
    drawing.figure.set_dpi(PNG_DPI)
    canvas = draw(drawing)
    texts = [text for part in drawing.figure.subfigs for legend in part.legends for text in legend.texts]
    for axes in all_axes(drawing):
        texts += [axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    for axes in all_axes(drawing)[3:]:
        texts += axes.get_xticklabels()
    boxes = [text.get_window_extent(canvas) for text in texts if text.get_text()]
    page = drawing.figure.bbox
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in boxes)
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert drawing.figure.get_size_inches()[0] == PAGE_WIDTH


def test_where_nothing_was_answered_every_panel_says_so():
    table = frames.t03()
    shares = [name for name in table.columns if "acc" in name]
    empty = arc_mcq(table.assign(**dict.fromkeys(shares, np.nan)))
    assert all("no question was answered" in words_in(axes) for axes in all_axes(empty))


def test_one_definition_and_one_rate_are_enough():
    small = arc_mcq(frames.t03([SpikeDef.SPIKE_ONE_SIDED_POS], [1e-5]))
    draw(small)
    assert small.scope.data_role is DatasetRole.ARC_MCQ
    assert small.scope.target_rates == (1e-5,)
