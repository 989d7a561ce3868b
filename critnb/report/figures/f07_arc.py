"""F07: answers to multiple-choice questions at g1 and g*: accuracy by letter and by text above the paired difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import DatasetRole, GCondition, SpikeDef
from critnb.report.figures import panels
from critnb.report.figures.rate_axes import rate_axis, rate_axis_label, spread
from critnb.report.style import FAINT, GREY, INK, Drawing, canvas, styled

_MEASURES = {
    "accuracy": "by letter",
    "opt_acc_text": "by text",
    "opt_acc_norm": "by text, per byte",
}
_CHANCES = {"accuracy": "opt_chance", "opt_acc_text": "opt_chance_text", "opt_acc_norm": "opt_chance_text"}
_WIDTH = 0.35
# as the markers of SPIKE_INKS look in print
_SIGNS = {SpikeDef.SPIKE_ONE_SIDED_POS: "▸", SpikeDef.SPIKE_TWO_SIDED_ABS: "♦"}
_CAPTION = (
    "Multiple-choice questions answered at the baseline g1 and at g*, which was chosen on dataset A for each spike "
    "definition and target rate and carried over unchanged. Left: by the label of highest log-probability after the "
    "prompt; middle: by the choice's text; right: by its text, divided by its bytes. Upper panels: share answered right, "
    "the grey band is g1 with its interval, the dotted line is chance, the mean of 1 / number of choices. Lower panels: g* "
    "minus g1 on the same questions. Bars: 95 % intervals, bootstrap over questions. Under each rate its g*; where g* = 1 "
    "nothing is changed and the difference is zero."
)


def arc_mcq(t03: pd.DataFrame) -> Drawing:
    """Return F07 of a T03 frame: a column per way of scoring, accuracy above the difference, a colour per spike definition."""
    kinds = panels.spike_defs(t03)
    gstar = t03[t03["g_condition"] == GCondition.gstar]
    with styled():
        figure, body = canvas(4.2 + 0.12 * len(kinds))
        grid = body.subplots(2, len(_MEASURES), sharex=True, sharey="row", squeeze=False)
        for (top, bottom), (name, title) in zip(grid.T, _MEASURES.items(), strict=True):
            _accuracy(top, t03, gstar, name, kinds)
            _difference(bottom, gstar, name, kinds)
            top.set_title(title)
            _rates(bottom, gstar, kinds)
        panels.drop_empty_scales(grid)
        grid[0][0].set_ylabel("answered right (share)")
        grid[1][0].set_ylabel("g* minus g1 (share)")
        grid[1][1].set_xlabel(f"{rate_axis_label(t03['target_rate'])}, and below it the g* of each point")
        panels.legend_below(body, _handles(kinds), columns=5)
    return Drawing(figure, _CAPTION, panels.scope_of(t03, DatasetRole.ARC_MCQ))


def _rates(axes: Any, gstar: pd.DataFrame, kinds: Sequence[SpikeDef]) -> None:
    """Put the rates on the axis and under each its g*, one line per spike definition."""
    rates = np.unique(gstar["target_rate"])
    notes = [[f"{_SIGNS[kind]} {panels.select(gstar, kind, rate)['g'].iloc[0]:g}" for kind in kinds] for rate in rates]
    rate_axis(axes, rates, notes=["\n".join(lines) for lines in notes])


def _accuracy(axes: Any, t03: pd.DataFrame, gstar: pd.DataFrame, name: str, kinds: Sequence[SpikeDef]) -> None:
    if not panels.has(t03, name):
        panels.unavailable(axes, "no question was answered")
        return
    first = t03[t03["g_condition"] == GCondition.g1].iloc[[0]]
    low, high = _ends(first, name)
    axes.axhspan(low[0], high[0], color=FAINT, linewidth=0, zorder=0.4)
    axes.axhline(first[name].iloc[0], color=GREY, linewidth=1.1, zorder=0.6)
    for chance in panels.column(first, _CHANCES[name]):
        axes.axhline(chance, color=INK, linewidth=0.8, linestyle=":")
    _points(axes, gstar, name, kinds)


def _difference(axes: Any, gstar: pd.DataFrame, name: str, kinds: Sequence[SpikeDef]) -> None:
    difference = f"opt_{name.removeprefix('opt_')}_vs_g1"
    if not panels.has(gstar, difference):
        panels.unavailable(axes, "no question was answered")
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    _points(axes, gstar, difference, kinds)


def _points(axes: Any, gstar: pd.DataFrame, name: str, kinds: Sequence[SpikeDef]) -> None:
    for series, kind in enumerate(kinds):
        rows = gstar[gstar["spike_def_id"] == kind].sort_values("target_rate")
        x = spread(panels.column(rows, "target_rate"), series, len(kinds), width=_WIDTH)
        panels.curve(axes, x, panels.column(rows, name), *_ends(rows, name), panels.SPIKE_INKS[kind], linestyle="none")


def _ends(rows: pd.DataFrame, name: str) -> tuple[panels.Floats, panels.Floats]:
    return panels.column(rows, f"{name}_ci_low"), panels.column(rows, f"{name}_ci_high")


def _handles(kinds: Sequence[SpikeDef]) -> list[Any]:
    at_gstar = panels.spike_handles(kinds)
    for handle in at_gstar:
        handle.set_linestyle("none")
        handle.set_label(f"g*, {str(handle.get_label()).partition(' events')[0]} events")
    return [
        *at_gstar,
        panels.line_handle(str(GCondition.g1), color=GREY, linewidth=1.1),
        panels.line_handle("chance", color=INK, linestyle=":", linewidth=0.8),
    ]
