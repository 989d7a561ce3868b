"""F05: how g* was chosen: b_tot over the gain on A_cal, and how often the bootstrap chooses each gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from critnb.canon import SliceRole, SpikeDef
from critnb.report.figures import panels
from critnb.report.figures.panels import Floats
from critnb.report.style import FAINT, GREY, INK, Drawing, Ink, Scope, canvas, inks, styled

_ALARM = "#B00020"
_CRITERION = (
    "Criterion: g* = argmin over the grid of |b_tot(g) − 1| on A_cal; ties go to the gain closest to 1, then to the smaller. "
    "No loss and no accuracy enters. Filled markers: gains of the 95 % confidence set, whose distance of b_tot from one cannot be "
    "told from the smallest; open: ruled out. Not identified: the set holds more than g*."
)
_CAPTION = (
    "Choice of g* per spike definition and target rate. Upper panels: pooled b_tot over the MLP gain on A_cal, the line "
    "at one, g* (dashed, ring) and, where b_tot crosses one, the 95 % interval of the crossing (shaded). Lower panels: "
    "share of bootstrap replicates that choose each gain. " + _CRITERION
)


def gstar_selection(choices: Sequence[Mapping[str, Any]]) -> Drawing:
    """Return F05 of gstar.json's entries: ``GstarChoice.as_dict`` with spike_def_id and target_rate added."""
    found = {(SpikeDef(entry["spike_def_id"]), float(entry["target_rate"])): entry for entry in choices}
    kinds = panels.in_order(kind for kind, _ in found)
    looks = inks(rate for _, rate in found)
    with styled():
        figure, body = canvas(0.55 + 2.5 * len(kinds), notes=[_CRITERION])
        heights = [3.0, 1.0] * len(kinds)
        grid = body.subplots(
            2 * len(kinds), len(looks), sharex=True, sharey="row", squeeze=False, height_ratios=heights
        )
        for i, kind in enumerate(kinds):
            for column, (rate, ink) in enumerate(looks.items()):
                _cell(grid[2 * i][column], grid[2 * i + 1][column], rate, found.get((kind, rate)), ink)
            grid[2 * i][0].set_ylabel(f"{panels.SPIKE_WORDS[kind]}\nb_tot (successors/site)")
            grid[2 * i + 1][0].set_ylabel("share of\nreplicates")
        for axes in grid[-1]:
            axes.set_xlabel("gain g" if len(looks) > 2 else panels.GAIN_LABEL)
    return Drawing(figure, _CAPTION, Scope(SliceRole.A_cal, tuple(kinds), tuple(looks)))


def _cell(curve: Any, bars: Any, rate: float, entry: Mapping[str, Any] | None, ink: Ink) -> None:
    curve.set_title(_title(rate, entry), color=INK if entry is None or entry["identified"] else _ALARM, fontsize=7)
    if entry is None or not np.isfinite(_floats(entry["b_tot"])).any():
        panels.unavailable(curve, "no choice for this rate" if entry is None else "b_tot is defined at no gain")
        panels.unavailable(bars, "no choice")
        return
    gains = _floats(entry["gains"])
    _curve(curve, entry, gains, ink)
    width = 0.7 * float(np.diff(np.sort(gains)).min()) if len(gains) > 1 else 0.05
    _bars(bars, gains, _floats(entry["chosen_share"]), width, entry["gstar"], ink)
    panels.gain_axis(bars, gains, reach=width / 2)


def _curve(axes: Any, entry: Mapping[str, Any], gains: Floats, ink: Ink) -> None:
    low, high = _number(entry["crossing_ci_low"]), _number(entry["crossing_ci_high"])
    if np.isfinite(low) and np.isfinite(high):
        axes.axvspan(low, high, color=FAINT, alpha=0.6, linewidth=0)
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
    axes.axvline(entry["gstar"], color=ink.color, linewidth=0.8, linestyle=(0, (4, 2)))
    b_tot, ruled_out = _floats(entry["b_tot"]), ~np.isin(gains, entry["confidence_set"])
    axes.plot(gains, b_tot, color=ink.color, marker=ink.marker, markeredgewidth=0)
    points = {"color": ink.color, "marker": ink.marker, "linestyle": "none"}
    axes.plot(gains[ruled_out], b_tot[ruled_out], **points, **panels.OPEN)
    panels.ring(axes, gains, b_tot, gains == entry["gstar"])


def _title(rate: float, entry: Mapping[str, Any] | None) -> str:
    lines = [panels.rate_label(rate)]
    if entry is not None:
        lines.append(f"g* = {entry['gstar']:g}" + (" (grid's edge)" if entry["at_grid_edge"] else ""))
        lines += [] if entry["identified"] else ["not identified"]
    return "\n".join(lines)


def _bars(axes: Any, gains: Floats, share: Floats, width: float, gstar: float, ink: Ink) -> None:
    axes.bar(gains, share, width, color=[ink.color if gain == gstar else GREY for gain in gains], linewidth=0)
    axes.set_ylim(0, 1.05)
    axes.set_yticks([0, 0.5, 1])


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([_number(value) for value in values])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
