"""F10: the excess of b_tot at g1 and g* over each null, beside that of a raster made from shuffled tokens."""

from __future__ import annotations

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
_SERIES = (
    *(
        _Compared(
            null_columns(null_id).delta,
            f"real, against its {null.adjective} null" + (f": {null.asks}" if null.asks else ""),
            ink,
        )
        for (null_id, null), ink in zip(RASTER_NULLS.items(), cycle(_INKS), strict=False)
    ),
    _Compared(
        "opt_delta_b_tot_token_shuffle",
        "tokens shuffled, against its permutation null",
        Ink("#D55E00", "^"),
        panels.OPEN,
    ),
    _Compared(
        "opt_delta_b_tot_vs_shuffles",
        "real, minus shuffled tokens at matched rates",
        Ink("#882255", "X"),
    ),
)
_WIDTH = 0.16
_GAINS = {"opt_is_g1": "at g1 = 1", "opt_is_gstar": "at g*"}
_CAPTION = (
    "Δb_tot on A_raster over the target rate, at the model's own gain g1 and at g*, against each null. "
    + " ".join(f"{null.noun.capitalize()}: {null.breaks}." for null in RASTER_NULLS.values())
    + " Open markers: the raster that the same model makes of shuffled tokens, its b_tot minus the expectation of its own "
    "permutation null; what it shares with the real excess does not need word order. Bars: 95 % intervals, bootstrap over "
    "sequences; the shuffled raster is one draw and has none. The last series: the real excess minus the mean of many shuffles "
    "whose rates were matched again, in the windows that were shuffled; each bootstrap replicate draws one shuffle anew. Zero "
    "line: nothing beyond the null."
)


def null_compare(t01: pd.DataFrame) -> Drawing:
    """Return F10 of a T01 frame: a row of panels per spike definition, columns g1 and g*, a colour per null."""
    kinds = panels.spike_defs(t01)
    with styled():
        figure, body = canvas(0.75 + 1.85 * len(kinds))
        labels = {"xlabel": rate_axes.rate_axis_label(t01["target_rate"]), "ylabel": "Δb_tot (successors/site)"}
        grid = panels.kind_rows(body, kinds, list(_GAINS.values()), sharey="row", **labels)
        for axes_row, kind in zip(grid, kinds, strict=True):
            for axes, marked in zip(axes_row, _GAINS, strict=True):
                rows = t01[(t01["spike_def_id"] == kind) & (panels.column(t01, marked) == 1)]
                _panel(axes, rows.sort_values("target_rate"), t01["target_rate"])
        panels.drop_empty_scales(grid)
        panels.legend_below(body, [_handle(one) for one in _SERIES], columns=2)
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _panel(axes: Any, rows: pd.DataFrame, rates: pd.Series[Any]) -> None:
    if not any(panels.has(rows, one.column) for one in _SERIES):
        panels.unavailable(axes, "no null of these conditions" if len(rows) else "this gain is not in the table")
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    for series, one in enumerate(_SERIES):
        x = rate_axes.spread(panels.column(rows, "target_rate"), series, len(_SERIES), width=_WIDTH)
        low, high = panels.ends(rows, one.column)
        panels.curve(axes, x, panels.column(rows, one.column), low, high, one.ink, **one.look)
    rate_axes.rate_axis(axes, rates)


def _handle(one: _Compared) -> Any:
    return panels.line_handle(
        one.words, color=one.ink.color, marker=one.ink.marker, **({"markeredgewidth": 0} | one.look)
    )
