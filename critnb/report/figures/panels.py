"""What the figures share: curves with intervals, words for ids and rates, and the panel that has nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from critnb.canon import CANON, SliceRole, SpikeDef
from critnb.report.style import FAINT, GREY, INK, Ink, Scope

Floats = npt.NDArray[np.float64]

GAIN_LABEL = "gain g (dimensionless)"
SPIKE_WORDS = {
    SpikeDef.SPIKE_ONE_SIDED_POS: "one-sided events (z > τ)",
    SpikeDef.SPIKE_TWO_SIDED_ABS: "two-sided events (|z| > τ)",
}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DODGE = 0.16
_FINE_DECADES = 1.1
_COARSE_DECADES = 2.0
_MARGIN = 0.08


def rate_label(rate: float) -> str:
    """Return a target rate in words for legends, like ρ = 2·10⁻⁵."""
    return f"ρ = {power_of_ten(rate)}"


def power_of_ten(value: float) -> str:
    """Return a positive number like 2·10⁻⁵."""
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def log_ticks(axis: Any, low: float, high: float) -> None:
    """Put three to five labels on a logarithmic axis, be it half a decade long or three."""
    decades = np.log10(high / low)
    steps = (1, 2, 5) if decades < _FINE_DECADES else (1, 3) if decades < _COARSE_DECADES else (1,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def spike_defs(frame: pd.DataFrame) -> list[SpikeDef]:
    """Return the spike definitions of a table in the registry's order."""
    present = set(frame["spike_def_id"])
    return [spike_def for spike_def in SpikeDef if spike_def in present]


def scope_of(frame: pd.DataFrame, data_role: SliceRole) -> Scope:
    """Return the scope of a figure that shows all of a table."""
    rates = tuple(sorted(float(rate) for rate in frame["target_rate"].unique()))
    return Scope(data_role, tuple(spike_defs(frame)), rates)


def column(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as floats, NaN throughout where an optional column is absent."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    values: Floats = frame[name].to_numpy(dtype=np.float64)
    return values


def select(frame: pd.DataFrame, spike_def: SpikeDef, rate: float) -> pd.DataFrame:
    """Return one curve's rows, by gain."""
    rows = frame[(frame["spike_def_id"] == spike_def) & (frame["target_rate"] == rate)]
    return rows.sort_values("g" if "g" in rows.columns else "gain")


def dodge(gains: Floats, series: int, n_series: int) -> Floats:
    """Set the gains [G] of one of several series slightly aside, so that their intervals do not cover each other."""
    distinct = np.unique(gains)
    step = float(np.diff(distinct).min()) if len(distinct) > 1 else 0.0
    return gains + _DODGE * step * (series - (n_series - 1) / 2)


def curve(axes: Any, x: Floats, y: Floats, low: Floats, high: Floats, ink: Ink) -> None:
    """Draw points y with a line through them and their intervals; a percentile interval need not hold its point."""
    axes.vlines(x, low, high, color=ink.color, linewidth=0.9, alpha=0.75)
    axes.plot(x, y, color=ink.color, marker=ink.marker, markeredgewidth=0)


def ring(axes: Any, x: Floats, y: Floats, marked: npt.NDArray[np.bool_]) -> None:
    """Draw an open ring around the marked points, whole also at the panel's edge."""
    shown = marked & np.isfinite(y)
    if not shown.any():
        return
    look: dict[str, Any] = {"marker": "o", "markersize": 7, "fillstyle": "none", "color": INK, "mew": 0.8}
    axes.plot(x[shown], y[shown], linestyle="none", clip_on=False, **look)


def unavailable(axes: Any, reason: str) -> None:
    """Make the panel say why it shows nothing; ticks that it shares with other panels stay theirs."""
    for axis, shared in ((axes.xaxis, axes.get_shared_x_axes()), (axes.yaxis, axes.get_shared_y_axes())):
        if len(shared.get_siblings(axes)) == 1:
            axis.set_ticks([])
    axes.grid(visible=False)
    axes.set_facecolor("#f7f7f7")
    words = f"not available:\n{reason}"
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, fontsize=7, transform=axes.transAxes, wrap=True)


def baseline(axes: Any) -> None:
    """Mark the model's own gain with a faint upright line."""
    axes.axvline(CANON.CONST.GAIN_BASELINE, color=FAINT, linewidth=0.8, zorder=0.5)


def gain_axis(axes: Any, gains: Iterable[float], *, reach: float = 0.0) -> None:
    """Limit the axis to the grid with a margin that also holds what reaches beyond a gain by ``reach``."""
    distinct = np.unique(np.fromiter(gains, dtype=np.float64))
    margin = max(_MARGIN * (distinct[-1] - distinct[0]), 1.1 * reach) or _MARGIN
    axes.set_xlim(distinct[0] - margin, distinct[-1] + margin)


def rate_handles(looks: dict[float, Ink]) -> list[Line2D]:
    """Return a legend entry a target rate."""
    return [
        Line2D([], [], color=ink.color, marker=ink.marker, markeredgewidth=0, label=rate_label(rate))
        for rate, ink in looks.items()
    ]


def line_handle(label: str, **look: Any) -> Line2D:
    """Return a legend entry for a line."""
    return Line2D([], [], label=label, **look)


def ring_handle(label: str) -> Line2D:
    """Return the legend entry for ``ring``."""
    look: dict[str, Any] = {"marker": "o", "markersize": 6, "fillstyle": "none", "color": INK, "mew": 0.8}
    return Line2D([], [], linestyle="none", label=label, **look)


def band_handle(label: str) -> Patch:
    """Return a legend entry for a shaded band."""
    return Patch(facecolor=GREY, alpha=0.3, linewidth=0, label=label)


def legend_below(body: Any, handles: Sequence[Any], *, columns: int) -> None:
    """Put the legend outside the panels, under them."""
    body.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.4)
