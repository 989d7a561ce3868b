"""The raster to hover and click, and its still twin for pages without live widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets
from IPython.display import HTML

from critnb.api.arrays import EventsLike
from critnb.canon import Adjacency
from critnb.explore.pictures import image, png
from critnb.explore.raster_pictures import raster_picture
from critnb.explore.selection import Box
from critnb.explore.twin import Twin, unseen_unless_somebody_is_there
from critnb.explore.window import Facts, Window
from critnb.report.style import INK

_HERE = Path(__file__).parent
NOTHING = -1
_EMPTY: dict[str, Any] = {
    "title": "",
    "length": 0,
    "layers": 0,
    "sites": [],
    "avalanches": [],
    "order": [],
    "tokens": [],
}


class RasterWidget(anywidget.AnyWidget):
    """The live picture of one window; ``picked`` is the clicked avalanche, NOTHING for none.

    ``site`` is the clicked site, [token, layer], empty for none; ``view`` and ``brush`` are the numbers of a ``Box``, empty for
    none. ``tools`` asks for buttons; ``twin`` names the still picture that is hidden while this widget is alive in a page.
    ``panel`` is the CSS class of what it is part of, and ``visited`` whether somebody has turned to that.
    """

    _esm = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("raster_draw.js", "raster.js"))
    _css = _HERE / "raster.css"
    scene = traitlets.Dict(default_value=_EMPTY).tag(sync=True)
    picked = traitlets.Int(NOTHING).tag(sync=True)
    site = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)
    view = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)
    brush = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)
    tools = traitlets.Bool(False).tag(sync=True)
    twin = traitlets.Unicode("").tag(sync=True)
    panel = traitlets.Unicode("").tag(sync=True)
    visited = traitlets.Bool(False).tag(sync=True)

    def show(self, window: Window, title: str, *, picked: int | None = None) -> None:
        """Show a window."""
        self.draw(scene(window, title), picked=picked)

    def draw(self, scene: Mapping[str, Any], *, picked: int | None = None) -> None:
        """Show a scene; a part of a window of another shape is neither zoomed to nor brushed any longer."""
        with self.hold_sync():
            if (scene["length"], scene["layers"]) != (self.scene["length"], self.scene["layers"]):
                self.view, self.brush = [], []
            self.scene = dict(scene)
            self.picked = NOTHING if picked is None else picked
            self.site = []


def scene(window: Window, title: str) -> dict[str, Any]:
    """Return a window as the browser draws it: sites [token, layer, avalanche, events], and avalanches by id with their order."""
    layer, token = np.nonzero(window.counts)
    sites = np.stack([token, layer, window.labels[layer, token], window.counts[layer, token]], axis=-1)
    avalanches = []
    for avalanche_id, colour in enumerate(window.colours()):
        facts = window.facts(avalanche_id)
        ends = {"tokens": list(facts.tokens), "layers": list(facts.layers)}
        avalanches.append({"colour": colour, "words": facts.words(), **ends})
    return {
        **_framed(f"{title}: {window.words()}", window.counts.shape, window.tokens),
        "sites": sites.tolist(),
        "avalanches": avalanches,
        "order": window.by_size,
    }


def kinds_scene(
    kinds: npt.NDArray[np.int64], title: str, named: Mapping[str, str], tokens: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return sites [L, T] by what they are, -1 for none, as the browser draws them; ``named`` is each kind's words and colour."""
    layer, token = np.nonzero(kinds >= 0)
    sites = np.stack([token, layer, kinds[layer, token], np.ones_like(token)], axis=-1)
    # the ink of pages is that of their theme
    groups = [
        {"colour": "var(--critnb-ink)" if colour == INK else colour, "words": words} for words, colour in named.items()
    ]
    return {
        **_framed(title, kinds.shape, tokens),
        "sites": sites.tolist(),
        "avalanches": groups,
        "order": list(range(len(groups))),
        "kinds": True,
    }


def _framed(title: str, shape: tuple[int, ...], tokens: Sequence[str] | None) -> dict[str, Any]:
    n_layers, n_tokens = shape
    return {"title": title, "layers": n_layers, "length": n_tokens, "tokens": list(tokens or ())}


class RasterView:
    """Any occupancy or count array [L, T] as a raster: a live widget in a notebook, a picture in an exported page."""

    def __init__(self, window: Window, title: str) -> None:
        self.window = window
        self.title = title
        self._twin = Twin(lambda: str(self.picture().data))
        with unseen_unless_somebody_is_there():
            self.widget = RasterWidget(tools=True, twin=self._twin.name)
        self.widget.show(window, title)
        self.widget.observe(lambda _: self._twin.renew(), ["picked", "view", "brush"])

    @property
    def picked(self) -> Facts | None:
        """The avalanche that was clicked."""
        return None if self.widget.picked == NOTHING else self.window.facts(self.widget.picked)

    def on_pick(self, callback: Callable[[Facts | None], object]) -> None:
        """Call ``callback`` with each avalanche that is clicked, None when one is released."""
        self.widget.observe(lambda _: callback(self.picked), "picked")

    def picture(self) -> HTML:
        """Return the still picture."""
        picked = None if self.widget.picked == NOTHING else self.widget.picked
        view, brush = Box.of(self.widget.view), Box.of(self.widget.brush)
        data = png(raster_picture(self.window, self.title, picked=picked, view=view, brush=brush))
        return HTML(image(data, f"{self.title}: {self.window.words()}"))

    def _ipython_display_(self) -> None:
        self._twin.display(self.widget)


def raster_view(
    array: EventsLike,
    tokens: Sequence[str] | None = None,
    *,
    adjacency: str = Adjacency.ADJ_4N,
    title: str = "raster",
) -> RasterView:
    """Show one window [L, T] of anything that ``critnb.event_counts`` takes, with its avalanches coloured.

    ``tokens`` label the T columns. The avalanches are those of ``critnb.avalanches``.

    Raises:
        DataError: as ``event_counts``, several sequences, or another number of tokens than T.
        ParamsError: an unknown adjacency.
    """
    return RasterView(Window.of(array, adjacency=adjacency, tokens=tokens), title)
