"""The numbers that a picture of sizes and of branching carries in words, colours and limits."""

from __future__ import annotations

import numpy as np
import pytest
from explore import chains
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from critnb.canon import Intervention, NullId, SpikeDef
from critnb.criticality.tails import Histogram
from critnb.explore.curves import BranchingCurves, Exponent, SizeCurves, branching_curves
from critnb.explore.pictures import branching_picture, sizes_picture
from critnb.explore.state import Selection
from critnb.lattice import SECONDARY
from critnb.report.figures.f14_tails import LAWS

PERMUTED = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
SHIFTED = NullId.NULL_RASTER_WITHIN_LAYER_TIME_CIRC_SHIFT
FIT = {
    "xmin": 2.0, "xmax": 64.0, "alpha_powerlaw": 2.18, "alpha_powerlaw_ci_low": 2.13, "alpha_powerlaw_ci_high": 2.24,
    "cutoff_alpha": 1.5, "cutoff_lambda": 0.1,
}  # fmt: skip
TAU = {NullId.NULL_NONE: Exponent(4.08, 3.7, 4.7, 13.0), PERMUTED: Exponent(np.nan, np.nan, np.nan, np.nan)}


def sizes(n: int) -> Histogram:
    return Histogram.of(np.resize(2 ** np.arange(7), n))


def vertical(axes) -> dict[float, str]:
    """Vertical lines over the whole panel: where they stand and their colours."""
    lines = [line for line in axes.lines if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1]
    return {float(line.get_xdata()[0]): to_hex(line.get_color()).upper() for line in lines}


def test_each_exponent_says_of_which_avalanches_and_sizes_it_is():
    figure = sizes_picture(SizeCurves(sizes(70), None, FIT, TAU), PERMUTED)
    (words,) = [text.get_text() for text in figure.texts]
    assert " ".join(words.split()) == (
        "α, all avalanches, from s ≥ 2: 2.18 [2.13, 2.24] τ, uncensored, from s ≥ 13: 4.08 [3.70, 4.70] "
        "τ, uncensored, of the permuted, not available"
    )
    right = figure.texts[0].get_window_extent(FigureCanvasAgg(figure).get_renderer()).x1
    assert right <= figure.bbox.x1


def test_the_picked_size_has_no_law_s_colour():
    (axes,) = sizes_picture(SizeCurves(sizes(70), None, FIT, TAU), PERMUTED, picked_size=9).axes
    assert vertical(axes)[9.0] not in {to_hex(law.look["color"]).upper() for law in LAWS}


@pytest.mark.parametrize(("real", "null"), [(70, 7000), (7000, 70)])
def test_the_rarest_of_both_are_within_the_panel(real, null):
    (axes,) = sizes_picture(SizeCurves(sizes(real), sizes(null)), PERMUTED).axes
    assert axes.get_ylim()[0] < 1 / 7000


def handles(curves: BranchingCurves, selection: Selection) -> list[str]:
    (legend,) = branching_picture(curves, selection).legends
    return [text.get_text() for text in legend.get_texts()]


def test_the_legend_says_whose_null_is_drawn(whole_state):
    assert handles(branching_curves(whole_state), whole_state.selection) == [
        "MLP gain", "selected", "b_tot = 1", "MLP gain, permuted", *(f"MLP gain, {null.name}" for null in SECONDARY),
        "selected, permuted within layers", "g*",
    ]  # fmt: skip
    whole_state.choose(intervention=Intervention.ATTN_GLOBAL, null_id=SHIFTED)
    words = handles(branching_curves(whole_state), whole_state.selection)
    assert {"selected: attention, all layers", "selected, circularly shifted within layers"} <= set(words)


def test_the_selected_null_stands_where_its_branching_is(whole_state):
    whole_state.choose(spike_def=SpikeDef.SPIKE_TWO_SIDED_ABS, intervention=Intervention.ATTN_GLOBAL, null_id=SHIFTED)
    curves = branching_curves(whole_state)
    for axes, name in zip(branching_picture(curves, whole_state.selection).axes, curves.null_here, strict=True):
        points = {
            (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
            for line in axes.lines
            if len(line.get_xdata()) == 1
        }
        assert (chains.GSTAR, curves.null_here[name]) in points
