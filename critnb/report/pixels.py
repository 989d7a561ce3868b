"""A figure's pixels as files: PNG with a palette for runs and pages, and what a PNG says of itself."""

from __future__ import annotations

import io
from collections.abc import Mapping

ALT = "Alt"
_COLOURS = 256


def fewer_colours(rgba: bytes, width: int, words: Mapping[str, str], *, dpi: float) -> bytes:
    """Return opaque pixels, of four bytes and row by row, as PNG of the 256 colours that suit them best, with these words in it.

    It is a third of the size of all colours. What a figure has in thousands of colours are the edges of lines, which are smoothed;
    its vectors are in the PDF.
    """
    # Pillow is imported where it is used: whoever reads a stylesheet or a table needs none of it
    from PIL import Image, PngImagePlugin

    size = width, len(rgba) // (4 * width)
    said = PngImagePlugin.PngInfo()
    for name, text in words.items():
        said.add_text(name, text)
    few = Image.frombytes("RGB", size, rgba, "raw", "RGBX").quantize(_COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True, pnginfo=said, dpi=(dpi, dpi))
    return buffer.getvalue()


def webp(png: bytes) -> bytes:
    """Return the same pixels as WebP without loss, which is a quarter smaller again."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(buffer, "WEBP", lossless=True, method=4)
    return buffer.getvalue()


def alt_of(png: bytes) -> str:
    """Return what is seen in a figure, as its PNG says it; nothing where it does not."""
    from PIL import Image

    return str(Image.open(io.BytesIO(png)).info.get(ALT, ""))
