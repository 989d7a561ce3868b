"""F11: the baseline, and g* put on the MLPs, on the attention and on thirds of the MLPs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import GCondition, Intervention, SliceRole
from critnb.report.figures import panels
from critnb.report.seen import CATEGORIES
from critnb.report.style import GREY, INK, Drawing, Ink, canvas, inks, styled


@dataclass(frozen=True)
class _Quantity:
    """One column of panels: the column of T06, its title, the label of its axis, and whether zero is drawn."""

    column: str
    title: str
    label: str
    has_zero: bool = True


_QUANTITIES = (
    _Quantity("delta_b_tot", "Δb_tot", "Δb_tot (successors/site)"),
    _Quantity("opt_delta_b_tot_vs_g1", "Δb_tot minus that of g1", "difference (successors/site)"),
    _Quantity("chi", "chi", "chi (events)", has_zero=False),
)
_LINES = {
    (GCondition.g1, Intervention.MLP_GLOBAL): "g1 = 1, no change",
    (GCondition.gstar, Intervention.MLP_GLOBAL): "g* on all MLPs",
    (GCondition.gstar, Intervention.ATTN_GLOBAL): "g* on all attention",
    (GCondition.gstar, Intervention.MLP_BAND_EARLY): "g* on MLPs, first third",
    (GCondition.gstar, Intervention.MLP_BAND_MID): "g* on MLPs, middle third",
    (GCondition.gstar, Intervention.MLP_BAND_LATE): "g* on MLPs, last third",
}
_FILL = 0.72
_GREY_WORDS: dict[str, Any] = {"ha": "center", "va": "center", "color": GREY, "fontsize": 6.5}
_CAPTION = (
    "The baseline g1 and the same g* put on different parts of the model; thresholds were matched to the same target rates "
    "anew under each, statistics on A_raster. Left: Δb_tot, the excess over the permutation null. Middle: its difference "
    "from g1 on the same windows. Right: the susceptibility chi, which all raster nulls but token identity keep exactly. Bars: "
    "95 % intervals, bootstrap over sequences. Where g* = 1 nothing is changed and all lines agree."
)


def ablations(t06: pd.DataFrame) -> Drawing:
    """Return F11 of a T06 frame: a row of panels per spike definition, a line per intervention, a colour per rate."""
    looks, kinds = inks(t06["target_rate"]), panels.spike_defs(t06)
    with styled():
        figure, body = canvas(0.7 + (1.2 + 0.22 * len(looks)) * len(kinds))
        grid = body.subplots(len(kinds), len(_QUANTITIES), sharex="col", sharey=True, squeeze=False)
        for axes_row, kind in zip(grid, kinds, strict=True):
            for axes, quantity in zip(axes_row, _QUANTITIES, strict=True):
                _panel(axes, t06[t06["spike_def_id"] == kind], quantity, looks)
            axes_row[0].set_ylabel(panels.SPIKE_WORDS[kind])
        panels.drop_empty_scales(grid)
        _name_lines(grid[0][0])
        for top, bottom, quantity in zip(grid[0], grid[-1], _QUANTITIES, strict=True):
            top.set_title(quantity.title)
            bottom.set_xlabel(quantity.label)
        panels.legend_below(body, panels.point_handles(looks), columns=5)
    return Drawing(figure, _CAPTION, panels.scope_of(t06, SliceRole.A_raster))


def _name_lines(axes: Any) -> None:
    axes.set_yticks(range(len(_LINES)), list(_LINES.values()))
    axes.set_ylim(len(_LINES) - 0.5, -0.5)


def _panel(axes: Any, rows: pd.DataFrame, quantity: _Quantity, looks: dict[float, Ink]) -> None:
    axes.set_gid(CATEGORIES)
    if not panels.has(rows, quantity.column):
        panels.unavailable(axes, "no value in the table")
        return
    if quantity.has_zero:
        axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.grid(visible=False, axis="y")
    for place, (key, _) in enumerate(_LINES.items()):
        if place:
            axes.axhline(place - 0.5, color="#ececec", linewidth=0.5, zorder=0.5)
        _line(axes, place, _of_line(rows, *key), quantity, looks)


def _of_line(rows: pd.DataFrame, g_condition: GCondition, intervention: Intervention) -> pd.DataFrame:
    return rows[(rows["g_condition"] == g_condition) & (rows["intervention_id"] == intervention)]


def _line(axes: Any, place: int, rows: pd.DataFrame, quantity: _Quantity, looks: dict[float, Ink]) -> None:
    """Draw one line's points, one per rate, or say why there is none."""
    if not panels.has(rows, quantity.column):
        axes.annotate(_why(rows, quantity), (0.5, place), xycoords=("axes fraction", "data"), **_GREY_WORDS)
        return
    step = _FILL / max(len(looks), 3)
    first = place - step * (len(looks) - 1) / 2
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = rows[rows["target_rate"] == rate]
        x, y = panels.column(of_rate, quantity.column), np.full(len(of_rate), first + step * series)
        axes.hlines(y, *panels.ends(of_rate, quantity.column), color=ink.color, linewidth=0.9, alpha=0.75)
        look = {"linestyle": "none", "color": ink.color, "marker": ink.marker, "mew": 0}
        axes.plot(x, y, **look)
        panels.absent(axes, y[np.isnan(x)], ink, on_left=True)


def _why(rows: pd.DataFrame, quantity: _Quantity) -> str:
    if not len(rows):
        return "not available: not run"
    if quantity.column.endswith("vs_g1") and (rows["g_condition"] == GCondition.g1).all():
        return "reference"
    return "not available: no value"
