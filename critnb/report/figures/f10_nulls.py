"""F10: the excess of b_tot at g1 and g* over each null, and under it that along the diagonals, one of which is impossible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pandas as pd

from critnb.canon import SliceRole
from critnb.lattice import RASTER_NULLS
from critnb.report.figures import panels, rate_axes
from critnb.report.schema.nulls import null_columns
from critnb.report.style import INK, Drawing, Ink, canvas, styled


@dataclass(frozen=True)
class _Compared:
    """One series: the column, what it says, and its look."""

    column: str
    words: str
    ink: Ink
    look: dict[str, Any] = field(default_factory=dict)


# Looks that no target rate and no spike definition has, in the order of the registry.
_INKS = (Ink(INK, "o"), Ink("#56B4E9", "s"), Ink("#009E73", "D"), Ink("#CC79A7", "v"), Ink("#E69F00", "P"))
_LINES = ("-", (0, (4, 1.5)), "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))
_SERIES = (
    *(
        _Compared(
            null_columns(null_id).delta,
            f"real, against its {null.adjective} null" + (f": {null.asks}" if null.asks else ""),
            ink,
            {"linestyle": line},
        )
        for (null_id, null), ink, line in zip(RASTER_NULLS.items(), cycle(_INKS), cycle(_LINES), strict=False)
    ),
    _Compared(
        "opt_delta_b_tot_token_shuffle",
        "tokens shuffled, against its permutation null",
        Ink("#D55E00", "^"),
        panels.OPEN,
    ),
)
_DIAGONALS = (
    _Compared("opt_delta_b_diag", "real, one token and one layer on: (t+1, l+1)", Ink("#0072B2", ">")),
    _Compared(
        "opt_delta_b_anti",
        "real, the step that nothing can take: (t+1, l−1)",
        Ink("#882255", "<"),
        panels.OPEN | {"linestyle": "--"},
    ),
)
# how far apart two series of a rate stand, in rate steps
_APART = 0.08
_GAINS = {"opt_is_g1": "at g1 = 1", "opt_is_gstar": "at g*"}
_CAPTION = (
    "Upper panels: Δb_tot on A_raster over the target rate, at the model's own gain g1 and at g*, against each null. "
    + " ".join(f"{null.noun.capitalize()}: {null.breaks}." for null in RASTER_NULLS.values())
    + " Open triangles: the raster that the same model makes of shuffled tokens, its b_tot minus the expectation of its own "
    "permutation null; what it shares with the real excess does not need word order. Lower panels: the excess over the "
    "expectation of the permutation null along the two diagonals of the lattice. What a layer adds can reach a later layer of a "
    "later token, never an earlier one: the excess along (t+1, l−1) has other causes, and what is alike in (t+1, l+1) may have "
    "them too. Bars: 95 % intervals, bootstrap over sequences; the shuffled raster is one draw and has none. Zero line: nothing "
    "beyond the null."
)


def null_compare(t01: pd.DataFrame) -> Drawing:
    """Return F10 of a T01 frame: a row of panels per spike definition, columns g1 and g*; below them the diagonals."""
    kinds = panels.spike_defs(t01)
    n = len(kinds)
    with styled():
        figure, body = canvas(1.6 + 3.1 * n)
        grid = body.subplots(2 * n, 2, sharey="row", squeeze=False, height_ratios=[1.7] * n + [1.0] * n)
        _block(grid[:n], t01, _SERIES, "Δb_tot (successors/site)")
        _block(grid[n:], t01, _DIAGONALS, "Δb of a diagonal")
        for axes, title in zip(grid[0], _GAINS.values(), strict=True):
            axes.set_title(title)
        panels.drop_empty_scales(grid)
        panels.legend_below(body, [_handle(one) for one in (*_SERIES, *_DIAGONALS)], columns=2)
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _block(grid: Any, t01: pd.DataFrame, shown: Sequence[_Compared], ylabel: str) -> None:
    """Draw the same series in rows of panels, one per spike definition, and label the block."""
    for axes_row, kind in zip(grid, panels.spike_defs(t01), strict=True):
        axes_row[0].set_ylabel(f"{panels.SHORT_SPIKE_WORDS[kind]}\n{ylabel}")
        for axes, marked in zip(axes_row, _GAINS, strict=True):
            rows = t01[(t01["spike_def_id"] == kind) & (panels.column(t01, marked) == 1)]
            _panel(axes, rows.sort_values("target_rate"), t01["target_rate"], shown)
    for axes in grid[:-1].flat:
        axes.tick_params(labelbottom=False)
    for axes in grid[-1]:
        axes.set_xlabel(rate_axes.rate_axis_label(t01["target_rate"]))


def _panel(axes: Any, rows: pd.DataFrame, rates: pd.Series[Any], shown: Sequence[_Compared]) -> None:
    if not any(panels.has(rows, one.column) for one in shown):
        panels.unavailable(axes, "no null of these conditions" if len(rows) else "this gain is not in the table")
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    for series, one in enumerate(shown):
        x = rate_axes.spread(panels.column(rows, "target_rate"), series, len(shown), width=_APART * len(shown))
        low, high = panels.ends(rows, one.column)
        panels.curve(axes, x, panels.column(rows, one.column), low, high, one.ink, **one.look)
    rate_axes.rate_axis(axes, rates)


def _handle(one: _Compared) -> Any:
    return panels.line_handle(
        one.words, color=one.ink.color, marker=one.ink.marker, **({"markeredgewidth": 0} | one.look)
    )
