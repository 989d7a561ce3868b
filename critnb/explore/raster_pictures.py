"""Rasters as matplotlib pictures, for pages without live widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from critnb.explore.selection import Box
from critnb.explore.window import Window
from critnb.report.style import INK, OKABE_ITO, styled

_BACKGROUND = "#fbfbfb"
_CELL_WIDTH = 0.092
_CELL_HEIGHT = 0.13
_LEAST_WIDTH = 4.0
_MOST_WIDTH = 24.0
_LABEL_SIZE = 6.0
# beyond, labels would overlap in the widest picture
_MOST_LABELS = 256


def raster_picture(
    window: Window, title: str, *, picked: int | None = None, view: Box | None = None, brush: Box | None = None
) -> Figure:
    """Draw a window: avalanches in their colours, layer 0 below, the tokens' text (or positions) along the axis.

    ``view`` is the part that is drawn, all of it for None; ``brush`` is framed.
    """
    figure, axes = _lattice(window.counts.shape, window.tokens, f"{title}: {window.words()}", view)
    layer, token = np.nonzero(window.counts)
    label = window.labels[layer, token]
    edges = np.where(label == picked, INK, "none") if picked is not None else "none"
    _squares(axes, layer, token, np.array(window.colours())[label] if len(label) else [], edges)
    if brush is not None:
        (first, last), (low, high) = brush.tokens, brush.layers
        frame = Rectangle((first - 0.5, low - 0.5), last - first + 1, high - low + 1)
        frame.set(fill=False, edgecolor=OKABE_ITO[0], linestyle="--", linewidth=1.0)
        axes.add_patch(frame)
    return figure


def kinds_picture(
    kinds: npt.NDArray[np.int64],
    colours: Sequence[str],
    tokens: Sequence[str] | None,
    title: str,
    view: Box | None = None,
) -> Figure:
    """Draw sites [L, T] in the colours of what they are; those below zero are empty."""
    figure, axes = _lattice(kinds.shape, tokens, title, view)
    layer, token = np.nonzero(kinds >= 0)
    _squares(axes, layer, token, np.array(colours)[kinds[layer, token]], "none")
    return figure


def _lattice(
    shape: tuple[int, ...], tokens: Sequence[str] | None, title: str, view: Box | None = None
) -> tuple[Figure, Any]:
    """Return a figure with empty axes of a lattice [L, T], or a part of it, as wide and as high as its sites ask for."""
    (first, last), (low, high) = (view.tokens, view.layers) if view else ((0, shape[1] - 1), (0, shape[0] - 1))
    n_tokens, n_layers = last - first + 1, high - low + 1
    width = float(np.clip(_CELL_WIDTH * n_tokens + 0.7, _LEAST_WIDTH, _MOST_WIDTH))
    shown = tokens[first : last + 1] if tokens and n_tokens <= _MOST_LABELS else None
    below = 0.25 + (0.055 * max(map(len, shown)) + 0.15 if shown else 0.25)
    body = max(0.7, _CELL_HEIGHT * n_layers)
    height = body + below + 0.3
    with styled():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0.5 / width, below / height, 1 - 0.6 / width, body / height))
        axes.set_facecolor(_BACKGROUND)
        axes.grid(visible=False)
        axes.set(xlim=(first - 0.5, last + 0.5), ylim=(low - 0.5, high + 0.5), ylabel="layer")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=min(8, n_layers)))
        axes.set_title(title, fontsize=7.5)
        if shown:
            # a dollar would begin a formula
            words = [token.replace("$", r"\$") for token in shown]
            axes.set_xticks(range(first, last + 1), words, rotation=90, fontsize=_LABEL_SIZE)
            axes.tick_params(axis="x", length=0, pad=2)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_xlabel("token position (index in the window)")
    return figure, axes


def _squares(axes: Any, layer: Any, token: Any, colours: Any, edges: Any) -> None:
    if not len(layer):
        return
    half = np.array([0.47, 0.46])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    squares = np.stack([token, layer], axis=-1)[:, None, :] + corners
    axes.add_collection(PolyCollection(list(squares), facecolors=colours, edgecolors=edges, linewidths=0.9))
