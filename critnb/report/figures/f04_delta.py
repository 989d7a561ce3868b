"""F04: how far b_tot lies above each raster null, over the gain."""

from __future__ import annotations

from typing import Any

import pandas as pd

from critnb.canon import SliceRole, SpikeDef
from critnb.lattice import RASTER_NULLS
from critnb.report.figures import panels
from critnb.report.schema.nulls import null_columns
from critnb.report.style import INK, Drawing, Ink, canvas, inks, styled

_NULLS = {null_columns(null_id).delta: f"against the {null.adjective} null" for null_id, null in RASTER_NULLS.items()}
# what the note says in its own words of the two nulls that are always there
_SAID = ("perm", "shift")
_NOTE = (
    "The shift rolls each row whole, so it keeps b_time up to the seam: in the "
    f"{'right' if len(_NULLS) == len(_SAID) else 'second'} column Δb is the part along depth. The permutation breaks both."
    + "".join(f" {null.name.capitalize()}: {null.breaks}." for null in RASTER_NULLS.values() if null.short not in _SAID)
)
_CAPTION = (
    "Δb_tot = b_tot minus the mean of b_tot over the replicates of a raster null of the same condition, on A_raster. "
    "Bars: 95 % intervals, bootstrap over sequences with the null resampled alike. Zero line: nothing beyond the null. "
    "Ring: g*. " + _NOTE
)


def null_delta(t01: pd.DataFrame) -> Drawing:
    """Return F04 of a T01 frame: a row of panels per spike definition, a column per null, a colour per target rate."""
    looks = inks(t01["target_rate"])
    kinds = panels.spike_defs(t01)
    with styled():
        figure, body = canvas(0.7 + 1.95 * len(kinds), notes=[_NOTE])
        labels = {"xlabel": panels.GAIN_LABEL, "ylabel": "Δb_tot (successors/site)"}
        grid = panels.kind_rows(body, kinds, list(_NULLS.values()), sharey="row", **labels)
        for axes_row, spike_def in zip(grid, kinds, strict=True):
            for axes, name in zip(axes_row, _NULLS, strict=True):
                _panel(axes, t01, spike_def, name, looks)
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
