"""What the figures share: curves with intervals, words for ids and rates, and the panel that has nothing to show."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from critnb.canon import CANON, DatasetRole, SliceRole, SpikeDef
from critnb.report.style import FAINT, GREY, INK, Ink, Scope

Floats = npt.NDArray[np.float64]

GAIN_LABEL = "gain g (dimensionless)"
SHORT_GAIN_LABEL = "gain g"
SPIKE_WORDS = {
    SpikeDef.SPIKE_ONE_SIDED_POS: "one-sided events (z > τ)",
    SpikeDef.SPIKE_TWO_SIDED_ABS: "two-sided events (|z| > τ)",
}
SHORT_SPIKE_WORDS = {kind: words.partition(" (")[0] for kind, words in SPIKE_WORDS.items()}
# No rate has these looks, so that a curve of a spike definition is not taken for that of a rate.
SPIKE_INKS = {
    SpikeDef.SPIKE_ONE_SIDED_POS: Ink("#000000", ">"),
    SpikeDef.SPIKE_TWO_SIDED_ABS: Ink("#E69F00", "d"),
}
DASHES = (0, (3, 2))
OPEN: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 0.8, "markersize": 2.8}
_ABSENT = "absent"
_REASON = "opt_reason_branching"
_CROSS: dict[str, Any] = {"linestyle": "none", "marker": "x", "markersize": 3.2, "markeredgewidth": 0.8}
_CROSS_HEIGHT = 0.03
_MOST_COLUMNS = 4
# How many characters of a reason fit on an inch, and how many a small panel holds in all.
_REASON_CHARACTERS = 18
_REASON_LENGTH = 150
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
    return in_order(frame["spike_def_id"])


def in_order(present: Iterable[str]) -> list[SpikeDef]:
    """Return the spike definitions that are present, in the registry's order."""
    found = set(present)
    return [spike_def for spike_def in SpikeDef if spike_def in found]


def scope_of(frame: pd.DataFrame, data_role: SliceRole | DatasetRole) -> Scope:
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


def has(frame: pd.DataFrame, name: str) -> bool:
    """Say whether a column holds any number."""
    return bool(np.isfinite(column(frame, name)).any())


def ends(rows: pd.DataFrame, name: str) -> tuple[Floats, Floats]:
    """Return the interval's ends of an optional statistic, whose columns are named ``opt_..._ci_low`` and ``_high``."""
    stem = f"opt_{name.removeprefix('opt_')}"
    return column(rows, f"{stem}_ci_low"), column(rows, f"{stem}_ci_high")


def gain_series(axes: Any, rows: pd.DataFrame, name: str, ink: Ink, *, series: int, n_series: int) -> None:
    """Draw a column of T01 over the gain as one of ``n_series`` curves, with its intervals and a ring at g*."""
    x, y = dodge(column(rows, "g"), series, n_series), column(rows, name)
    curve(axes, x, y, *ends(rows, name), ink)
    ring(axes, x, y, column(rows, "opt_is_gstar") == 1)


def gain_curves(axes: Any, t01: pd.DataFrame, spike_def: SpikeDef, name: str, looks: dict[float, Ink]) -> None:
    """Draw a column of T01 over the gain, one curve per target rate."""
    baseline(axes)
    for series, (rate, ink) in enumerate(looks.items()):
        gain_series(axes, select(t01, spike_def, rate), name, ink, series=series, n_series=len(looks))
    gain_axis(axes, t01["g"])


def curve(axes: Any, x: Floats, y: Floats, low: Floats, high: Floats, ink: Ink, **look: Any) -> None:
    """Draw points y with a line through them and their intervals; a percentile interval need not hold its point."""
    axes.vlines(x, low, high, color=ink.color, linewidth=0.9, alpha=0.75)
    axes.plot(x, y, color=ink.color, marker=ink.marker, **({"markeredgewidth": 0} | look))
    absent(axes, x[np.isnan(y)], ink)


