"""The paper's Markdown: CommonMark with tables, and four things of its own, parsed once into tokens for both writers.

``[@key; @key]`` cites, ``[@fig:F03]`` and ``[@tab:T01]`` refer, ``[#tab:T01]`` marks the place that such a reference leads to,
and a paragraph of images ``![caption](fig:F03:BASE)`` shows figures of a role's runs, beside each other where there are
several. A marked value (``cells``) becomes a token of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from critnb.paper.cells import MARKED

CITE = re.compile(r"\[@([^\]\n]+)\]")
ANCHOR = re.compile(r"\[#([a-z]+:[A-Za-z0-9_]+)\]")
FIGURE = re.compile(r"!\[([^\n]*?)\]\(fig:(\w+):(\w+)\)")
_REFERENCE = re.compile(r"(fig|tab):(\w+)")
VALUE_TOKEN, CITE_TOKEN, REFERENCE_TOKEN, ANCHOR_TOKEN, FIGURES_TOKEN = (
    "paper_value",
    "paper_cite",
    "paper_reference",
    "paper_anchor",
    "paper_figures",
)
_ONLY_IMAGES = {"image", "softbreak"}


@dataclass(frozen=True)
class Target:
    """One thing between ``[@`` and ``]``: a work, or a figure or table."""

    kind: str  # "work", "fig" or "tab"
    key: str

    @property
    def words(self) -> str:
        """Return how the text names a figure or table."""
        return f"{'Figure' if self.kind == 'fig' else 'Table'} {self.key}"


def targets(inside: str) -> list[Target]:
    """Return what a citation's inside names."""
    found = []
    for part in inside.split(";"):
        key = part.strip().removeprefix("@")
        match = _REFERENCE.fullmatch(key)
        found.append(Target(match[1], match[2]) if match else Target("work", key))
    return found


def parser() -> MarkdownIt:
    """Return the paper's Markdown parser; raw HTML is shown as text."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.inline.ruler.before("link", CITE_TOKEN, _cite)
    markdown.inline.ruler.before("link", ANCHOR_TOKEN, _anchor)
    return markdown


def parse(markdown: MarkdownIt, text: str) -> list[Token]:
    """Return the tokens of a text: figures gathered, marked values apart."""
    return list(_gathered([_split(token) for token in markdown.parse(text)]))


def _cite(state: StateInline, silent: bool) -> bool:
    match = CITE.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        named = targets(match[1])
        kind = CITE_TOKEN if all(target.kind == "work" for target in named) else REFERENCE_TOKEN
        state.push(kind, "", 0).meta = {"targets": named}
    state.pos = match.end()
    return True


def _anchor(state: StateInline, silent: bool) -> bool:
    match = ANCHOR.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        state.push(ANCHOR_TOKEN, "", 0).meta = {"name": match[1]}
    state.pos = match.end()
    return True


def _split(token: Token) -> Token:
    """Part marked values from the text around them, in a block's inline content and in captions."""
    if token.children is not None:
        token.children = [piece for child in token.children for piece in _pieces(_split(child))]
    return token


def _pieces(token: Token) -> Iterator[Token]:
    if token.type != "text" or not MARKED.search(token.content):
        yield token
        return
    place = 0
    for match in MARKED.finditer(token.content):
        yield Token("text", "", 0, content=token.content[place : match.start()])
        yield Token(VALUE_TOKEN, "", 0, content=match[2], meta={"entry": int(match[1])})
        place = match.end()
    yield Token("text", "", 0, content=token.content[place:])


def _gathered(tokens: list[Token]) -> Iterator[Token]:
    """Make each paragraph that holds nothing but figures one token."""
    place = 0
    while place < len(tokens):
        inner = tokens[place + 1].children if tokens[place].type == "paragraph_open" else None
        if inner and {child.type for child in inner} <= _ONLY_IMAGES:
            yield Token(FIGURES_TOKEN, "", 0, children=[child for child in inner if child.type == "image"], block=True)
            place += 3
        else:
            yield tokens[place]
            place += 1


def walk(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield every token, those inside others too."""
    for token in tokens:
        yield token
        yield from walk(token.children or [])
