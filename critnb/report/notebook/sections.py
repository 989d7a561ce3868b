"""How the cells of a notebook become sections of its page: silent code joined to what follows it, sections folded by their tag."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Cell = dict[str, Any]

# the tag of a Markdown cell, with a heading first, whose section a reader opens
FOLDED = "folded"
_HEADING = re.compile(r"\A(#{1,2})[ \t]+(.+?)[ \t]*#*(?:\n|\Z)")
_IN_PAGE = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<.*?>", re.DOTALL)
_NO_WORD = re.compile(r"[^\w]+")


def arranged(cells: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """Return the cells of a page: those without output joined to the next code, ``before`` and ``after`` in their metadata.

    These hold the HTML that opens and closes folded sections: each goes from its heading to the next of its level or above.
    """
    shown = list(_joined(cells))
    is_open = False
    for place, cell in enumerate(shown):
        heading = _HEADING.match(cell["source"]) if cell["cell_type"] == "markdown" else None
        if heading is not None and is_open:
            shown[place - 1]["metadata"]["after"] = "</details>"
            is_open = False
        if heading is not None and FOLDED in cell["metadata"].get("tags", ()):
            level, words = len(heading[1]), html.escape(heading[2])
            cell["metadata"]["before"] = f'<details class="fold"><summary><h{level}>{words}</h{level}></summary>'
            cell["source"] = cell["source"][heading.end() :]
            is_open = True
    if is_open:
        shown[-1]["metadata"]["after"] = "</details>"
    return shown


def _joined(cells: Sequence[Mapping[str, Any]]) -> Iterator[Cell]:
    """Yield copies of the cells, code that shows nothing as the first lines of the code after it."""
    waiting: list[str] = []
    for place, cell in enumerate(cells):
        is_code = cell["cell_type"] == "code"
        following = cells[place + 1]["cell_type"] if place + 1 < len(cells) else ""
        if is_code and not cell["outputs"] and following == "code":
            waiting.append(cell["source"])
            continue
        copied = {**cell, "metadata": dict(cell["metadata"])}
        if is_code:
            copied["source"] = "\n\n".join([*waiting, cell["source"]])
            waiting = []
        yield copied


def named(body: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the page's body with an id on each heading of the second and third level, and ids and words of the second's."""
    seen: dict[str, int] = {}
    contents: list[tuple[str, str]] = []

    def with_id(found: re.Match[str]) -> str:
        level, words = found.groups()
        slug = _NO_WORD.sub("-", html.unescape(_TAG.sub("", words)).lower()).strip("-") or "section"
        seen[slug] = seen.get(slug, 0) + 1
        name = slug if seen[slug] == 1 else f"{slug}-{seen[slug]}"
        if level == "2":
            contents.append((html.escape(name), words))
        return f'<h{level} id="{html.escape(name)}">{words}</h{level}>'

    return _IN_PAGE.sub(with_id, body), contents
