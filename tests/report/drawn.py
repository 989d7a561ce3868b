"""Reading a drawing back: its panels, its curves, its bars and its words."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from report import frames

from critnb.report import figures
from critnb.report.style import Drawing, styled


@cache
def full() -> dict[str, Drawing]:
    """F08 to F14 of two definitions, four rates and eleven gains, made once for all tests that only look at them."""
    t01 = frames.t01()
    return {
        "F08": figures.spikedef_robust(t01),
        "F09": figures.chi_curves(t01),
        "F10": figures.null_compare(t01),
        "F11": figures.ablations(frames.t06()),
        "F12": figures.threshold_sweep(frames.t09(), gstar=frames.gstar()),
        "F13": figures.avalanche_profiles(frames.shown_profiles()),
        "F14": figures.tail_distributions(frames.shown_tails(), frames.t04()),
    }


def all_axes(drawing: Drawing) -> list[Any]:
    return [axes for part in drawing.figure.subfigs for axes in part.axes]


def draw(drawing: Drawing) -> Any:
    """Lay the figure out and draw it, without the bytes of files; return what measured its texts."""
    with styled():
        canvas = FigureCanvasAgg(drawing.figure)
        canvas.draw()
    return canvas.get_renderer()


def titled(drawing: Drawing, words: str) -> Any:
    return next(axes for axes in all_axes(drawing) if axes.get_title(loc="left").startswith(words))


def drawn_curves(axes: Any) -> list[np.ndarray]:
    """The y-data of the solid lines with markers: the series, not nulls, rings or rules."""
    return [
        line.get_ydata() for line in axes.lines if line.get_linestyle() == "-" and line.get_marker() not in ("None", "")
    ]


def words_in(axes: Any) -> str:
    return " ".join(text.get_text() for text in axes.texts)


def bars(axes: Any) -> list[np.ndarray]:
    """The ends of each series' intervals, [points, 2], low before high, drawn upright or lying; what is NaN is left out."""
    found = [c for c in axes.collections if type(c).__name__ == "LineCollection"]
    return [np.array([_ends(segment) for segment in c.get_segments() if len(segment)]) for c in found]


def _ends(segment: np.ndarray) -> np.ndarray:
    upright = np.ptp(segment[:, 0]) == 0
    return segment[:, 1] if upright else segment[:, 0]


def crosses(axes: Any) -> int:
    """How many points the panel marks as not available."""
    return sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "x")


def legend_words(drawing: Drawing) -> list[str]:
    return [text.get_text() for part in drawing.figure.subfigs for legend in part.legends for text in legend.texts]
