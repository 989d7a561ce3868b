"""F12: do the exponents depend on the threshold, on which sites are neighbours, and on what is counted as size?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd

from critnb.canon import CANON, Adjacency, NullId, SizeDef, SliceRole, SpikeDef
from critnb.report.figures import panels, rate_axes
from critnb.report.style import GREY, Drawing, Ink, Scope, canvas, styled
from critnb.report.words import SPIKE_NAMES


@dataclass(frozen=True)
class _Exponent:
    """One column of panels: the column of T09, the stem of its interval's, its name in T09's reasons, and what it is."""

    column: str
    stem: str
    named: str
    size_def: SizeDef
    title: str
    mean_field: float


_EXPONENTS = (
    _Exponent("tau_S", "tau_S", "tau_S", SizeDef.SIZE_EVENTS, "tau_S, S in events", 1.5),
    _Exponent("tau_S", "tau_S", "tau_S", SizeDef.SIZE_SITES, "tau_S, S in sites", 1.5),
    _Exponent("alpha_D", "alpha_D", "alpha_D", SizeDef.SIZE_EVENTS, "alpha_D", 2.0),
    _Exponent("crackling_gamma", "crackling", "gamma", SizeDef.SIZE_EVENTS, "gamma, S in events", 2.0),
    _Exponent("crackling_gamma", "crackling", "gamma", SizeDef.SIZE_SITES, "gamma, S in sites", 2.0),
)
_NULLS = (NullId.NULL_NONE, NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM)
# The rates lie on the axis here, so that their colours are free.
_INKS = {Adjacency.ADJ_4N: Ink("#0072B2", "o"), Adjacency.ADJ_8N: Ink("#D55E00", "s")}
_NEIGHBOURS = {Adjacency.ADJ_4N: "4 neighbours", Adjacency.ADJ_8N: "8 neighbours"}
_WIDTH = 0.55
_LABELS = 4
_MEAN_FIELD = "mean-field critical branching, infinite lattice"
_NOTE = "Occupancy: the share of lattice sites with an event; the permutation null has the same."
_CAPTION = (
    "Exponents on A_raster over the target rate, which sets the threshold, at g* and at the model's own gain g = 1: tau_S "
    "of avalanche sizes and alpha_D of durations (avalanches that touch no edge, KS-optimal xmin), gamma of mean size "
    "against duration (all avalanches). Filled: real raster; open and dashed: one replicate of its permutation null, of the "
    "same density, on the real raster's support and durations. Sizes are counted in events and in sites. Bars: 95 % "
    "intervals given that support, bootstrap over sequences. Dotted: 3/2, 2 and 2, the values of "
    "mean-field critical branching on an infinite lattice, which a finite lattice does not show even at criticality. "
    "Independent sites alone form avalanches with a power-law look, so only the distance from the null counts. " + _NOTE
)


def threshold_sweep(t09: pd.DataFrame, *, gstar: Mapping[tuple[SpikeDef, float], float]) -> Drawing:
    """Return F12 of a T09 frame: two rows of panels per spike definition (g* and g = 1), a column per exponent."""
    kinds = panels.spike_defs(t09)
    rates = sorted({rate for _, rate in gstar})
    places = {"at g*": gstar, "at g = 1": dict.fromkeys(gstar, CANON.CONST.GAIN_BASELINE)}
    with styled():
        figure, body = canvas(0.85 + 1.45 * len(places) * len(kinds), notes=[_NOTE])
        grid = body.subplots(len(places) * len(kinds), len(_EXPONENTS), squeeze=False)
        for axes_row, (kind, (words, gains)) in zip(grid, product(kinds, places.items()), strict=True):
            axes_row[0].set_ylabel(f"{SPIKE_NAMES[kind]} events\n{words}")
            rows = _at(t09, kind, gains)
            for axes, exponent in zip(axes_row, _EXPONENTS, strict=True):
                _panel(axes, rows, exponent, rates)
        for axes, exponent in zip(grid[0], _EXPONENTS, strict=True):
            axes.set_title(exponent.title)
        body.supxlabel(f"{rate_axes.rate_axis_label(rates)}; below it the occupancy", fontsize=8)
        panels.legend_below(body, _handles(), columns=3, above=True)
    return Drawing(figure, _CAPTION, Scope(SliceRole.A_raster, tuple(kinds), tuple(rates)))


def _at(t09: pd.DataFrame, kind: SpikeDef, gains: Mapping[tuple[SpikeDef, float], float]) -> pd.DataFrame:
    """Return the rows of one spike definition at the gain that each target rate has in ``gains``, by rate."""
    of_kind = t09[t09["spike_def_id"] == kind]
    wanted = of_kind["target_rate"].map({rate: gain for (of, rate), gain in gains.items() if of == kind})
    return of_kind[of_kind["g"] == wanted].sort_values("target_rate")


def _panel(axes: Any, rows: pd.DataFrame, exponent: _Exponent, rates: list[float]) -> None:
    rows = rows[rows["size_def"] == exponent.size_def]
    if not panels.has(rows, exponent.column):
        panels.unavailable(axes, _why(rows, exponent))
        return
    axes.axhline(exponent.mean_field, color=GREY, linewidth=0.7, linestyle=":")
    series = list(product(_INKS, _NULLS))
    for i, (adjacency, null_id) in enumerate(series):
        own = rows[(rows["adjacency"] == adjacency) & (rows["null_id"] == null_id)]
        x = rate_axes.spread(panels.column(own, "target_rate"), i, len(series), width=_WIDTH)
        low, high = (panels.column(own, f"{exponent.stem}_ci_{end}") for end in ("low", "high"))
        panels.curve(axes, x, panels.column(own, exponent.column), low, high, _INKS[adjacency], **_look(null_id))
    occupancy = rows.groupby("target_rate")["occupancy"].first()
    rate_axes.rate_axis(axes, rates, notes=[_percent(occupancy.get(rate)) for rate in rates], labels=_LABELS)
    axes.tick_params(axis="x", labelsize=6)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2g}%"


def _why(rows: pd.DataFrame, exponent: _Exponent) -> str:
    """Return what T09 says of this exponent at the highest rate that has a reason."""
    for _, row in rows[rows["null_id"] == NullId.NULL_NONE].iloc[::-1].iterrows():
        for part in row["reason"].split("; "):
            word, _, why = part.partition(": ")
            if word == exponent.named and why:
                return f"{why} (at {panels.rate_label(row['target_rate'])})"
    return "no value in the table"


def _look(null_id: NullId) -> dict[str, Any]:
    return {} if null_id == NullId.NULL_NONE else {"linestyle": panels.DASHES, "linewidth": 0.7, **panels.OPEN}


def _handles() -> list[Any]:
    return [
        *(
            panels.line_handle(_NEIGHBOURS[adjacency], color=ink.color, marker=ink.marker, mew=0)
            for adjacency, ink in _INKS.items()
        ),
        panels.line_handle("real", color=GREY, marker="o", mew=0),
        panels.line_handle("permutation null", color=GREY, marker="o", **_look(_NULLS[1])),
        panels.line_handle(_MEAN_FIELD, color=GREY, linewidth=0.7, linestyle=":"),
    ]
