"""What a figure shows, in words for who does not see it: its panels, and where each curve in them begins and ends.

Everything is read off the drawing itself, so the words cannot say something else than the curves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_hex

_MOST = 1100
# so many curves of a panel are told one by one
_FEW = 4
# an extreme between the ends is told where it stands out by this share of what the ends differ and are
_STANDS_OUT = 0.1
# the name of axes whose vertical one counts things, so that values lie along the horizontal one
CATEGORIES = "categories"
_UNIT = re.compile(r"\s*\([^()]*\)")
_NO_MARKER = frozenset({"None", "", " ", None})
Floats = npt.NDArray[np.float64]
Look = tuple[str, Any, str]


def words_of(figure: Any) -> str:
    """Return what the figure shows, panel by panel; of one with many panels the curves' ranges alone, then the first panels."""
    axes = list(dict.fromkeys(each for part in (figure, *figure.subfigs) for each in part.axes))
    names = _names(figure)
    for most in (_FEW, 0):
        found = [panel for each in axes if (panel := _panel(each, axes, names, most))]
        along = list(dict.fromkeys(where for where, _ in found if where))
        panels = [words if len(along) == 1 or not where else f"{words[:-1]}, over {where}." for where, words in found]
        head = f"{len(panels)} panels" if len(panels) > 1 else ""
        head = ", ".join(filter(None, [head, f"over {along[0]}" if len(along) == 1 else ""]))
        told = " ".join([f"{head[:1].upper()}{head[1:]}.", *panels] if head else panels)
        if len(told) <= _MOST:
            return told
    kept, room = list[str](), _MOST
    for words in panels:
        room -= len(words) + 1
        if room > 0:
            kept.append(words)
    return f"{head}. {' '.join(kept)} And {len(panels) - len(kept)} more like these."


def _names(figure: Any) -> Mapping[Look, str]:
    """Return what the legends call each look of a curve."""
    found: dict[Look, str] = {}
    for part in (figure, *figure.subfigs):
        for legend in part.legends:
            for handle in legend.legend_handles:
                if handle is not None and hasattr(handle, "get_marker"):
                    found.setdefault(_look(handle), str(handle.get_label()))
    return found


def _panel(axes: Any, others: Sequence[Any], names: Mapping[Look, str], most: int) -> tuple[str, str] | None:
    """Return one panel's horizontal axis and the panel in words; None for one that is empty, such as the bar of colours."""
    title, along, measured = _titles(axes, others)
    head = ", ".join(dict.fromkeys(filter(None, (title, measured))))
    curves = _curves(axes, names)
    if not curves:
        said = " ".join(" ".join(text.get_text().split()) for text in axes.texts)
        told = _bars(axes) or said
        return ("", f"{head}: {told}." if told else f"{title}.") if told or title else None
    drawn = [curve for curve in curves if len(curve[1]) > 1]
    if 0 < len(drawn) <= most:
        # curves that lie beside each other so that none hides another stand at no value of the axis
        beside = len({tuple(x) for _, x, _ in drawn}) > 1
        told = "; ".join(_course(*curve, where=not beside) for curve in drawn)
    elif drawn:
        told = f"{_ends(np.concatenate([y for _, _, y in drawn]))}{_ways(drawn)}"
    else:
        lying = axes.get_gid() == CATEGORIES
        told = f"points at {_ends(np.concatenate([x if lying else y for _, x, y in curves]))}"
    return (along if drawn else ""), f"{head}: {told}." if head else f"{told}."


def _curves(axes: Any, names: Mapping[Look, str]) -> list[tuple[str, Floats, Floats]]:
    """Return the curves of a panel: those with markers, else the solid ones."""
    lines = [line for line in axes.lines if line.get_transform() == axes.transData and not line.get_gid()]
    marked = [line for line in lines if line.get_marker() not in _NO_MARKER and line.get_fillstyle() != "none"]
    solid = [line for line in lines if line.get_linestyle() == "-"]
    return [curve for line in marked or solid if (curve := _points(line, names)) is not None]


