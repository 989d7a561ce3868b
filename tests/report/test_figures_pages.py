"""What every figure from F08 on owes a reader: it fits its page, names its axes, tells of the null, and is always the same."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.transforms import Bbox
from report import frames
from report.drawn import all_axes, draw, full

from critnb.canon import CANON, SpikeDef
from critnb.report import figures
from critnb.report.style import PAGE_WIDTH, PNG_DPI, Drawing, render

NAMES = ("F08", "F09", "F10", "F11", "F12", "F13", "F14")
NOT_DRAWN_YET: tuple[str, ...] = ()
ONE = SpikeDef.SPIKE_ONE_SIDED_POS
TALLEST_PAGE = 9.0


def words(drawing: Drawing) -> list[Bbox]:
    """The boxes of the titles, axis labels, remarks, legend entries and notes of a drawing, as its PNG has them."""
    drawing.figure.set_dpi(PNG_DPI)
    canvas = draw(drawing)
    texts = [text for part in drawing.figure.subfigs for text in part.texts]
    texts += [text for part in drawing.figure.subfigs for legend in part.legends for text in legend.texts]
    for axes in all_axes(drawing):
        texts += [axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    return [text.get_window_extent(canvas) for text in texts if text.get_text()]


def sparse() -> dict[str, Drawing]:
    """The same figures of a table that lacks half of its numbers, as one of a small lattice does."""
    reason = "87 sizes from xmin on, 100 are needed"
    t01, t04, t06, t09 = (
        frames.sparse(table, 0.5, reason=reason) for table in (frames.t01(), frames.t04(), frames.t06(), frames.t09())
    )
    few = frames.profiles([4], gamma=1.0, seed=1)
    profiles = [figures.ShownProfiles(ONE, 8e-5, 1.1, few, few, np.nan)]
    return {
        "F08": figures.spikedef_robust(t01),
        "F09": figures.chi_curves(t01),
        "F10": figures.null_compare(t01),
        "F11": figures.ablations(t06),
        "F12": figures.threshold_sweep(t09, gstar=frames.gstar()),
        "F13": figures.avalanche_profiles(profiles),
        "F14": figures.tail_distributions(frames.shown_tails(n=40)[:5], t04),
    }


@pytest.fixture(scope="module")
def pages() -> dict[str, dict[str, Drawing]]:
    return {"full": full(), "sparse": sparse()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", ["full", "sparse"])
def test_no_words_leave_the_page_or_run_into_others(pages, data, name) -> None:
    drawing = pages[data][name]
    boxes, page = words(drawing), drawing.figure.bbox
    assert len(boxes) > 5
    for box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1  # noqa: PT018
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_fits_a_printed_page(name) -> None:
    width, height = full()[name].figure.get_size_inches()
    assert width == PAGE_WIDTH
    assert height <= TALLEST_PAGE


@pytest.mark.parametrize("name", NAMES)
def test_every_axis_at_the_edge_is_labelled(name) -> None:
    common = any(part._supxlabel for part in full()[name].figure.subfigs)
    for axes in all_axes(full()[name]):
        place = axes.get_subplotspec()
        if place is None:  # the scale of colours
            assert axes.get_ylabel()
            continue
        assert not place.is_last_row() or axes.get_xlabel() or common
        assert not place.is_first_col() or axes.get_ylabel()


@pytest.mark.parametrize("name", NAMES)
def test_the_caption_tells_of_the_null_and_of_the_slice(name) -> None:
    assert "null" in full()[name].caption
    assert "A_raster" in full()[name].caption


def test_every_figure_of_the_analysis_has_a_module() -> None:
    folder = {path.name[:3].upper() for path in Path(figures.__file__).parent.glob("f[0-9][0-9]_*.py")}
    keys = {key[:3] for key in type(CANON.FIGURE).model_fields if key.startswith("F")}
    assert keys - set(NOT_DRAWN_YET) == folder


def once() -> dict[str, Drawing]:
    """Every figure, small, from tables that are made anew at each call."""
    kinds, rates, gains = [ONE], (8e-5,), (1.0, 1.1)
    t01 = frames.t01(kinds, rates, gains)
    return {
        "F08": figures.spikedef_robust(t01),
        "F09": figures.chi_curves(t01),
        "F10": figures.null_compare(t01),
        "F11": figures.ablations(frames.t06(kinds, rates)),
        "F12": figures.threshold_sweep(frames.t09(kinds, rates, gains), gstar=frames.gstar(kinds, rates)),
        "F13": figures.avalanche_profiles(frames.shown_profiles(kinds)),
        "F14": figures.tail_distributions(frames.shown_tails(kinds, rates, 200), frames.t04(kinds, rates, gains)),
    }


@pytest.fixture(scope="module")
def twins() -> tuple[dict[str, Drawing], dict[str, Drawing]]:
    return once(), once()


@pytest.mark.parametrize("name", NAMES)
def test_drawn_again_the_picture_is_the_same(twins, name) -> None:
    first, second = (drawings[name] for drawings in twins)
    assert np.array_equal(draw(first).buffer_rgba(), draw(second).buffer_rgba())
    assert (first.caption, first.scope) == (second.caption, second.scope)


def test_drawn_again_the_file_is_the_same(twins, provenance) -> None:
    """F13 has what the others lack, a scale of colours; test_style has the rest."""
    assert len({render(drawings["F13"], "F13", provenance).pdf for drawings in twins}) == 1
