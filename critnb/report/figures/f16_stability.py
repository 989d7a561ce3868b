"""F16: the Lyapunov exponent along depth over the gain, above b_tot and branching by intervention at the same gains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import GCondition, SliceRole, SpikeDef
from critnb.report.figures import panels
from critnb.report.style import GREY, INK, Drawing, Ink, canvas, inks, styled

_LOOK = Ink(INK, "o")
_LATER = Ink(GREY, "o")
_CAPTION = (
    "Upper panel: the largest Lyapunov exponent along depth over the MLP gain g: how fast a small random disturbance of the "
    "residual stream grows from layer to layer, relative to the stream, in nats per layer, mean over layers, directions and "
    "windows; dashed: without the first layer, which adds to bare embeddings. Below zero it fades; at zero lies the edge of "
    "stability. It knows nothing of events. Middle: b_tot of the raster at the same gains, dotted at one. Lower: σ_depth by "
    "knock-outs, at g1 and g*. Bars: 95 % intervals, bootstrap over windows. Ring: g*."
)


def stability(exponents: pd.DataFrame, metrics: pd.DataFrame, t10: pd.DataFrame) -> Drawing:
    """Return F16 of the exponents by gain, S03's metrics of MLP_GLOBAL and T10, all over the same grid of gains.

    exponents: g, lyapunov, its interval's ends and reason, one row per gain.
    """
    kinds, looks = panels.spike_defs(t10), inks(t10["target_rate"])
    gains = metrics["gain"]
    with styled():
        figure, body = canvas(5.6)
        grid = body.add_gridspec(3, len(kinds), height_ratios=(1.25, 1.0, 1.0))
        top = body.add_subplot(grid[0, :])
        _exponent(top, exponents, gains)
        for place, kind in enumerate(kinds):
            middle, low = (body.add_subplot(grid[row, place]) for row in (1, 2))
            _branching(middle, metrics, kind, looks)
            _knock_outs(low, t10[t10["spike_def_id"] == kind], looks, _apart(gains))
            middle.set_title(f"b_tot, {panels.SPIKE_WORDS[kind]}")
            low.set_title(f"σ_depth, {panels.SPIKE_WORDS[kind]}")
            low.set_xlabel(panels.GAIN_LABEL)
            for axes in (middle, low):
                panels.baseline(axes)
                panels.gain_axis(axes, gains, reach=_apart(gains) * (len(looks) + 1) / 2)
            if not place:
                middle.set_ylabel("successors/site")
                low.set_ylabel("events/event")
        handles = [*_exponent_handles(exponents), *panels.rate_handles(looks), panels.unity_handle()]
        panels.legend_below(body, [*handles, panels.ring_handle("g*")], columns=4)
    return Drawing(figure, _CAPTION, panels.scope_of(t10, SliceRole.A_raster))


def _exponent(axes: Any, exponents: pd.DataFrame, gains: Any) -> None:
    axes.set_title("Lyapunov exponent along depth")
    axes.set_ylabel("nats/layer")
    if not panels.has(exponents, "lyapunov"):
        reasons = exponents.get("lyapunov_reason", pd.Series(dtype=str))
        panels.unavailable(axes, next((str(words) for words in reasons if words), "the model gives no exponent"))
        return
    panels.baseline(axes)
    axes.axhline(0.0, color=INK, linewidth=0.8)
    gain, value, low, high = (panels.column(exponents, name) for name in ("g", *_with_ends("lyapunov")))
    panels.curve(axes, gain, value, low, high, _LOOK)
    value, low, high = (panels.column(exponents, name) for name in _with_ends("beyond_first"))
    if np.isfinite(value).any():
        panels.curve(axes, gain, value, low, high, _LATER, linestyle="--")
    panels.gain_axis(axes, gains)


def _exponent_handles(exponents: pd.DataFrame) -> list[Any]:
    lines = (
        ("lyapunov", "exponent, all layers", _LOOK, "-"),
        ("beyond_first", "without the first layer", _LATER, "--"),
    )
    return [
        panels.line_handle(words, color=ink.color, marker=ink.marker, mew=0, linestyle=line)
        for name, words, ink, line in lines
        if panels.has(exponents, name)
    ]


def _branching(axes: Any, metrics: pd.DataFrame, kind: SpikeDef, looks: dict[float, Ink]) -> None:
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
    for rate, ink in looks.items():
        rows = panels.select(metrics, kind, rate)
        gains, b_tot = panels.column(rows, "gain"), panels.column(rows, "b_tot")
        axes.plot(gains, b_tot, color=ink.color, marker=ink.marker, markeredgewidth=0)
        panels.absent(axes, gains[np.isnan(b_tot)], ink)
        panels.ring(axes, gains, b_tot, panels.column(rows, "is_gstar") == 1)


def _knock_outs(axes: Any, rows: pd.DataFrame, looks: dict[float, Ink], apart: float) -> None:
    """Draw a rate's points ``apart`` from the next rate's, so that intervals at one gain do not cover each other."""
    if not panels.has(rows, "sigma_depth"):
        panels.unavailable(axes, next((str(words) for words in rows["reason"] if words), "no value in the table"))
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    for series, (rate, ink) in enumerate(looks.items()):
        of_rate = rows[rows["target_rate"] == rate].sort_values("g_condition")
        gain, y, low, high = (panels.column(of_rate, name) for name in ("g", *_with_ends("sigma_depth")))
        x = gain + apart * (series - (len(looks) - 1) / 2)
        panels.curve(axes, x, y, low, high, ink, linestyle="none")
        panels.ring(axes, x, y, (of_rate["g_condition"] == str(GCondition.gstar)).to_numpy())


def _with_ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_ci_low", f"{name}_ci_high"


def _apart(gains: Any) -> float:
    span = float(np.max(gains) - np.min(gains))
    return 0.025 * span if span else 0.01
