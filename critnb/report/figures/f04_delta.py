"""F04: how far b_tot lies above each raster null, over the gain."""

from __future__ import annotations

from typing import Any

import pandas as pd

from critnb.canon import SliceRole, SpikeDef
from critnb.lattice import RASTER_NULLS
from critnb.report.figures import panels
from critnb.report.schema.nulls import null_columns
from critnb.report.style import INK, Drawing, Ink, canvas, inks, styled

_NULLS = {null_columns(null_id).delta: null for null_id, null in RASTER_NULLS.items()}
_NOTE = " ".join(f"{null.name.capitalize()}: {null.breaks}." for null in RASTER_NULLS.values())
_CAPTION = (
    "Δb_tot = b_tot minus the mean of b_tot over the replicates of a raster null of the same condition, on A_raster; a row "
    "of panels per null, each on a scale of its own. Bars: 95 % intervals, bootstrap over sequences with the null resampled "
    "alike. Zero line: nothing beyond the null. Ring: g*. " + _NOTE
)


def null_delta(t01: pd.DataFrame) -> Drawing:
    """Return F04 of a T01 frame: a row of panels per null, a column per spike definition, a colour per target rate."""
    looks = inks(t01["target_rate"])
    kinds = panels.spike_defs(t01)
    with styled():
        figure, body = canvas(0.7 + 1.25 * len(_NULLS), notes=[_NOTE])
        grid = body.subplots(len(_NULLS), len(kinds), sharex=True, sharey="row", squeeze=False)
        for axes_row, (name, null) in zip(grid, _NULLS.items(), strict=True):
            axes_row[0].set_ylabel(f"Δb_tot against\n{null.name}")
            for axes, spike_def in zip(axes_row, kinds, strict=True):
                _panel(axes, t01, spike_def, name, looks)
        for axes, spike_def in zip(grid[0], kinds, strict=True):
            axes.set_title(panels.SPIKE_WORDS[spike_def])
        for axes in grid[-1]:
            axes.set_xlabel(panels.GAIN_LABEL)
        panels.drop_empty_scales(grid)
        handles = [*panels.rate_handles(looks), panels.ring_handle("g*")]
        panels.legend_below(body, handles, columns=min(len(handles), 5))
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _panel(axes: Any, t01: pd.DataFrame, spike_def: SpikeDef, name: str, looks: dict[float, Ink]) -> None:
    rows = t01[t01["spike_def_id"] == spike_def]
    if not panels.has(rows, name):
        panels.unavailable(axes, panels.why(rows, "no null of these conditions"))
        return
    axes.axhline(0.0, color=INK, linewidth=0.8)
    panels.gain_curves(axes, t01, spike_def, name, looks)
