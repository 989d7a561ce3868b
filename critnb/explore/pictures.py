"""The panels of branching and sizes as matplotlib pictures, in the style of the figures, and pictures as HTML."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from critnb.canon import CANON, Intervention, NullId
from critnb.explore.curves import QUANTITIES, BranchingCurves, Exponent, SizeCurves
from critnb.explore.selection import Selection
from critnb.lattice import RASTER_NULLS, SECONDARY, RasterNull
from critnb.report.figures import panels
from critnb.report.figures.f03_branching import TITLES
from critnb.report.figures.f14_tails import LAWS, survival
from critnb.report.figures.tail_curves import support
from critnb.report.schema.nulls import null_columns
from critnb.report.style import FAINT, GREY, INK, OKABE_ITO, styled

_DPI = 120
# speed matters: somebody waits for the picture
_FAST = {"compress_level": 3}
_INK = OKABE_ITO[0]
_MARK = OKABE_ITO[1]
# no law of the sizes has this colour
_PICKED = OKABE_ITO[4]
_LEGEND_COLUMNS, _LEGEND_ROW = 4, 0.16
NULL_WORDS = {null_id: null.rastered for null_id, null in RASTER_NULLS.items()} | {
    NullId.NULL_TOKEN_SHUFFLE_INPUT: "tokens shuffled before the model"
}
# of the nulls beside the primary one, whose line is dashed
_NULL_LINES = ((0, (1, 1.5)), (0, (4, 1, 1, 1)), (0, (2, 1)), (0, (1, 3)))
INTERVENTION_WORDS = {
    Intervention.MLP_GLOBAL: "MLP, all layers",
    Intervention.ATTN_GLOBAL: "attention, all layers",
    Intervention.MLP_BAND_EARLY: "MLP, first third",
    Intervention.MLP_BAND_MID: "MLP, middle third",
    Intervention.MLP_BAND_LATE: "MLP, last third",
}


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": CANON.PROJECT.ID}, pil_kwargs=_FAST)
    return buffer.getvalue()


def image(data: bytes, words: str) -> str:
    """Return a PNG as an HTML image with its bytes inline."""
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{html.escape(words, quote=True)}" src="data:image/png;base64,{encoded}" style="max-width:100%">'


def legend(named: Mapping[str, str]) -> str:
    """Return words with their colours as HTML."""
    return " ".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:10px;height:10px;background:{colour};'
        f'border:1px solid #999"></span> {html.escape(words)} </span>'
        for words, colour in named.items()
    )


def branching_picture(curves: BranchingCurves, selection: Selection) -> Figure:
    """Draw b_time, b_depth and b_tot over the MLP's gain with intervals and nulls, and the selection with its own null."""
    intervention = selection.condition.intervention_id
    with styled():
        handles = _branching_handles(curves, selection)
        # two rows of the legend fit, each further one asks for its own height
        further = _LEGEND_ROW * max(0, -(-len(handles) // _LEGEND_COLUMNS) - 2)
        height = 2.65 + further
        figure = Figure(figsize=(7.4, height))
        grid = figure.subplots(1, 3)
        bottom, top = (0.87 + further) / height, 1 - 0.3 / height
        figure.subplots_adjust(left=0.07, right=0.99, top=top, bottom=bottom, wspace=0.24)
        for axes, name in zip(grid, QUANTITIES, strict=True):
            axes.set_title(TITLES[name])
            axes.set_xlabel(panels.GAIN_LABEL if name == "b_depth" else panels.SHORT_GAIN_LABEL)
            _branching(axes, curves, name)
            _selected(axes, curves, name, intervention)
        grid[0].set_ylabel("successors/site")
        figure.legend(handles=handles, loc="lower center", ncols=_LEGEND_COLUMNS, columnspacing=1.2)
    return figure


def _branching(axes: Any, curves: BranchingCurves, name: str) -> None:
    rows = curves.rows
    gains, values = panels.column(rows, "g"), panels.column(rows, name)
    null, spread = panels.column(rows, f"{name}_perm"), 1.96 * panels.column(rows, f"opt_{name}_perm_sd")
    if name == "b_tot":
        axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
        for other, line in _secondary():
            mean = panels.column(rows, null_columns(other.null_id).mean)
            axes.plot(gains, mean, color=GREY, linestyle=line, linewidth=0.9)
    axes.fill_between(gains, null - spread, null + spread, color=GREY, alpha=0.25, linewidth=0)
    axes.plot(gains, null, color=GREY, linestyle=panels.DASHES, linewidth=0.9)
    axes.vlines(gains, *panels.ends(rows, name), color=_INK, linewidth=0.9, alpha=0.75)
    axes.plot(gains, values, color=_INK, marker="o", mew=0)
    if curves.gstar is not None:
        panels.ring(axes, gains, values, gains == curves.gstar)
    panels.gain_axis(axes, [*gains, curves.gain])
    axes.margins(y=0.15)


def _secondary() -> Iterator[tuple[RasterNull, Any]]:
    """Yield each null beside the primary one with the style of its line."""
    return zip(SECONDARY, cycle(_NULL_LINES), strict=False)


def _selected(axes: Any, curves: BranchingCurves, name: str, intervention: Intervention) -> None:
    axes.axvline(curves.gain, color=_MARK, linewidth=1.0, alpha=0.5, zorder=0.6)
    axes.plot(curves.gain, curves.null_here[name], **_NULL_HERE, zorder=4.9)
    axes.plot(curves.gain, curves.here[name], color=_MARK, marker=_here_marker(intervention), **_HERE, zorder=5)
    gains = panels.column(curves.rows, "g")
    left = curves.gain > np.mean([gains.min(), gains.max()])
    axes.annotate(
        f"{curves.here[name]:.3f}",
        (curves.gain, curves.here[name]),
        (-5 if left else 5, 5),
        textcoords="offset points",
        ha="right" if left else "left",
        color=_MARK,
        fontsize=7,
        zorder=6,
    )


def _here_marker(intervention: Intervention) -> str:
    return "o" if intervention is Intervention.MLP_GLOBAL else "D"


def _branching_handles(curves: BranchingCurves, selection: Selection) -> list[Any]:
    intervention = selection.condition.intervention_id
    here = "selected" if intervention is Intervention.MLP_GLOBAL else f"selected: {INTERVENTION_WORDS[intervention]}"
    handles = [
        panels.line_handle("MLP gain", color=_INK, marker="o", mew=0),
        panels.line_handle(here, color=_MARK, marker=_here_marker(intervention), **_HERE),
        panels.line_handle("b_tot = 1", color=INK, linestyle=":", linewidth=0.8),
    ]
    if panels.has(curves.rows, "b_tot_perm"):
        handles += [
            panels.line_handle("MLP gain, permuted", color=GREY, linestyle=panels.DASHES, linewidth=0.9),
            *(
                panels.line_handle(f"MLP gain, {null.name}", color=GREY, linestyle=line, linewidth=0.9)
                for null, line in _secondary()
            ),
        ]
    if np.isfinite(list(curves.null_here.values())).any():
        handles.append(panels.line_handle(f"selected, {NULL_WORDS[selection.null_id]}", **_NULL_HERE))
    return [*handles, panels.ring_handle("g*")] if curves.gstar is not None else handles


_HERE: dict[str, Any] = {"linestyle": "none", "mew": 0, "markersize": 5.5}
_NULL_HERE: dict[str, Any] = {
    "linestyle": "none", "color": _MARK, "marker": "s", "mew": 1.0, "markersize": 6.0, "mfc": "white",
}  # fmt: skip


def sizes_picture(curves: SizeCurves, null_id: NullId, *, picked_size: int | None = None) -> Figure:
    """Draw P(S ≥ s) of all windows, real and null, with the laws fitted to the real tail and the picked avalanche."""
    with styled():
        figure = Figure(figsize=(4.6, 2.65))
        axes = figure.add_axes((0.12, 0.17, 0.48, 0.71))
        axes.set(xscale="log", yscale="log", xlabel="size s (events)", ylabel="P(S ≥ s)")
        axes.set_title("sizes of all windows' avalanches")
        if not curves.real.n:
            panels.unavailable(axes, "no avalanches")
            return figure
        handles = [panels.line_handle("real", **_REAL)]
        if curves.null is not None and curves.null.n:
            axes.plot(*survival(curves.null), **_NULL)
            handles.append(panels.line_handle("null", **_NULL))
        handles += _laws(axes, curves)
        axes.plot(*survival(curves.real), **_REAL)
        if picked_size is not None:
            axes.axvline(picked_size, color=_PICKED, linewidth=1.2)
            handles.append(panels.line_handle("picked", color=_PICKED, linewidth=1.2))
        most = max(curves.real.n, curves.null.n if curves.null is not None else 0)
        axes.set_ylim(0.5 / most, 1.6)
        axes.minorticks_off()
        figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.61, 0.93))
        figure.text(0.625, 0.03, _size_words(curves, null_id), fontsize=6.5, va="bottom", color=INK, linespacing=1.3)
    return figure