def absent(axes: Any, places: Floats, ink: Ink, *, on_left: bool = False) -> None:
    """Put a cross at the panel's lower (or left) edge where a point has no value."""
    if not len(places):
        return
    edge = np.full(len(places), _CROSS_HEIGHT)
    transform = axes.get_yaxis_transform() if on_left else axes.get_xaxis_transform()
    at = (edge, places) if on_left else (places, edge)
    axes.plot(*at, color=ink.color, transform=transform, gid=_ABSENT, **_CROSS)


def ring(axes: Any, x: Floats, y: Floats, marked: npt.NDArray[np.bool_]) -> None:
    """Draw an open ring around the marked points, whole also at the panel's edge."""
    shown = marked & np.isfinite(y)
    if not shown.any():
        return
    look: dict[str, Any] = {"marker": "o", "markersize": 7, "fillstyle": "none", "color": INK, "mew": 0.8}
    axes.plot(x[shown], y[shown], linestyle="none", clip_on=False, **look)


def why(rows: pd.DataFrame, otherwise: str) -> str:
    """Return the first reason that rows of T01 or T02 give for a missing branching ratio, else ``otherwise``."""
    said = [words for words in rows.get(_REASON, ()) if words]
    return str(said[0]) if said else otherwise


def unavailable(axes: Any, reason: str) -> None:
    """Make the panel say why it shows nothing; ticks that it shares with other panels stay theirs."""
    for axis, shared in ((axes.xaxis, axes.get_shared_x_axes()), (axes.yaxis, axes.get_shared_y_axes())):
        if len(shared.get_siblings(axes)) == 1:
            axis.set_ticks([])
    axes.grid(visible=False)
    axes.set_facecolor("#f7f7f7")
    words = f"not available:\n{broken(axes, reason)}"
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, fontsize=6.5, transform=axes.transAxes)


def drop_empty_scales(grid: Any) -> None:
    """Remove the ticks that a row or column of panels shares if none of its panels shows anything."""
    for axes in grid.flat:
        for axis, shared in ((axes.xaxis, axes.get_shared_x_axes()), (axes.yaxis, axes.get_shared_y_axes())):
            if not any(other.lines for other in shared.get_siblings(axes)):
                axis.set_ticks([])


def broken(axes: Any, words: str) -> str:
    """Break a reason into the lines that a panel of this grid holds; the tables have what had to be cut."""
    columns = axes.get_gridspec().ncols
    width = int(axes.get_figure(root=True).get_figwidth() / (columns + 0.5) * _REASON_CHARACTERS)
    return "\n".join(textwrap.wrap(textwrap.shorten(words, _REASON_LENGTH, placeholder=" …"), width))


def kind_rows(
    body: Any, kinds: Sequence[SpikeDef], titles: Sequence[str], *, xlabel: str, ylabel: str, sharey: str | bool = False
) -> Any:
    """Return the axes [kinds, titles] of a grid with a row per spike definition, named at its edges."""
    grid = body.subplots(len(kinds), len(titles), sharex=True, sharey=sharey, squeeze=False)
    for axes, kind in zip(grid[:, 0], kinds, strict=True):
        axes.set_ylabel(f"{SPIKE_WORDS[kind]}\n{ylabel}")
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    return grid


def n_blocks(rates: Iterable[float]) -> int:
    """Return how often the rows of ``rate_columns`` are repeated to give every rate a column."""
    return len(_blocks(rates))


