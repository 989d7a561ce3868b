"""The live mode's knock-out: the events of a clicked site put out, and in colour what vanishes and appears above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from critnb.errors import CritnbError
from critnb.explore import pictures
from critnb.explore.raster import RasterWidget, kinds_scene
from critnb.explore.raster_pictures import kinds_picture
from critnb.explore.twin import sentence
from critnb.explore.window import Window
from critnb.report.style import INK, OKABE_ITO
from critnb.report.words import counted

if TYPE_CHECKING:
    from critnb.events.site_knock_out import SiteKnockOut

# what a site of the raster after a knock-out is, with its colour, in the order of the picture's paths
KINDS = {
    "stays": "#c4c4c4",
    "put out": INK,
    "vanishes": OKABE_ITO[1],
    "appears": OKABE_ITO[0],
    "vanishes and appears": OKABE_ITO[3],
}
_STAYS, _OUT, _LOST, _NEW, _BOTH = range(len(KINDS))
_TITLE = "after the knock-out"
_HINT = "Click an event in the raster, or keep an avalanche by Enter, to put it out."


class KnockOutView:
    """A button, a line of words and a raster; ``compute(token, layer)`` puts out the events of a site."""

    def __init__(self, compute: Callable[[int, int], SiteKnockOut], renew: Callable[[], object]) -> None:
        self._compute = compute
        self._renew = renew
        self._window: Window | None = None
        self._site: tuple[int, int] | None = None
        self._kinds: np.ndarray[Any, Any] | None = None
        self.button = w.Button(
            description="Knock out", disabled=True, tooltip="put the events of the clicked site to their mean"
        )
        self.said = w.HTML(_HINT)
        self.raster = RasterWidget(layout=w.Layout(display="none"))
        for widget, name in ((self.button, "knock-out"), (self.said, "knocked-out"), (self.raster, "after")):
            widget.add_class(f"critnb-live-{name}")
        self.button.on_click(lambda _: self.run())
        self.box = w.VBox([w.HBox([self.button, self.said]), self.raster], layout=w.Layout(display="none"))

    def use(self, window: Window | None) -> None:
        """Take the window of a new answer, or none; what was knocked out in the one before is gone."""
        self._window, self._kinds = window, None
        self.box.layout.display = "none" if window is None else None
        self.choose([])

    def choose(self, site: Sequence[int]) -> None:
        """Take the clicked site [token, layer], empty for none."""
        self._site = (site[0], site[1]) if len(site) else None
        self.button.disabled = self._site is None
        if self._kinds is None:
            self.said.value = _HINT if self._site is None else f"Token {site[0]}, layer {site[1]} is chosen."
            self.raster.layout.display = "none"

    def run(self) -> None:
        """Put out the events of the chosen site and show what follows; errors are shown."""
        if self._site is None or self._window is None:
            return
        token, layer = self._site
        self._kinds = None
        try:
            found = self._compute(token, layer)
        except CritnbError as error:
            self.raster.layout.display = "none"
            self.said.value = str(sentence(str(error)).data)
        else:
            self._show(found, token, layer)
        self._renew()

    def still(self) -> str:
        """Return the last knock-out as HTML with a picture, nothing where there was none."""
        if self._kinds is None or self._window is None:
            return ""
        data = pictures.png(kinds_picture(self._kinds, list(KINDS.values()), self._window.tokens, _TITLE))
        return f"<p>{self.said.value}</p>{pictures.legend(KINDS)}<br>{pictures.image(data, f'events {_TITLE}')}"

    def _show(self, found: SiteKnockOut, token: int, layer: int) -> None:
        if self._window is None:
            return
        self._kinds = kinds_of(self._window, found, token=token, layer=layer)
        self.said.value = words(found, token, layer)
        self.raster.layout.display = None
        self.raster.draw(kinds_scene(self._kinds, _TITLE, KINDS, self._window.tokens))


def kinds_of(window: Window, found: SiteKnockOut, *, token: int, layer: int) -> np.ndarray[Any, Any]:
    """Return what each site [L, T] is after a knock-out: its place in ``KINDS``, -1 where nothing was and is."""
    kinds = np.where(window.counts > 0, _STAYS, -1)
    lost, new = found.lost > 0, found.new > 0
    kinds[lost], kinds[new], kinds[lost & new] = _LOST, _NEW, _BOTH
    kinds[layer, token] = _OUT
    return kinds


def words(found: SiteKnockOut, token: int, layer: int) -> str:
    """Return a knock-out in one line, with the numbers of its control."""
    lost, new = int(found.lost.sum()), int(found.new.sum())
    return (
        f"<b>{counted(found.out, 'event')} put out at token {token}, layer {layer}: {lost} lost and {new} new in the layers "
        f"above</b>; control, as many random units at that site: {found.control_lost} lost and {found.control_new} new."
    )
