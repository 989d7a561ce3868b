"""One look for every figure, and its bytes: paper sizes, colour-blind-safe inks, provenance, no clock time in files.

The look lives in rc contexts only, which start from matplotlib's own defaults: a user's matplotlibrc changes no figure, and
importing or drawing leaves matplotlib's global settings as they were.
"""

from __future__ import annotations

import gc
import io
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox, BboxBase

from critnb.canon import CANON, DatasetRole, SliceRole, SpikeDef
from critnb.report.links import Link, to_file
from critnb.report.pixels import ALT, fewer_colours
from critnb.report.provenance import Provenance
from critnb.report.seen import words_of
from critnb.report.sources import SOURCES, runs_of, sources
from critnb.runs import RunWriter

PAGE_WIDTH = 7.0
PNG_DPI = 200
GREY = "#7f7f7f"
FAINT = "#d9d9d9"
INK = "#222222"
# Okabe and Ito 2008, without the yellow that vanishes on white; every colour has its own marker for print in grey.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_NOTE_LINE = 0.115
_PROVENANCE_HEIGHT = 0.25
_NOTE_SIZE = 6.5
_FOOT_SIZE = 5.5
# How many characters of these sizes surely fit on an inch.
_NOTE_CHARACTERS = 21
_FOOT_CHARACTERS = 24
_LONGEST_MODEL_ID = 40
_PLACE_DIGITS = 6

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#ececec",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "hatch.linewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
    "pdf.fonttype": 42,
    "savefig.dpi": PNG_DPI,
}


@dataclass(frozen=True)
class Ink:
    """How one series looks."""

    color: str
    marker: str


@dataclass(frozen=True)
class Scope:
    """What a figure shows: the slice or set of data, the spike definitions and the target rates; by default synthetic input."""

    data_role: SliceRole | DatasetRole | None = None
    spike_defs: tuple[SpikeDef, ...] = ()
    target_rates: tuple[float, ...] = ()

    def words(self) -> tuple[str, ...]:
        """Return what the line under a figure says of it."""
        if self.data_role is None:
            return ("synthetic input",)
        return self.data_role, ", ".join(self.spike_defs), "ρ " + ", ".join(f"{rate:g}" for rate in self.target_rates)


@dataclass(frozen=True, eq=False)
class Drawing:
    """A finished figure with its caption and its scope, not yet bytes."""

    figure: Figure
    caption: str
    scope: Scope


@dataclass(frozen=True)
class Rendered:
    """A figure as files: vector PDF and 200-dpi PNG, with the caption that belongs under it, and what is seen in words.

    files: links to both, once they are written; sources: links to what they were drawn from.
    """

    pdf: bytes
    png: bytes
    caption: str
    alt: str = ""
    files: tuple[Link, ...] = ()
    sources: tuple[Link, ...] = ()

    @property
    def image(self) -> tuple[str, bytes, str]:
        """What a page shows: its kind, its bytes, and what is seen in words."""
        return "image/png", self.png, self.alt or self.caption


@contextmanager
def styled() -> Iterator[None]:
    """The context in which figures are made and saved; on leaving it, every global setting is as before."""
    with mpl.rc_context(), _without_collections():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


@contextmanager
def _without_collections() -> Iterator[None]:
    """Let Python look for reference cycles after the context only.

    A PDF's part of a font is cut out of tables of many small objects, which all live until it is written: to search them again and
    again took as long as the cutting.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def inks(values: Iterable[float]) -> dict[float, Ink]:
    """Give each distinct value, ascending, its colour and marker; after seven the pairs begin to mix, still distinct."""
    n = len(OKABE_ITO)
    return {value: Ink(OKABE_ITO[i % n], _MARKERS[(i + i // n) % n]) for i, value in enumerate(sorted(set(values)))}


def canvas(height: float, *, width: float = PAGE_WIDTH, notes: Iterable[str] = ()) -> tuple[Figure, Any]:
    """Return a figure and the part of it to draw in; ``height`` (inches) is that part's, notes stand below it."""
    lines = [line for note in notes for line in textwrap.wrap(note, int(width * _NOTE_CHARACTERS))]
    foot = _NOTE_LINE * len(lines) + _PROVENANCE_HEIGHT
    figure = Figure(figsize=(width, height + foot), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(height, foot))
    body, below = parts
    if lines:
        below.text(0.012, 0.98, "\n".join(lines), fontsize=_NOTE_SIZE, color=INK, va="top", linespacing=1.25)
    return figure, body


