"""A figure is placed once and drawn once for each file, and looks as matplotlib draws it in full."""

from __future__ import annotations

import io
import re
import zlib

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image
from report import frames
from report.test_style import NAME, sketch

from critnb.report import figures
from critnb.report.style import Drawing, provenance_line, render, styled


def drawn_out(drawing: Drawing) -> dict[str, np.ndarray]:
    """The pixels and the pages of a figure that is drawn before it is placed, and again before each file, as matplotlib does."""
    figure = drawing.figure
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for part in figure.subfigs:
            part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), 6))
        for axes in figure.axes:
            axes.set_position(Bbox(np.round(axes.get_position().get_points(), 6)))
        found = {}
        for kind in ("png", "pdf"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
            found[kind] = buffer
    return {"png": np.asarray(Image.open(found["png"])), "pdf": page(found["pdf"].getvalue())}


def page(pdf: bytes) -> np.ndarray:
    """The content of a PDF's page, decompressed."""
    streams = (zlib.decompress(data) for data in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)[:1])
    return np.frombuffer(b"".join(streams), dtype=np.uint8)


def with_colour_bars() -> Drawing:
    return figures.avalanche_profiles(frames.shown_profiles())


@pytest.mark.parametrize("made", [sketch, with_colour_bars])
def test_placed_without_being_drawn_it_is_the_same_picture(provenance, made) -> None:
    drawing, other = made(), made()
    rendered = render(drawing, NAME, provenance)
    with styled():
        provenance_line(other.figure, provenance, other.scope)
    expected = drawn_out(other)
    found = Image.open(io.BytesIO(rendered.png))
    assert found.mode == "P"
    away = np.abs(np.asarray(found.convert("RGB"), dtype=int) - expected["png"][..., :3]).max(axis=2)
    # the colours that areas and most edges have stay what they are; so do white and every ink
    assert (away > 2).mean() < 0.03
    assert (away[(expected["png"][..., :3] == 255).all(axis=2)] == 0).all()
    assert len(expected["pdf"]) > 1000
    assert np.array_equal(page(rendered.pdf), expected["pdf"])
    places, others = (
        [axes.get_position(original=True).get_points() for axes in each.figure.axes] for each in (drawing, other)
    )
    assert np.array_equal(places, others)


def test_each_file_is_one_drawing(provenance, monkeypatch) -> None:
    drawn: list[str] = []
    whole = Figure.draw
    monkeypatch.setattr(
        Figure, "draw", lambda figure, renderer: (drawn.append(type(renderer).__name__), whole(figure, renderer))
    )
    render(sketch(), NAME, provenance)
    assert sorted(drawn) == ["MixedModeRenderer", "RendererAgg"]
