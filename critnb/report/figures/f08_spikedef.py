"""F08: one-sided and two-sided events on the same axes: is the picture the same under both definitions?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import SliceRole, SpikeDef
from critnb.report.figures import panels
from critnb.report.style import INK, Drawing, canvas, styled

_OVERLAP, _APART = "opt_spike_def_overlap", "opt_spike_def_sites_apart"
_STATISTICS = {"b_tot": "b_tot", "delta_b_tot": "Δb_tot"}
_CAPTION = (
    "Both definitions of an activation event on the same axes, a column a target rate ρ, over the MLP gain g on the "
    "held-out slice A_raster. Upper panels: b_tot, and dashed the mean of its permutation null. Lower panels: Δb_tot, the "
    "distance between the two. Bars: 95 % intervals, bootstrap over sequences. Ring: g* of that definition. Each panel has "
    "its own vertical scale. What carries over from one definition to the other is the shape of Δb_tot over g and its "
    "distance from zero; b_tot itself rises with the density of events, which may differ between the definitions. Under each "
    "rate, over the gains: events at one site under both definitions, of those under either. Where all are shared, both "
    "are one raster, and that the curves agree says nothing."
)


def spikedef_robust(t01: pd.DataFrame) -> Drawing:
    """Return F08 of a T01 frame: b_tot above Δb_tot, a column per target rate, a colour per spike definition."""
    kinds = panels.spike_defs(t01)
    rates = t01["target_rate"]
    with styled():
        figure, body = canvas(0.5 + 3.4 * panels.n_blocks(rates))
        labels = [f"{word} (successors/site)" for word in _STATISTICS.values()]
        for rate, of_rate in panels.rate_columns(body, rates, labels, xlabel=panels.SHORT_GAIN_LABEL).items():
            of_rate[0].set_title(f"{panels.rate_label(rate)}{_shared(t01[rates == rate])}")
            for axes, name in zip(of_rate, _STATISTICS, strict=True):
                _panel(axes, t01[t01["target_rate"] == rate], name, kinds)
        panels.legend_below(body, _handles(kinds), columns=5)
    return Drawing(figure, _CAPTION, panels.scope_of(t01, SliceRole.A_raster))


def _shared(rows: pd.DataFrame) -> str:
    """Return the line that says how far both definitions see the same events at a rate; empty where that is unknown."""
    if panels.has(rows, _APART) and (panels.column(rows, _APART) == 0).all():
        return "\nthe same events under both"
    shared = panels.column(rows, _OVERLAP)
    shared = shared[np.isfinite(shared)]
    return f"\nshared: {100 * shared.min():.1f} to {100 * shared.max():.1f} %" if len(shared) else ""


def _panel(axes: Any, rows: pd.DataFrame, name: str, kinds: Sequence[SpikeDef]) -> None:
    if not panels.has(rows, name):
        has_sites = panels.has(rows, "b_tot")
        otherwise = "no null of these conditions" if has_sites else "no eligible active sites at this rate"
        panels.unavailable(axes, panels.why(rows, otherwise))
        return
    panels.baseline(axes)
    axes.axhline(1.0 if name == "b_tot" else 0.0, color=INK, linewidth=0.8, linestyle=":" if name == "b_tot" else "-")
    for series, kind in enumerate(kinds):
        of_kind, ink = rows[rows["spike_def_id"] == kind].sort_values("g"), panels.SPIKE_INKS[kind]
        if name == "b_tot":
            null = panels.column(of_kind, "b_tot_perm")
            axes.plot(of_kind["g"], null, color=ink.color, linestyle=(3 * series, (3, 3)), linewidth=0.8)
        panels.gain_series(axes, of_kind, name, ink, series=series, n_series=len(kinds))
    panels.gain_axis(axes, rows["g"])


def _handles(kinds: Sequence[SpikeDef]) -> list[Any]:
    return [
        *panels.spike_handles(kinds),
        panels.null_handle(),
        panels.unity_handle(),
        panels.ring_handle("g*"),
    ]