def _ways(curves: Sequence[tuple[str, Floats, Floats]]) -> str:
    """Return how many of the curves end above where they begin, and below."""
    rising = sum(y[-1] > y[0] for _, _, y in curves)
    falling = sum(y[-1] < y[0] for _, _, y in curves)
    ways = [f"{n} {word}" for n, word in ((rising, "rising"), (falling, "falling")) if n]
    return f" ({', '.join(ways)})" if ways else ""


def _titles(axes: Any, others: Sequence[Any]) -> tuple[str, str, str]:
    """Return title, x label and y label; where a grid has them at its edges only, those of its column and row."""
    own = [_plain(text) for text in (axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel())]
    place = axes.get_subplotspec()
    if place is None:
        return own[0], own[1], own[2]
    same = [each for each in others if (spec := each.get_subplotspec()) and spec.get_gridspec() is place.get_gridspec()]
    column = [each for each in same if each.get_subplotspec().colspan == place.colspan]
    above = [each for each in column if each.get_subplotspec().rowspan.start <= place.rowspan.start]
    below = [each for each in column if each.get_subplotspec().rowspan.start >= place.rowspan.start]
    row = [each for each in same if each.get_subplotspec().rowspan == place.rowspan]
    return (
        own[0] or _first(each.get_title(loc="left") for each in reversed(above)),
        own[1] or _first(each.get_xlabel() for each in below),
        own[2] or _first(each.get_ylabel() for each in row),
    )


def _first(texts: Iterator[str]) -> str:
    return next((_plain(text) for text in texts if text), "")


def _plain(text: str) -> str:
    """Return a title or label without its units and its marks of mathematics."""
    return " ".join(_UNIT.sub("", text).replace("$", "").split())


def _points(line: Any, names: Mapping[Look, str]) -> tuple[str, Floats, Floats] | None:
    """Return name, x and y of a curve's points in the order of x; None where it has none."""
    x, y = (np.asarray(values, dtype=np.float64) for values in line.get_data(orig=True))
    there = np.isfinite(x) & np.isfinite(y)
    order = np.argsort(x[there], kind="stable")
    return (names.get(_look(line), ""), x[there][order], y[there][order]) if there.any() else None


def _look(line: Any) -> Look:
    """Return colour, marker and how it is filled."""
    face = line.get_markerfacecolor()
    open_ = line.get_fillstyle() == "none" or str(face) == "none"
    return to_hex(line.get_color()), line.get_marker(), "none" if open_ else to_hex(face)


def _course(name: str, x: Floats, y: Floats, *, where: bool) -> str:
    """Return where a curve begins and ends, and an extreme between that stands out, with its place if ``where``."""
    first, last = y[0], y[-1]
    way = "rises" if last > first else "falls"
    told = f"stays at {_n(first)}" if _n(first) == _n(last) else f"{way} from {_n(first)} to {_n(last)}"
    least = _STANDS_OUT * max(abs(last - first), abs(first), abs(last))
    for place, word, beyond in (
        (int(y.argmax()), "highest", y.max() - max(first, last)),
        (int(y.argmin()), "lowest", min(first, last) - y.min()),
    ):
        if beyond > least:
            told += f", {word} {_n(y[place])}{f' at {x[place]:.2g}' if where else ''}"
    return f"{name} {told}".strip()


def _bars(axes: Any) -> str:
    heights = [
        (bar.get_height(), bar.get_x() + bar.get_width() / 2) for bar in axes.patches if hasattr(bar, "get_height")
    ]
    if not heights:
        return ""
    highest, at = max(heights)
    return f"{len(heights)} bars, the highest {_n(highest)} at {at:.2g}"


def _ends(values: Floats) -> str:
    low, high = (f"{value:.3g}" for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _n(value: float) -> str:
    return f"{value + 0.0:.3g}"
