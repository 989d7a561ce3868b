"""A figure's pixels as files: PNG with a palette for runs and pages, and what a PNG says of itself."""

from __future__ import annotations

import io
from collections.abc import Mapping

ALT = "Alt"
_COLOURS = 256


def fewer_colours(png: bytes, words: Mapping[str, str]) -> bytes:
    """Return an opaque PNG with the 256 colours that suit it best, a third of its size, and with these words in it.

    What a figure has in thousands of colours are the edges of lines, which are smoothed; its vectors are in the PDF.
    """
    # Pillow is imported where it is used: whoever reads a stylesheet or a table needs none of it
    from PIL import Image, PngImagePlugin

    image = Image.open(io.BytesIO(png))
    said = PngImagePlugin.PngInfo()
    for name, text in words.items():
        said.add_text(name, text)
    few = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True, pnginfo=said, dpi=image.info["dpi"])
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
