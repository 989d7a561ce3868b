"""The rendered paper as a reader gets it: its visible text, told apart by where each piece of it comes from."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote

_VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """values: (ledger's number, text) in order; code: texts of code; links: (href, text); prose: all other visible text.

    behind: what lines say of the files behind a table or figure, which the page alone has; beside: hrefs of files.
    """

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.values: list[tuple[int, str]] = []
        self.code: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.images: list[str] = []
        self.ids: list[str] = []
        self.prose: list[str] = []
        self.behind: list[str] = []
        self.beside: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(found["id"])
        if tag == "a" and not found["href"].startswith(("#", "https:")):
            self.beside.append(unquote(found["href"]))
        if tag == "img":
            self.images.append(found["src"])
        if tag not in _VOID:
            self._open.append((tag, found))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        tags = [tag for tag, _ in self._open]
        if "style" in tags or "title" in tags:
            return None
        if any(attrs.get("class") == "from" for _, attrs in self._open):
            return self.behind.append(data)
        for tag, attrs in reversed(self._open):
            if tag == "span" and attrs.get("class") == "n":
                return self.values.append((int(attrs["data-entry"]), data))
            if tag == "code":
                return self.code.append(data)
            if tag == "a":
                return self.links.append((attrs["href"], data))
        self.prose.append(data)
        return None


def pdf_text(pdf: bytes) -> str:
    """The text of a PDF in the order of its pages: glyphs back to characters by each font's own table."""
    objects = {int(m[1]): m[2] for m in re.finditer(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    for body in list(objects.values()):
        if b"/ObjStm" in body:
            objects |= _inside(body)
    fonts = {number: _unicode(objects, body) for number, body in objects.items() if b"/ToUnicode" in body}
    return "".join(f"{page}\n" for page in _texts(objects, fonts))


def _texts(objects: dict[int, bytes], fonts: dict[int, dict[bytes, str]]) -> list[str]:
    return [_page(objects, body, fonts) for _, body in _pages(objects)]


def _stream(body: bytes) -> bytes:
    data = body.partition(b"stream\n")[2].rpartition(b"\nendstream")[0]
    return zlib.decompress(data) if b"/FlateDecode" in body.partition(b"stream")[0] else data


def _inside(body: bytes) -> dict[int, bytes]:
    first = int(re.search(rb"/First (\d+)", body)[1])
    data = _stream(body)
    numbers = list(map(int, data[:first].split()))
    starts = [*numbers[1::2], len(data) - first]
    return {n: data[first + a : first + b] for n, a, b in zip(numbers[::2], starts, starts[1:], strict=False)}


def _pages(objects: dict[int, bytes]) -> list[tuple[int, bytes]]:
    return [(n, body) for n, body in sorted(objects.items()) if re.search(rb"/Type ?/Page\b", body)]


def _unicode(objects: dict[int, bytes], body: bytes) -> dict[bytes, str]:
    table = _stream(objects[int(re.search(rb"/ToUnicode (\d+)", body)[1])])
    found = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.DOTALL):
        for glyph, code in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[glyph.lower()] = bytes.fromhex(code.decode()).decode("utf-16-be")
    return found


def _page(objects: dict[int, bytes], body: bytes, fonts: dict[int, dict[bytes, str]]) -> str:
    resources = body
    if reference := re.search(rb"/Resources (\d+) 0 R", body):
        resources = objects[int(reference[1])]
    names = {m[1]: fonts[int(m[2])] for m in re.finditer(rb"/(f\d+) (\d+) 0 R", resources)}
    contents = re.search(rb"/Contents (\d+)", body)[1]
    return "".join(_shown(_stream(objects[int(contents)]), names))


_ESCAPES = dict(zip(b"nrtbf", b"\n\r\t\b\f", strict=True))
_TOKEN = re.compile(rb"/(\w+) [\d.]+ Tf|(\()|\b(BT|ET)\b")


def _shown(content: bytes, names: dict[bytes, dict[bytes, str]]) -> Iterator[str]:
    font: dict[bytes, str] = {}
    in_text, place = False, 0
    while found := _TOKEN.search(content, place):
        place = found.end()
        if found[1]:
            font = names[found[1]]
        elif found[3]:
            in_text = found[3] == b"BT"
            yield " "
        else:
            glyphs, place = _literal(content, place)
            if in_text:
                yield "".join(font[glyphs[i : i + 2].hex().encode()] for i in range(0, len(glyphs), 2))


def _literal(content: bytes, place: int) -> tuple[bytes, int]:
    """The bytes of a PDF string that opens before ``place``, and where it ends: escapes, and brackets that balance."""
    found, depth = bytearray(), 1
    while True:
        byte = content[place]
        place += 1
        if byte == ord("\\"):
            if octal := re.compile(rb"[0-7]{1,3}").match(content, place):
                found.append(int(octal[0], 8))
                place = octal.end()
            else:
                found.append(_ESCAPES.get(content[place], content[place]))
                place += 1
            continue
        depth += (byte == ord("(")) - (byte == ord(")"))
        if not depth:
            return bytes(found), place
        found.append(byte)
