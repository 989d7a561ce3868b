"""Pictures that a notebook shows of rows that its run holds already, and that are no files of the run: SVG, drawn in the one style.

A figure is evidence, has a name and two files and is cited; a sketch only lets the reader see what the tables beside it say.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

from critnb.canon import CANON
from critnb.report.links import Link
from critnb.report.style import PAGE_WIDTH, settle, styled

# without any of these the file would hold the time and the version that it was made by
_METADATA: dict[str, str | None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Sketch:
    """An SVG with its caption, what is seen on it in words, and links to what it was drawn from; ``files`` is empty."""

    svg: bytes
    caption: str
    alt: str
    sources: tuple[Link, ...] = ()
    files: tuple[Link, ...] = ()

    @property
    def image(self) -> tuple[str, bytes, str]:
        """What a page shows: its kind, its bytes, and its words."""
        return "image/svg+xml", self.svg, self.alt


@contextmanager
def sheet(height: float, *, width: float = PAGE_WIDTH) -> Iterator[Figure]:
    """The context in which a sketch of this size in inches is drawn and rendered."""
    with styled():
        yield Figure(figsize=(width, height), layout="constrained")


def sketch(figure: Figure, *, caption: str, alt: str, sources: tuple[Link, ...] = ()) -> Sketch:
    """Return what was drawn as SVG: the same drawing, the same bytes; ``alt`` says what is seen on it."""
    with styled(), mpl.rc_context({"svg.hashsalt": CANON.PROJECT.ID, "svg.fonttype": "path"}):
        settle(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata=_METADATA)
    return Sketch(buffer.getvalue(), caption, alt, sources)
