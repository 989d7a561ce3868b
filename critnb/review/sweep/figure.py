"""The figure of a sweep: branching by intervention and the excess of b_tot over its entries, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from critnb.canon import CANON, SpikeDef
from critnb.lattice import PRIMARY
from critnb.report.figures import panels
from critnb.report.style import INK, PAGE_WIDTH, Ink, inks, png, styled

_MEASURES = (
    ("sigma_depth", "σ_depth\n(events/event)"),
    ("delta_b_tot", "Δb_tot over the permutation null\n(successors/site)"),
)
_REASONS = {"sigma_depth": "reason_sigma_depth", "delta_b_tot": "reason_branching"}
# beyond the first, intervals are thin and points small; beyond the second, labels are thinned out
_ROOMY, _MOST_LABELS = 24, 34
_LONGEST_LABEL = 22
# characters of all labels of a panel that fit beside each other
_FLAT = 36
_OPEN: dict[str, Any] = {**panels.OPEN, "linewidth": 0.6}
_PER_POINT, _WIDEST = 0.11, 12.0
_HEIGHT = 2.1


def sweep_figure(table: pd.DataFrame, title: str) -> bytes:
    """Return the PNG of a table of ``SWEEP_TABLE`` with at least one row: the same table, the same bytes."""
    rows = table[table["null_id"] == str(PRIMARY)]
    points = rows[["entry", "model_role", "name"]].drop_duplicates().reset_index(drop=True)
    place = {
        (entry, role): at for at, (entry, role) in enumerate(zip(points["entry"], points["model_role"], strict=True))
    }
    rows = rows.assign(at=[float(place[key]) for key in zip(rows["entry"], rows["model_role"], strict=True)])
    kinds, looks = panels.spike_defs(rows), inks(rows["target_rate"])
    with styled():
        figure, grid = _grid(len(kinds), len(points))
        for axes_of_kind, kind in zip(grid, kinds, strict=True):
            for axes, (name, words) in zip(axes_of_kind, _MEASURES, strict=True):
                _panel(axes, rows[rows["spike_def_id"] == kind], name, looks, len(points))
                axes.set_ylabel(words if axes.get_subplotspec().is_first_col() else "")
            axes_of_kind[0].set_title(panels.SPIKE_WORDS[SpikeDef(kind)])
            if axes_of_kind[-1].get_subplotspec().is_last_row():
                _name_points(axes_of_kind[-1], _labels(points))
        panels.legend_below(figure, _handles(looks), columns=min(6, len(looks) + 3))
        return png(figure, title)


def _grid(n_kinds: int, n_points: int) -> tuple[Figure, Any]:
    """Return a figure and its axes [kinds, measures]: kinds side by side, or below each other where there are many points."""
    n, crowded = len(_MEASURES), n_points > _ROOMY
    columns = 1 if crowded else n_kinds
    width = min(_WIDEST, max(PAGE_WIDTH, columns * (0.9 + _PER_POINT * n_points)))
    height = 1.0 + n * _HEIGHT * (n_kinds if crowded else 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(
        n * n_kinds // columns, columns, sharex=True, sharey=False if crowded else "row", squeeze=False
    )
    return figure, grid.reshape(n_kinds, n) if crowded else grid.T


def _panel(axes: Any, rows: pd.DataFrame, name: str, looks: dict[float, Ink], n_points: int) -> None:
    """Draw one measure of one spike definition over the entries: filled at g*, open at g1, a colour per rate."""
    axes.axhline(0.0, color=INK, linewidth=0.8)
    axes.set_xlim(-0.6, n_points - 0.4)
    crowded = n_points > _ROOMY
    look: dict[str, Any] = {"linewidth": 0.8, "markersize": 2.2} if crowded else {}
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = rows[rows["target_rate"] == rate].sort_values("at")
        for is_gstar in (False, True):
            chosen = of_rate[of_rate["is_gstar" if is_gstar else "is_g1"]]
            shift = 0.0 if crowded else _aside(series, len(looks), is_gstar=is_gstar)
            x, y = panels.column(chosen, "at") + shift, panels.column(chosen, name)
            if is_gstar:
                low, high = (panels.column(chosen, f"{name}_ci_{end}") for end in ("low", "high"))
                panels.curve(axes, x, y, low, high, ink, **look)
            else:
                axes.plot(x, y, color=ink.color, marker=ink.marker, linestyle=panels.DASHES, **(_OPEN | look))
    if not panels.has(rows, name):
        panels.unavailable(axes, next((text for text in rows[_REASONS[name]] if text), "no value in the table"))


def _aside(series: int, n_series: int, *, is_gstar: bool) -> float:
    """Return how far a point stands from its entry, so that intervals do not cover each other."""
    return 0.5 * (2 * series + is_gstar - (2 * n_series - 1) / 2) / (2 * n_series)


def _labels(points: pd.DataFrame) -> list[str]:
    several = points["model_role"].nunique() > 1
    return [
        f"{name} {role}" if several else name for name, role in zip(points["name"], points["model_role"], strict=True)
    ]


def _name_points(axes: Any, labels: Sequence[str]) -> None:
    """Put the entries' names below the axis, every second, third ... of them where there are many."""
    step = -(-len(labels) // _MOST_LABELS)
    places = np.arange(0, len(labels), step)
    short = [each if len(each) <= _LONGEST_LABEL else f"{each[: _LONGEST_LABEL - 1]}…" for each in labels[::step]]
    axes.set_xticks(places, short)
    if len(labels) * max(map(len, short)) > _FLAT:
        upright = len(labels) > _ROOMY
        for label in axes.get_xticklabels():
            label.set(rotation=90 if upright else 40, ha="center" if upright else "right", rotation_mode="anchor")
            label.set_va("center_baseline" if upright else "top")
            if upright:
                label.set(ha="right")
    axes.set_xlabel("entry of the sweep, in its order" + (f" (one in {step} named)" if step > 1 else ""))


def _handles(looks: dict[float, Ink]) -> list[Any]:
    at_g1 = f"at g1 = {CANON.CONST.GAIN_BASELINE:g}"
    return [
        panels.line_handle("at g*", color=INK, marker="o", mew=0),
        panels.line_handle(at_g1, color=INK, marker="o", linestyle=panels.DASHES, **_OPEN),
        *panels.point_handles(looks),
    ]
