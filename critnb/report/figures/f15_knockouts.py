"""F15: branching by intervention at g1 and g*, beside what the raster alone says of neighbouring layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition, SliceRole
from critnb.report.figures import panels
from critnb.report.figures.rate_axes import rate_axis, rate_axis_label, spread, step_factor
from critnb.report.style import GREY, INK, Drawing, Ink, canvas, inks, styled


@dataclass(frozen=True)
class _Measure:
    """One column of panels: the column of T10, its title, the column that is drawn open beside it, and its reasons."""

    column: str
    title: str
    beside: str | None = None
    reason: str = "reason"


_MEASURES = (
    _Measure("sigma_depth", "σ_depth (events/event)", beside="sigma_depth_places"),
    _Measure("delta_b_depth", "Δb_depth, raster (successors/site)"),
    _Measure("causal_share", "causal share of Δb_depth", reason="causal_share_reason"),
)
_LOOKS = {GCondition.g1: Ink(GREY, "o"), GCondition.gstar: Ink(INK, "D")}
_SAME = Ink(INK, "s")
_WIDTH = 0.36
# how far an open point stands from the filled one that it belongs to, in rate steps
_ASIDE = 0.11
_MOST_LABELS = 4
_CAPTION = (
    "Knock-outs on the first windows of A_raster: every unit with an event in one layer is put to its mean, and the blocks "
    "above run again. σ_depth: events of the next layer that vanish minus those that appear, per event put out, with what as "
    "many random units at the same sites do taken off; open: with what the same units at random other tokens do taken off. "
    "Δb_depth: the excess of b_depth over the closed form of the permutation null on the same windows, which a shared input "
    "gives as well. Causal share: the part of that excess that goes when events are put out. Lower panels: σ_depth at g* for "
    "each layer whose events are put out. Bars: 95 % intervals, bootstrap over windows. Where g* = 1 both are one condition: "
    "one black square."
)


def knockouts(t10: pd.DataFrame, by_layer: pd.DataFrame) -> Drawing:
    """Return F15 of a T10 frame: per spike definition a row of values over the rates above one of σ_depth over the layers.

    by_layer: spike_def_id, target_rate, layer, sigma_depth and its interval's ends at g*.
    """
    kinds, looks = panels.spike_defs(t10), inks(t10["target_rate"])
    with styled():
        figure, body = canvas(0.8 + 3.1 * len(kinds))
        grid = body.add_gridspec(2 * len(kinds), len(_MEASURES), height_ratios=(1.25, 1.0) * len(kinds))
        for place, kind in enumerate(kinds):
            first = body.add_subplot(grid[2 * place, 0])
            # one scale, so that what intervention and raster say is compared by eye
            above = [first, body.add_subplot(grid[2 * place, 1], sharey=first), body.add_subplot(grid[2 * place, 2])]
            below = body.add_subplot(grid[2 * place + 1, :])
            rows = t10[t10["spike_def_id"] == kind].sort_values("target_rate")
            for axes, measure in zip(above, _MEASURES, strict=True):
                _values(axes, rows, measure)
                axes.set_title(measure.title)
                axes.set_xlabel(rate_axis_label(t10["target_rate"]), fontsize=6.5)
            first.set_ylabel(panels.SPIKE_WORDS[kind].replace(" (", "\n("))
            _layers(below, by_layer[by_layer["spike_def_id"] == kind], looks, _why(rows, "reason"))
        panels.legend_below(body, [*_handles(t10), *panels.point_handles(looks)], columns=4)
    return Drawing(figure, _CAPTION, panels.scope_of(t10, SliceRole.A_raster))


def _of(rows: pd.DataFrame, g_condition: GCondition) -> pd.DataFrame:
    return rows[rows["g_condition"] == g_condition].reset_index(drop=True)


def _same(chosen: pd.DataFrame) -> Any:
    return (chosen["g"] == CANON.CONST.GAIN_BASELINE).to_numpy()


def _values(axes: Any, rows: pd.DataFrame, measure: _Measure) -> None:
    """Draw g1 and g* of every rate side by side, or one point where they are one condition."""
    chosen = _of(rows, GCondition.gstar)
    same, rates = _same(chosen), panels.column(chosen, "target_rate")
    if panels.has(rows, measure.column):
        axes.axhline(0.0, color=INK, linewidth=0.8)
        beside = step_factor(rates, _ASIDE)
        for series, (g_condition, ink) in enumerate(_LOOKS.items()):
            x, shown = spread(rates, series, len(_LOOKS), width=_WIDTH), _of(rows, g_condition)
            _points(axes, x[~same], shown[~same], measure, ink, beside)
        _points(axes, rates[same], chosen[same], measure, _SAME, beside)
    else:
        panels.unavailable(axes, _why(rows, measure.reason))
    rate_axis(axes, rates, notes=[f"g* {gain:g}" for gain in chosen["g"]], labels=_MOST_LABELS)


def _why(rows: pd.DataFrame, column: str) -> str:
    return next((str(words) for words in rows[column] if words), "no value in the table")


def _points(axes: Any, x: Any, rows: pd.DataFrame, measure: _Measure, ink: Ink, beside: float) -> None:
    if measure.beside is not None:
        look = {"color": ink.color, "marker": ink.marker, "linestyle": "none", **panels.OPEN}
        axes.plot(x * beside, panels.column(rows, measure.beside), **look)
    panels.curve(axes, x, panels.column(rows, measure.column), *_ends(rows, measure.column), ink, linestyle="none")


def _ends(rows: pd.DataFrame, name: str) -> tuple[panels.Floats, panels.Floats]:
    return panels.column(rows, f"{name}_ci_low"), panels.column(rows, f"{name}_ci_high")


def _layers(axes: Any, rows: pd.DataFrame, looks: dict[float, Ink], reason: str) -> None:
    """Draw σ_depth over the layers whose events are put out, a colour per rate."""
    axes.set_title("σ_depth at g*, by the layer whose events are put out")
    if not panels.has(rows, "sigma_depth"):
        panels.unavailable(axes, reason)
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = rows[rows["target_rate"] == rate].sort_values("layer")
        x = panels.dodge(panels.column(of_rate, "layer"), series, len(looks))
        panels.curve(
            axes, x, panels.column(of_rate, "sigma_depth"), *_ends(of_rate, "sigma_depth"), ink, linestyle="none"
        )
    layers = np.unique(panels.column(rows, "layer"))
    axes.set_xticks(layers[:: max(1, len(layers) // 12)])
    axes.set_xlim(layers[0] - 0.6, layers[-1] + 0.6)
    axes.set_xlabel("layer")
    axes.set_ylabel("events/event")


def _handles(t10: pd.DataFrame) -> list[Any]:
    chosen = _of(t10, GCondition.gstar)
    words = {GCondition.g1: "g1 = 1", GCondition.gstar: "g*"} if not _same(chosen).all() else {}
    shown = [(words[g_condition], ink) for g_condition, ink in _LOOKS.items() if g_condition in words]
    shown += [("g* = 1: one condition", _SAME)] if _same(chosen).any() else []
    handles = [
        panels.line_handle(label, color=ink.color, marker=ink.marker, mew=0, linestyle="none") for label, ink in shown
    ]
    against = panels.line_handle(
        "σ_depth against random places", color=GREY, marker="o", linestyle="none", **panels.OPEN
    )
    return [*handles, against]