def provenance_line(figure: Figure, provenance: Provenance, scope: Scope) -> Text:
    """Write the small grey line at the figure's lower edge that says what it was made from, and return it."""
    model_id = provenance.model_id
    if len(model_id) > _LONGEST_MODEL_ID:
        model_id = "…" + model_id[1 - _LONGEST_MODEL_ID :]
    facts = [
        provenance.run_id,
        model_id,
        f"config {provenance.config_hash[:12]}",
        f"critnb {provenance.code_version}",
        *scope.words(),
    ]
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(" · ".join(facts), int(width * _FOOT_CHARACTERS), break_long_words=True)
    return figure.text(0.012, 0.03 / height, "\n".join(lines), fontsize=_FOOT_SIZE, color=GREY, va="bottom")


def render(drawing: Drawing, figure_name: str, provenance: Provenance) -> Rendered:
    """Return the drawing as PDF and PNG bytes: the same drawing, the same bytes, at any time and in any process."""
    with styled():
        settle(drawing.figure)
        line = provenance_line(drawing.figure, provenance, drawing.scope)
        facts = _facts(drawing.scope, provenance)
        pdf: dict[str, str | None] = {
            "Title": figure_name,
            "Subject": drawing.caption,
            "Keywords": "; ".join(f"{key}={value}" for key, value in facts.items()),
            "Creator": CANON.PROJECT.ID,
            "CreationDate": None,
        }
        alt = words_of(drawing.figure)
        png = {
            "Title": figure_name,
            "Description": drawing.caption,
            ALT: alt,
            "Software": CANON.PROJECT.ID,
            **facts,
        }
        width = int(drawing.figure.get_figwidth() * PNG_DPI)
        pixels = fewer_colours(_bytes(drawing.figure, "rgba"), width, png, dpi=PNG_DPI)
        rendered = Rendered(_bytes(drawing.figure, "pdf", pdf), pixels, drawing.caption, alt)
        line.remove()
        return rendered


def png(figure: Figure, title: str) -> bytes:
    """Return a figure that belongs to no run as PNG bytes: the same figure, the same bytes, inside ``styled``."""
    settle(figure)
    return _bytes(figure, "png", {"Title": title, "Software": CANON.PROJECT.ID})


def settle(figure: Figure) -> None:
    """Lay the figure out once and keep its parts and panels where they are, rounded.

    The last bits of the layout's solver depend on memory addresses, and a PDF would show them.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    for part in figure.subfigs:
        part.bbox_relative.set_points(_rounded(part.bbox_relative))
    for axes in figure.axes:
        _apply_aspect(axes)
        axes.set_position(Bbox(_rounded(axes.get_position())))


def _apply_aspect(axes: Any) -> None:
    """Shrink the place that a panel was given to its aspect, as drawing does: a colour bar is narrower than its place."""
    locator = axes.get_axes_locator()
    axes.apply_aspect(locator(axes, None) if locator is not None else None)


def _rounded(place: BboxBase) -> npt.NDArray[np.float64]:
    # the sum turns -0 into 0
    return np.round(place.get_points(), _PLACE_DIGITS) + 0.0


def _facts(scope: Scope, provenance: Provenance) -> dict[str, str]:
    return provenance.as_dict() | {
        "data_role": str(scope.data_role or "synthetic input"),
        "spike_def_id": ",".join(scope.spike_defs),
        "target_rate": ",".join(f"{rate:g}" for rate in scope.target_rates),
    }


def _bytes(figure: Figure, kind: str, metadata: dict[str, str | None] | None = None) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def save_figure(
    partial_run: RunWriter, figure_name: str, drawing: Drawing, provenance: Provenance, *, appendix: bool = False
) -> Rendered:
    """Write one of CANON.FIGURE's figures as .pdf and .png into the run and return what was written."""
    rendered = render(drawing, figure_name, provenance)
    folder = CANON.RUN_SUBDIR.FIGS_APPENDIX if appendix else CANON.RUN_SUBDIR.FIGS
    files = {"PDF": f"{folder}/{figure_name}.pdf", "PNG": f"{folder}/{figure_name}.png"}
    partial_run.write_bytes(files["PDF"], rendered.pdf, "application/pdf")
    partial_run.write_bytes(files["PNG"], rendered.png, "image/png")
    return replace(
        rendered,
        files=tuple(Link(words, to_file(path)) for words, path in files.items()),
        sources=sources(figure_name, runs_of(partial_run.record)) if figure_name in SOURCES else (),
    )
