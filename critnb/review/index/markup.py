"""Elements of HTML and SVG built so that text cannot become markup: whatever is not ``Markup`` is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from urllib.parse import quote

_VOID = frozenset({"br", "img", "meta"})
_KEPT = frozenset("\n\t")


class Markup(str):
    """Text that is markup already; only this module's functions should make it."""

    __slots__ = ()


Content = str | Iterable[str]


def escaped(text: str) -> Markup:
    """Return the text as markup that shows it; characters that cannot be shown are replaced, as HTML cannot hold them."""
    if isinstance(text, Markup):
        return text
    shown = "".join(letter if letter.isprintable() or letter in _KEPT else "\ufffd" for letter in text)
    return Markup(html.escape(shown))


def joined(*content: Content) -> Markup:
    """Return pieces of content one after the other, the markup among them as it is and the rest escaped."""
    pieces = (piece for item in content for piece in ([item] if isinstance(item, str) else item))
    return Markup("".join(escaped(piece) for piece in pieces))


def tag(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return an element; in attribute names ``_`` stands for ``-`` and a last ``_`` is dropped, None leaves one out."""
    opened = "".join(_attribute(key, value) for key, value in attributes.items() if value not in (None, False))
    start = f"<{name}{opened}>"
    return Markup(start if name in _VOID else f"{start}{joined(*content)}</{name}>")


def _attribute(key: str, value: str | float | bool | None) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{escaped(text)}"'


def spaced(items: Iterable[Markup], between: str = " ") -> Markup:
    """Return pieces of markup with a space, or other text, between them."""
    return Markup(escaped(between).join(items))


def image(target: str, words: str) -> Markup:
    """Return a picture at a relative path, with words for those who cannot see it."""
    return tag("img", src=quote(target), alt=words, loading="lazy")


def link(target: str, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return a link to a relative path, quoted as URLs need it."""
    return tag("a", *content, href=quote(target), **attributes)


def anchor(place: str, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return a link to a place on the same page."""
    return tag("a", *content, href=f"#{quote(place)}", **attributes)