def rate_columns(body: Any, rates: Iterable[float], ylabels: Sequence[str], *, xlabel: str) -> dict[float, list[Any]]:
    """Return each rate's column of axes, one per label of ``ylabels``; rates that do not fit on the page continue below."""
    blocks, n = _blocks(rates), len(ylabels)
    grid = body.subplots(n * len(blocks), len(blocks[0]), squeeze=False)
    columns: dict[float, list[Any]] = {}
    for i, block in enumerate(blocks):
        part = grid[i * n : (i + 1) * n]
        for axes, label in zip(part[:, 0], ylabels, strict=True):
            axes.set_ylabel(label)
        for axes in part[:, len(block) :].flat:
            axes.remove()
        for rate, of_rate in zip(block, part.T, strict=False):
            of_rate[0].set_title(rate_label(rate))
            of_rate[-1].set_xlabel(xlabel)
            columns[rate] = list(of_rate)
    return columns


def _blocks(rates: Iterable[float]) -> list[list[float]]:
    distinct = sorted(set(rates))
    return [distinct[i : i + _MOST_COLUMNS] for i in range(0, len(distinct), _MOST_COLUMNS)]


def baseline(axes: Any) -> None:
    """Mark the model's own gain with a faint upright line."""
    axes.axvline(CANON.CONST.GAIN_BASELINE, color=FAINT, linewidth=0.8, zorder=0.5)


def gain_axis(axes: Any, gains: Iterable[float], *, reach: float = 0.0) -> None:
    """Limit the axis to the grid with a margin that also holds what reaches beyond a gain by ``reach``."""
    distinct = np.unique(np.fromiter(gains, dtype=np.float64))
    margin = max(_MARGIN * (distinct[-1] - distinct[0]), 1.1 * reach) or _MARGIN
    axes.set_xlim(distinct[0] - margin, distinct[-1] + margin)


def rate_handles(looks: dict[float, Ink]) -> list[Line2D]:
    """Return a legend entry per target rate."""
    return [
        Line2D([], [], color=ink.color, marker=ink.marker, markeredgewidth=0, label=rate_label(rate))
        for rate, ink in looks.items()
    ]


def point_handles(looks: dict[float, Ink]) -> list[Line2D]:
    """Return a legend entry per target rate for panels that draw no lines."""
    handles = rate_handles(looks)
    for handle in handles:
        handle.set_linestyle("none")
    return handles


def spike_handles(kinds: Iterable[SpikeDef]) -> list[Line2D]:
    """Return a legend entry per spike definition."""
    looks = {SPIKE_WORDS[kind]: SPIKE_INKS[kind] for kind in kinds}
    return [line_handle(words, color=ink.color, marker=ink.marker, mew=0) for words, ink in looks.items()]


def line_handle(label: str, **look: Any) -> Line2D:
    """Return a legend entry for a line."""
    return Line2D([], [], label=label, **look)


def null_handle() -> Line2D:
    """Return the legend entry for the dashed mean of the permutation null."""
    return line_handle("permutation null, mean", color=GREY, linestyle=DASHES, linewidth=0.8)


def unity_handle() -> Line2D:
    """Return the legend entry for the dotted line at b_tot = 1."""
    return line_handle("b_tot = 1", color=INK, linestyle=":", linewidth=0.8)


def ring_handle(label: str) -> Line2D:
    """Return the legend entry for ``ring``."""
    look: dict[str, Any] = {"marker": "o", "markersize": 6, "fillstyle": "none", "color": INK, "mew": 0.8}
    return Line2D([], [], linestyle="none", label=label, **look)


def band_handle(label: str) -> Patch:
    """Return a legend entry for a shaded band."""
    return Patch(facecolor=GREY, alpha=0.3, linewidth=0, label=label)


def legend_below(body: Any, handles: Sequence[Any], *, columns: int, above: bool = False) -> None:
    """Put the legend outside the panels, under them (or above), with an entry for crosses where there are any."""
    crosses = any(line.get_gid() == _ABSENT for axes in body.axes for line in axes.lines)
    entries = [*handles, line_handle("not available", color=GREY, **_CROSS)] if crosses else handles
    place = "outside upper center" if above else "outside lower center"
    body.legend(handles=entries, loc=place, ncols=columns, columnspacing=1.4)