_REAL: dict[str, Any] = {"linestyle": "none", "color": INK, "marker": "o", "mew": 0, "markersize": 2.6}
_NULL: dict[str, Any] = {
    "linestyle": "none", "color": GREY, "marker": "s", "mew": 0.6, "markersize": 2.8, "mfc": "white",
}  # fmt: skip


def _laws(axes: Any, curves: SizeCurves) -> list[Any]:
    """Draw each law on its support, scaled to the sample's share there; returns their legend entries."""
    if not curves.fitted:
        return []
    points = support(curves["xmin"], curves["xmax"])
    values, share = survival(curves.real)
    tail = float(share[np.searchsorted(values, curves["xmin"])]) if values[-1] >= curves["xmin"] else 0.0
    axes.axvline(curves["xmin"], color=FAINT, linewidth=0.9, zorder=0.5)
    reached = points <= 1.6 * values[-1]
    handles = []
    for law in LAWS:
        parameters = [curves[name] for name in law.columns]
        if np.isfinite(parameters).all():
            axes.plot(points[reached], tail * law.curve(points, *parameters)[reached], linewidth=1.0, **law.look)
            handles.append(panels.line_handle(law.words, linewidth=1.0, **law.look))
    return handles


def _size_words(curves: SizeCurves, null_id: NullId) -> str:
    words = [f"null: {NULL_WORDS[null_id]}"] if curves.null is not None else []
    if curves.fitted:
        words.append(_exponent_words("α, all avalanches", curves.alpha))
    for which, tau in curves.tau.items():
        words.append(
            _exponent_words("τ, uncensored" if which is NullId.NULL_NONE else "τ, uncensored, of the permuted", tau)
        )
    return "\n".join(words)


def _exponent_words(name: str, exponent: Exponent) -> str:
    if not np.isfinite(exponent.value):
        return f"{name},\n   not available"
    low, high = exponent.low, exponent.high
    interval = f" [{low:.2f}, {high:.2f}]" if np.isfinite([low, high]).all() else ""
    return f"{name},\n   from s ≥ {exponent.xmin:.0f}: {exponent.value:.2f}{interval}"
