"""The raster to hover and click, and its still twin for pages without live widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from IPython.display import HTML, display

from critnb.api.arrays import EventsLike
from critnb.canon import Adjacency
from critnb.explore.pictures import image, png, raster_picture
from critnb.explore.twin import Twin
from critnb.explore.window import Facts, Window

_HERE = Path(__file__).parent
NOTHING = -1


class RasterWidget(anywidget.AnyWidget):
    """The live picture of one window; ``picked`` is the clicked avalanche, NOTHING for none.

    ``site`` is the clicked site, [token, layer], empty for none. ``twin`` names the still picture that is hidden while this
    widget is alive in a page.
    """

    _esm = _HERE / "raster.js"
    _css = _HERE / "raster.css"
    scene = traitlets.Dict(default_value={"length": 0, "layers": 0, "sites": [], "avalanches": [], "tokens": []}).tag(
        sync=True
    )
    picked = traitlets.Int(NOTHING).tag(sync=True)
    site = traitlets.List(traitlets.Int(), default_value=[]).tag(sync=True)
    twin = traitlets.Unicode("").tag(sync=True)

    def show(self, window: Window, title: str, *, picked: int | None = None, wide: bool = False) -> None:
        """Show a window; ``wide`` leaves room for the text of tokens even where there is none, as in the raster above."""
        with self.hold_sync():
            self.scene = scene(window, title) | {"wide": wide or window.tokens is not None}
            self.picked = NOTHING if picked is None else picked
            self.site = []


def scene(window: Window, title: str) -> dict[str, Any]:
    """Return a window as the browser draws it: sites [token, layer, avalanche], and colour and words of each avalanche."""
    layer, token = np.nonzero(window.counts)
    sites = np.stack([token, layer, window.labels[layer, token]], axis=-1)
    n_layers, n_tokens = window.counts.shape
    avalanches = []
    for avalanche_id, colour in enumerate(window.colours()):
        facts = window.facts(avalanche_id)
        avalanches.append({"colour": colour, "words": facts.words(), "tokens": list(facts.tokens)})
    return {
        "title": f"{title}: {window.words()}",
        "layers": n_layers,
        "length": n_tokens,
        "sites": sites.tolist(),
        "avalanches": avalanches,
        "tokens": list(window.tokens or ()),
    }


class RasterView:
    """Any occupancy or count array [L, T] as a raster: a live widget in a notebook, a picture in an exported page."""

    def __init__(self, window: Window, title: str) -> None:
        self.window = window
        self.title = title
        self.widget = RasterWidget()
        self._twin = Twin(lambda: str(self.picture().data))
        self.widget.twin = self._twin.name
        self.widget.show(window, title)
        self.widget.observe(lambda _: self._twin.renew(), "picked")

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
        data = png(raster_picture(self.window, self.title, picked=picked))
        return HTML(image(data, f"{self.title}: {self.window.words()}"))

    def _ipython_display_(self) -> None:
        display(self.widget)
        self._twin.display()


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
