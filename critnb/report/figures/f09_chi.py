"""F09: the susceptibility chi over the gain: does it peak, and does it peak near g*? And the form that does not grow with rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, SliceRole
from critnb.report.figures import panels
from critnb.report.style import FAINT, GREY, INK, Drawing, Ink, canvas, inks, styled

_REACH = CANON.CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
_STAR: dict[str, Any] = {"linestyle": "none", "color": INK, "marker": "*", "mew": 0, "markersize": 5.5, "zorder": 4}
_NOTE = (
    "All raster nulls but that of token identity move events within a window only, so they keep the events of every window "
    "and chi exactly; what chi is compared with is that of tokens shuffled before the model reads them."
)
_CAPTION = (
    "Susceptibility chi over the MLP gain g on A_raster: variance over windows of the events per window, over their mean. "
    "Bars: 95 % intervals, bootstrap over sequences. Ring: g*; shaded: gains within "
    f"{_REACH:g} of g*, where description S2 wants the peak; star: the largest chi of the grid. Open markers: chi at g1 and "
    "g* when the model reads shuffled tokens. Lower rows: the intensive form (chi − 1) / mean, the squared coefficient of "
    "variation beyond that of a Poisson count, which does not grow with rate, layers or tokens. Each panel has its own "
    "vertical scale. " + _NOTE
)


def chi_curves(t01: pd.DataFrame) -> Drawing:
    """Return F09 of a T01 frame: a row of panels per spike definition and form of chi, a column per target rate."""
    looks, kinds = inks(t01["target_rate"]), panels.spike_defs(t01)
    with styled():
        figure, body = canvas(0.6 + 1.6 * 2 * len(kinds) * panels.n_blocks(looks), notes=[_NOTE])
        labels = [
            f"{panels.SHORT_SPIKE_WORDS[kind]}\n{what}"
            for what in ("chi (events)", "(chi − 1) / mean")
            for kind in kinds
        ]
        for rate, of_rate in panels.rate_columns(body, looks, labels, xlabel=panels.SHORT_GAIN_LABEL).items():
            for place, kind in enumerate(kinds):
                rows = panels.select(t01, kind, rate)
                _panel(of_rate[place], rows, looks[rate])
                _intensive_panel(of_rate[len(kinds) + place], rows, looks[rate])
        panels.legend_below(body, _handles(), columns=5)
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _panel(axes: Any, rows: pd.DataFrame, ink: Ink) -> None:
    gains, chi = panels.column(rows, "g"), panels.column(rows, "chi")
    if not np.isfinite(chi).any():
        panels.unavailable(axes, "chi is defined at no gain, no window has events")
        return
    panels.baseline(axes)
    for gstar in gains[panels.column(rows, "opt_is_gstar") == 1]:
        axes.axvspan(gstar - _REACH, gstar + _REACH, color=FAINT, alpha=0.4, linewidth=0, zorder=0.4)
    panels.gain_series(axes, rows, "chi", ink, series=0, n_series=1)
    shuffled = panels.column(rows, "opt_chi_token_shuffle")
    axes.plot(gains, shuffled, linestyle="none", color=ink.color, marker=ink.marker, **panels.OPEN)
    largest = np.nanargmax(chi)
    axes.plot(gains[largest], chi[largest], **_STAR)
    panels.gain_axis(axes, gains)
    axes.set_ylim(bottom=0)


def _intensive_panel(axes: Any, rows: pd.DataFrame, ink: Ink) -> None:
    if not np.isfinite(panels.column(rows, "opt_chi_intensive")).any():
        panels.unavailable(axes, "it is defined at no gain, no window has events")
        return
    panels.baseline(axes)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0.5)
    panels.gain_series(axes, rows, "opt_chi_intensive", ink, series=0, n_series=1)
    panels.gain_axis(axes, panels.column(rows, "g"))


def _handles() -> list[Any]:
    return [
        panels.line_handle("real", color=GREY, marker="o", mew=0),
        panels.line_handle("tokens shuffled", color=GREY, marker="o", linestyle="none", **panels.OPEN),
        panels.line_handle("largest chi of the grid", **_STAR),
        panels.ring_handle("g*"),
        panels.band_handle(f"within {_REACH:g} of g*"),
    ]
