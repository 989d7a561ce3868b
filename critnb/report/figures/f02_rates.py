"""F02: do the thresholds give the rates asked for, where they were fitted and where they were not?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, SliceRole
from critnb.lattice.thresholds import judged
from critnb.report.figures import panels
from critnb.report.figures.panels import Floats
from critnb.report.style import FAINT, GREY, INK, Drawing, Ink, canvas, inks, styled

_TOLERANCE = CANON.CONST.RATE_MATCH_TOL_REL
_GATE = f"gate: |events − k| ≤ max(1, {_TOLERANCE:g}·k)"
# Line width times lines that the right panel holds without their running into each other.
_HELD_OUT_POINTS = 60
_DODGE = 0.16
_CAPTION = (
    "Rate matching per layer and gain under MLP_GLOBAL. Left: achieved against target rate of every layer and gain; "
    "filled on A_cal, where the thresholds were fitted, open on the held-out A_raster; the line is equality. Middle: "
    "events minus target count k on A_cal in units of the tolerance max(1, "
    f"{_TOLERANCE:g}·k); the shaded gate is ± 1, one point a layer. Right: held-out rate on A_raster over target rate "
    "per layer; bars span the gains of the grid, points are the baseline gain."
)


def rate_match(tau: pd.DataFrame) -> Drawing:
    """Return F02 of the rows of tau_rate_matched.parquet with ``target_layer_rate``: a row of panels per spike definition."""
    rows = tau[tau["intervention_id"] == Intervention.MLP_GLOBAL]
    looks = inks(rows["target_rate"])
    kinds = panels.spike_defs(rows)
    with styled():
        figure, body = canvas(0.75 + 2.15 * len(kinds))
        grid = body.subplots(len(kinds), 3, squeeze=False)
        for axes_row, kind in zip(grid, kinds, strict=True):
            _row(axes_row, rows[rows["spike_def_id"] == kind], looks)
            axes_row[0].set_ylabel(f"{panels.SPIKE_WORDS[kind]}\nachieved rate (events/unit/token)")
        for axes, title in zip(grid[0], ("all layers and gains", "A_cal: the gate", "A_raster: held out"), strict=True):
            axes.set_title(title)
        labels = ("target rate (events/unit/token)", panels.GAIN_LABEL, "layer (index)")
        for axes, label in zip(grid[-1], labels, strict=True):
            axes.set_xlabel(label)
        panels.legend_below(body, [*panels.rate_handles(looks), *_handles()], columns=4)
    return Drawing(figure, _CAPTION + _of_ties(rows), panels.scope_of(rows, SliceRole.A_raster))


def _of_ties(rows: pd.DataFrame) -> str:
    """Say how many points lie outside the gate and pass."""
    beyond = int(judged(rows)["by_ties"].sum())
    return f" {beyond} points outside the gate pass: their miss is all values equal to the threshold." if beyond else ""


def _row(axes_row: Any, rows: pd.DataFrame, looks: dict[float, Ink]) -> None:
    """Fill the three panels of one spike definition."""
    drawers = {"achieved_rate": _scatter, "events": _gate, "achieved_rate_raster": _held_out}
    for axes, (needed, draw) in zip(axes_row, drawers.items(), strict=True):
        if np.isfinite(panels.column(rows, needed)).any():
            draw(axes, rows, looks)
        else:
            panels.unavailable(axes, f"no value of {needed}")


def _scatter(axes: Any, rows: pd.DataFrame, looks: dict[float, Ink]) -> None:
    targets = rows["target_layer_rate"].to_numpy(dtype=np.float64)
    ends = np.array([targets.min() / 1.6, targets.max() * 1.6])
    axes.plot(ends, ends, color=INK, linewidth=0.7)
    for rate, ink in looks.items():
        of_rate = rows[rows["target_rate"] == rate]
        x = of_rate["target_layer_rate"]
        look: dict[str, Any] = {"linestyle": "none", "color": ink.color, "marker": ink.marker}
        axes.plot(x, of_rate["achieved_rate_raster"], **look, fillstyle="none", mew=0.5, markersize=3.4, alpha=0.7)
        axes.plot(x, of_rate["achieved_rate"], **look, mew=0, markersize=2.4)
    axes.set(xscale="log", yscale="log")
    panels.log_ticks(axes.xaxis, *axes.get_xlim())
    panels.log_ticks(axes.yaxis, *axes.get_ylim())


def gate_units(rows: pd.DataFrame) -> Floats:
    """Return (events - k) / max(1, RATE_MATCH_TOL_REL * k): the gate passes within ± 1."""
    k = rows["target_events"].to_numpy(dtype=np.float64)
    units: Floats = (rows["events"].to_numpy(dtype=np.float64) - k) / np.maximum(1.0, _TOLERANCE * k)
    return units


def _gate(axes: Any, rows: pd.DataFrame, looks: dict[float, Ink]) -> None:
    axes.axhspan(-1, 1, color=FAINT, alpha=0.6, linewidth=0)
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = rows[rows["target_rate"] == rate]
        x = panels.dodge(panels.column(of_rate, "gain"), series, len(looks))
        axes.plot(x, gate_units(of_rate), linestyle="none", color=ink.color, marker=ink.marker, mew=0, markersize=2.6)
    reach = max(1.5, 1.15 * float(np.nanmax(np.abs(gate_units(rows)))))
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("events − k (tolerances)", labelpad=1)
    panels.gain_axis(axes, rows["gain"])


def _held_out(axes: Any, rows: pd.DataFrame, looks: dict[float, Ink]) -> None:
    axes.axhline(1.0, color=INK, linewidth=0.7)
    ratio = rows.assign(ratio=rows["achieved_rate_raster"] / rows["target_layer_rate"])
    width = min(1.2, _HELD_OUT_POINTS / (len(looks) * max(1, rows["layer"].nunique())))
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = ratio[ratio["target_rate"] == rate]
        over_gains = of_rate.groupby("layer")["ratio"].agg(["min", "max"])
        x = over_gains.index.to_numpy(dtype=np.float64) + _DODGE * (series - (len(looks) - 1) / 2)
        axes.vlines(x, over_gains["min"], over_gains["max"], color=ink.color, linewidth=width)
        own = (
            of_rate[of_rate["gain"] == CANON.CONST.GAIN_BASELINE].set_index("layer")["ratio"].reindex(over_gains.index)
        )
        axes.plot(x, own, linestyle="none", color=ink.color, marker=ink.marker, mew=0, markersize=2.5 * width)
    axes.set_ylabel("held-out / target rate (ratio)", labelpad=1)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _handles() -> list[Any]:
    return [
        panels.line_handle(SliceRole.A_cal, color=GREY, marker="o", linestyle="none", mew=0),
        panels.line_handle(SliceRole.A_raster, color=GREY, marker="o", linestyle="none", fillstyle="none", mew=0.6),
        panels.line_handle("equality", color=INK, linewidth=0.7),
        panels.band_handle(_GATE),
    ]
