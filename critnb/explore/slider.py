"""A slider whose value, to eyes and to screen readers alike, is the number itself: a gain, a place, not an index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Slider(anywidget.AnyWidget):
    """A slider over ``stops``, ascending and drawn to scale; ``texts`` are their words."""

    _esm = _HERE / "slider.js"
    _css = _HERE / "slider.css"
    label = traitlets.Unicode("").tag(sync=True)
    stops = traitlets.List(traitlets.Float(), default_value=[0.0]).tag(sync=True)
    texts = traitlets.List(traitlets.Unicode(), default_value=["0"]).tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)

    def offer(self, stops: Sequence[float], texts: Sequence[str], value: float) -> None:
        """Set the stops, their words and the value together."""
        with self.hold_sync():
            self.stops, self.texts = [float(stop) for stop in stops], list(texts)
            self.value = float(value)
