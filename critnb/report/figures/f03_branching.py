"""F03: branching along tokens, along depth and in total over the gain, beside the permutation null."""

from __future__ import annotations

from typing import Any

import pandas as pd

from critnb.canon import SliceRole, SpikeDef
from critnb.report.figures import panels
from critnb.report.style import INK, Drawing, Ink, canvas, inks, styled

TITLES = {
    "b_time": "b_time (along tokens)",
    "b_depth": "b_depth (along layers)",
    "b_tot": "b_tot = b_time + b_depth",
}
_CAPTION = (
    "Branching ratios over the MLP gain g on the held-out slice A_raster: active successors per eligible active site, "
    "along tokens, along layers, and their sum. Bars: 95 % intervals, bootstrap over sequences. Dashed: mean of the "
    "permutation null of the same condition; band: ± 1.96 standard deviations of its replicates, where the table has "
    "them. Dotted: b_tot = 1. Ring: g*. The null rises with the density of events, so only the distance from it counts."
)


def branching_curves(t01: pd.DataFrame) -> Drawing:
    """Return F03 of a T01 frame: a row of panels per spike definition, a colour per target rate."""
    looks = inks(t01["target_rate"])
    kinds = panels.spike_defs(t01)
    with styled():
        figure, body = canvas(0.75 + 1.95 * len(kinds))
        labels = {"xlabel": panels.GAIN_LABEL, "ylabel": "branching (successors/site)"}
        grid = panels.kind_rows(body, kinds, list(TITLES.values()), **labels)
        for axes_row, spike_def in zip(grid, kinds, strict=True):
            for axes, name in zip(axes_row, TITLES, strict=True):
                _panel(axes, t01, spike_def, name, looks)
        panels.drop_empty_scales(grid)
        panels.legend_below(body, [*panels.rate_handles(looks), *_handles()], columns=4)
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _panel(axes: Any, t01: pd.DataFrame, spike_def: SpikeDef, name: str, looks: dict[float, Ink]) -> None:
    rows = t01[t01["spike_def_id"] == spike_def]
    if not panels.has(rows, name):
        panels.unavailable(axes, panels.why(rows, "no condition has eligible active sites"))
        return
    if name == "b_tot":
        axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
    for rate, ink in looks.items():
        _null(axes, panels.select(t01, spike_def, rate), name, ink)
    panels.gain_curves(axes, t01, spike_def, name, looks)


def _null(axes: Any, rows: pd.DataFrame, name: str, ink: Ink) -> None:
    gains = panels.column(rows, "g")
    null, spread = panels.column(rows, f"{name}_perm"), 1.96 * panels.column(rows, f"opt_{name}_perm_sd")
    axes.fill_between(gains, null - spread, null + spread, color=ink.color, alpha=0.18, linewidth=0)
    axes.plot(gains, null, color=ink.color, linestyle=panels.DASHES, linewidth=0.8)


def _handles() -> list[Any]:
    return [
        panels.null_handle(),
        panels.band_handle("permutation null, ± 1.96 sd"),
        panels.unity_handle(),
        panels.ring_handle("g*"),
    ]
