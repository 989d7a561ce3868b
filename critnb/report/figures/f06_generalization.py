"""F06: g1 against g* on dataset B: mechanism and perplexity side by side, and their paired differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, GCondition, SliceRole
from critnb.report.figures import panels
from critnb.report.figures.rate_axes import rate_axis, rate_axis_label, spread
from critnb.report.style import GREY, INK, Drawing, Ink, canvas, styled


@dataclass(frozen=True)
class _Measure:
    """One column of panels: the column of T02, its title, its null's column if one is drawn, and whether zero is drawn."""

    column: str
    title: str
    null: str | None = None
    has_zero: bool = False


_MEASURES = (
    _Measure("b_tot", "b_tot (successors/site)", null="opt_b_tot_perm"),
    _Measure("delta_b_tot", "Δb_tot (successors/site)", has_zero=True),
    _Measure("ppl", "perplexity"),
)
_LOOKS = {GCondition.g1: Ink(GREY, "o"), GCondition.gstar: Ink("#0072B2", "D")}
_SAME = Ink(INK, "s")
_WIDTH = 0.36
_MOST_LABELS = 6
_CAPTION = (
    "Dataset B (slice B_eval) at g1 = 1 and at g*, both carried over from dataset A with their thresholds; nothing was fitted "
    "on B. Upper panels: the values, g1 and g* of one rate joined; open: mean of the permutation null. Lower panels: g* minus "
    "g1 on the same windows. Bars: 95 % intervals, bootstrap over windows, paired. Where g* = 1 both are one condition: one "
    "black square, and a difference that is zero by definition. Perplexity is exp of the mean negative log-likelihood and "
    "depends on the gain alone; it had no part in the choice of g*."
)


def generalization(t02: pd.DataFrame) -> Drawing:
    """Return F06 of a T02 frame: per spike definition a row of values above a row of paired differences."""
    kinds = panels.spike_defs(t02)
    with styled():
        figure, body = canvas(0.7 + 2.55 * len(kinds))
        grid = body.subplots(
            2 * len(kinds), len(_MEASURES), squeeze=False, gridspec_kw={"height_ratios": (1.3, 1.0) * len(kinds)}
        )
        for upper, lower, kind in zip(grid[::2], grid[1::2], kinds, strict=True):
            rows = t02[t02["spike_def_id"] == kind].sort_values("target_rate")
            for above, below, measure in zip(upper, lower, _MEASURES, strict=True):
                _values(above, rows, measure)
                _differences(below, rows, measure)
            upper[0].set_ylabel(panels.SPIKE_WORDS[kind].replace(" (", "\n("))
            lower[0].set_ylabel("g* − g1")
        for axes, measure in zip(grid[0], _MEASURES, strict=True):
            axes.set_title(measure.title)
        for axes in grid[-1]:
            axes.set_xlabel(f"{rate_axis_label(t02['target_rate'])};\nbelow it g*", fontsize=7)
        panels.legend_below(body, _handles(t02), columns=4)
    return Drawing(figure, _CAPTION, panels.scope_of(t02, SliceRole.B_eval))


def _of(rows: pd.DataFrame, g_condition: GCondition) -> pd.DataFrame:
    return rows[rows["g_condition"] == g_condition].reset_index(drop=True)


def _same(chosen: pd.DataFrame) -> Any:
    return (chosen["g"] == CANON.CONST.GAIN_BASELINE).to_numpy()


def _values(axes: Any, rows: pd.DataFrame, measure: _Measure) -> None:
    """Draw g1 and g* of every rate beside each other and joined, or one point where they are one condition."""
    if not panels.has(rows, measure.column):
        panels.unavailable(axes, _why(rows, measure))
        return
    chosen = _of(rows, GCondition.gstar)
    same, rates = _same(chosen), panels.column(chosen, "target_rate")
    if measure.has_zero:
        axes.axhline(0.0, color=INK, linewidth=0.8)
    ends = []
    for series, (g_condition, ink) in enumerate(_LOOKS.items()):
        x, shown = spread(rates, series, len(_LOOKS), width=_WIDTH), _of(rows, g_condition)
        _points(axes, x[~same], shown[~same], measure, ink)
        ends.append((x[~same], panels.column(shown, measure.column)[~same]))
    (x1, y1), (x2, y2) = ends
    axes.plot(np.stack([x1, x2]), np.stack([y1, y2]), color=GREY, linewidth=0.6, marker="", zorder=1)
    _points(axes, rates[same], chosen[same], measure, _SAME)
    rate_axis(axes, rates)
    axes.set_xticklabels([])


def _why(rows: pd.DataFrame, measure: _Measure) -> str:
    if measure.column == "ppl" and panels.has(rows, "nll_mean"):
        return "larger than a float holds"
    return panels.why(rows, "no value in the table")


def _points(axes: Any, x: Any, rows: pd.DataFrame, measure: _Measure, ink: Ink) -> None:
    if measure.null is not None:
        look = {"color": ink.color, "marker": ink.marker, "linestyle": "none", **panels.OPEN}
        axes.plot(x, panels.column(rows, measure.null), **look)
    panels.curve(
        axes, x, panels.column(rows, measure.column), *panels.ends(rows, measure.column), ink, linestyle="none"
    )


def _differences(axes: Any, rows: pd.DataFrame, measure: _Measure) -> None:
    """Draw the paired differences over the rates, zero without a bar where g* = 1."""
    chosen = _of(rows, GCondition.gstar)
    name = f"opt_{measure.column}_vs_g1"
    same, rates = _same(chosen), panels.column(chosen, "target_rate")
    if panels.has(chosen, name):
        axes.axhline(0.0, color=INK, linewidth=0.8)
        y, (low, high) = panels.column(chosen, name), panels.ends(chosen, name)
        look = _LOOKS[GCondition.gstar]
        panels.curve(axes, rates[~same], y[~same], low[~same], high[~same], look, linestyle="none")
        axes.plot(rates[same], y[same], color=_SAME.color, marker=_SAME.marker, linestyle="none", mew=0)
    else:
        panels.unavailable(axes, _why(rows, measure))
    rate_axis(axes, rates, notes=[f"{gain:g}" for gain in chosen["g"]], labels=_MOST_LABELS)


def _handles(t02: pd.DataFrame) -> list[Any]:
    words = {GCondition.g1: "g1 = 1", GCondition.gstar: "g*"}
    handles = [
        panels.line_handle(words[g_condition], color=ink.color, marker=ink.marker, mew=0, linestyle="none")
        for g_condition, ink in _LOOKS.items()
    ]
    if _same(_of(t02, GCondition.gstar)).any():
        handles.append(
            panels.line_handle("g* = 1: one condition", color=_SAME.color, marker=_SAME.marker, mew=0, linestyle="none")
        )
    return [
        *handles,
        panels.line_handle("permutation null, mean", color=GREY, marker="o", linestyle="none", **panels.OPEN),
    ]
