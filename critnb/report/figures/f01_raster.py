"""F01: one window's raster with its avalanches in colours, above the permutation null of the same window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PolyCollection

from critnb.canon import CANON, Adjacency, Intervention, NullId, SliceRole, SpikeDef
from critnb.criticality import EMPTY_SITE, Avalanches, find_avalanches, label_sites
from critnb.errors import DataError
from critnb.lattice import Raster
from critnb.report.figures import panels
from critnb.report.style import OKABE_ITO, Drawing, Scope, canvas, styled

_SINGLE = "#b5b5b5"
_BACKGROUND = "#fbfbfb"
_COLOURS = OKABE_ITO[:6]
_NEAR = 2
_PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
_RULE = (
    "Picked by rule: first spike definition, highest target rate, its g*; of its windows the one with the median number "
    "of events (the lower median, the first such window)."
)
_READING = "Colour: avalanche (neighbours differ; the same colour far apart means nothing). Grey: single sites."


@dataclass(frozen=True)
class Example:
    """The window that F01 shows: the condition's id and the window's place on the axis N of the raster."""

    cond_id: int
    row: int


def pick_example(raster: Raster, gstar: Mapping[tuple[SpikeDef, float], float]) -> Example:
    """Return the window by the caption's rule; raises DataError where the raster lacks the condition at g*."""
    spike_def = next(kind for kind in SpikeDef if any(key[0] == kind for key in gstar))
    rate = max(key[1] for key in gstar if key[0] == spike_def)
    wanted = {"spike_def_id": spike_def, "target_rate": rate, "gain": gstar[spike_def, rate]}
    found = raster.conditions.where(**wanted, intervention_id=Intervention.MLP_GLOBAL, null_id=NullId.NULL_NONE)
    if not found:
        raise DataError(
            f"F01: the raster has no condition {wanted}; {CANON.OUTPUT.GSTAR_JSON_BASENAME} is of another run"
        )
    events = raster.counts[found[0]].sum(axis=(1, 2), dtype=np.int64)
    order = np.argsort(events, kind="stable")
    return Example(found[0], int(np.flatnonzero(events == events[order[(len(order) - 1) // 2]])[0]))


def raster_example(
    real: Raster, null: Raster, *, gstar: Mapping[tuple[SpikeDef, float], float], adjacency: Adjacency
) -> Drawing:
    """Return F01: the picked window of ``real`` and the same window of its permutation replicate in ``null``.

    Raises DataError where a raster lacks the condition.
    """
    example = pick_example(real, gstar)
    condition = real.conditions[example.cond_id]
    twin = null.conditions.index(condition.with_null(_PERM))
    n_layers, n_tokens = real.counts.shape[2:]
    with styled():
        notes = [f"{_READING} {_RULE}"]
        figure, body = canvas(2 * max(1.0, 0.3 + 0.075 * n_layers) + 0.5, notes=notes)
        upper, lower = body.subplots(2, 1, sharex=True, sharey=True)
        seq_id = real.seq_id[[example.row]]
        _panel(upper, real.counts[example.cond_id, [example.row]], seq_id, adjacency, "real")
        _panel(lower, null.counts[twin, [example.row]], seq_id, adjacency, "permutation null of the same window")
        lower.set(
            xlabel="token position (index in the window)", xlim=(-0.5, n_tokens - 0.5), ylim=(-0.5, n_layers - 0.5)
        )
    scope = Scope(SliceRole.A_raster, (condition.spike_def_id,), (condition.target_rate,))
    return Drawing(figure, _caption(real, example, adjacency), scope)


def _caption(real: Raster, example: Example, adjacency: Adjacency) -> str:
    condition = real.conditions[example.cond_id]
    return (
        f"Activation events of window {real.seq_id[example.row]} on the token x layer lattice at "
        f"{panels.SPIKE_WORDS[condition.spike_def_id]}, {panels.rate_label(condition.target_rate)}, g = {condition.gain:g}, "
        f"with avalanches ({adjacency}) coloured, above one permutation replicate of the same window. {_READING} {_RULE}"
    )


def _panel(axes: Any, counts: npt.NDArray[np.uint16], seq_id: Any, adjacency: Adjacency, title: str) -> None:
    axes.set_facecolor(_BACKGROUND)
    axes.grid(visible=False)
    axes.set_ylabel("layer (index)")
    axes.yaxis.get_major_locator().set_params(integer=True)
    if not counts.any():
        axes.set_title(title)
        axes.text(
            0.5, 0.5, "not available: no events in this window", ha="center", va="center", transform=axes.transAxes
        )
        return
    found = find_avalanches(counts, seq_id, adjacency)
    labels = label_sites(counts, seq_id, adjacency)[0]
    layer, token = np.nonzero(labels != EMPTY_SITE)
    colours = np.array(colour_avalanches(found))
    axes.add_collection(PolyCollection(_squares(token, layer), facecolors=colours[labels[layer, token]], linewidths=0))
    several = int((found.area > 1).sum())
    axes.set_title(
        f"{title}: {int(found.size.sum())} events, {len(found)} avalanches, {several} of more than one site, "
        f"the largest of {int(found.size.max())} events",
        fontsize=7.5,
    )


def _squares(token: npt.NDArray[np.intp], layer: npt.NDArray[np.intp]) -> list[npt.NDArray[np.float64]]:
    """Return the corners [4, 2] of one square per site, with a hair of background between neighbours."""
    half = np.array([0.47, 0.46])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return list(np.stack([token, layer], axis=-1)[:, None, :] + corners)


def colour_avalanches(found: Avalanches) -> list[str]:
    """Return one colour per avalanche: grey for single sites, else one that no avalanche within two sites has, if any is left.

    Colours are given in turn, in the order of the avalanches, so that the result depends on the raster alone.
    """
    colours: list[str] = []
    for i, area in enumerate(found.area):
        if area == 1:
            colours.append(_SINGLE)
            continue
        taken = {colours[j] for j in _close_to(found, i)}
        turn = _COLOURS[i % len(_COLOURS) :] + _COLOURS[: i % len(_COLOURS)]
        colours.append(next((colour for colour in turn if colour not in taken), turn[0]))
    return colours


def _close_to(found: Avalanches, i: int) -> npt.NDArray[np.intp]:
    """Return the earlier avalanches whose bounding box comes within two sites of avalanche i's."""
    before = slice(0, i)
    near = (found.t_min[before] <= found.t_max[i] + _NEAR) & (found.t_max[before] >= found.t_min[i] - _NEAR)
    near &= (found.l_min[before] <= found.l_max[i] + _NEAR) & (found.l_max[before] >= found.l_min[i] - _NEAR)
    return np.flatnonzero(near)
