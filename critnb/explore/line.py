"""The state as a line of text: to copy, and to paste another into."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Line(anywidget.AnyWidget):
    """A line of text with a button that copies it; ``asked`` is what somebody has put in its place, empty for nothing."""

    _esm = _HERE / "line.js"
    _css = _HERE / "line.css"
    label = traitlets.Unicode("").tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)
    asked = traitlets.Unicode("").tag(sync=True)
