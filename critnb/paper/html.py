"""The paper as one HTML file: figures inside it, a table of contents, and the source of every number on hovering over it."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from critnb.paper.markup import ANCHOR_TOKEN, CITE_TOKEN, FIGURES_TOKEN, REFERENCE_TOKEN, VALUE_TOKEN
from critnb.paper.typesetting import Typesetting, caption_of
from critnb.report.links import Link, joined, to_index
from critnb.report.pixels import webp
from critnb.report.stylesheet import PAGE

# what the paper has beyond report.stylesheet: a serif, a narrow column, contents, captions
_STYLE = """
body { font: 17px/1.55 Charter, "Bitstream Charter", Cambria, Georgia, serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.4rem; margin: 2.6rem 0 .7rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p { margin: .7rem 0; } li { margin: .25rem 0; }
.authors { margin: .2rem 0; } .made { color: var(--quiet); font-size: .85rem; overflow-wrap: anywhere; }
nav { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem 1.2rem; margin: 1.6rem 0; font-size: .92rem; }
nav ol { columns: 2; padding-left: 1.2rem; margin: .3rem 0; list-style: none; }
.wide { margin: 1rem clamp(-13rem, calc((46rem - 100vw) / 2 + 2rem), 0rem) 0 0; } .wide .scroll { margin: 0; }
.from { color: var(--quiet); font-size: .78rem; margin: .3rem 0 1.2rem; overflow-wrap: anywhere; }
table { font-size: .82rem; line-height: 1.35; }
th, td { padding: .28rem .6rem; text-align: left; vertical-align: top; } td { white-space: nowrap; }
td.long { white-space: normal; min-width: 16rem; }
thead th { border-bottom: 1.5px solid var(--quiet); border-top: 1.5px solid var(--quiet); }
tbody tr:last-child td { border-bottom: 1.5px solid var(--quiet); }
tbody tr:nth-child(even) { background: var(--stripe); }
code { background: var(--soft); border-radius: .2em; padding: .05em .25em; }
td code { background: none; padding: 0; }
blockquote { margin: 1rem 0; padding: .1rem 1.1rem; border-left: 3px solid var(--line); }
.n { border-bottom: 1px dotted var(--quiet); cursor: help; } table .n { border-bottom: 0; }
.figures { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.2rem; margin: 1.4rem 0; }
.figures.many { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); margin-left: -3rem; margin-right: -3rem; }
figure img { width: 100%; height: auto; border: 1px solid var(--line); }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .3rem; }
@media (max-width: 58rem) { table { font-size: .74rem; } th, td { padding: .25rem .38rem; }
  .figures.many { grid-template-columns: minmax(0, 1fr); margin-left: 0; margin-right: 0; } nav ol { columns: 1; } }
@media print { main { max-width: none; padding: 0; } nav, .from { display: none; } .n { border: 0; }
  .figures.many { margin-left: 0; margin-right: 0; } .wide { margin-right: 0; } }
"""
# a cell with more words than an interval or a path has is prose and may be broken
_LONG = 6
# The policy makes a browser refuse whatever is not in the file itself.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(markdown: MarkdownIt, sections: Sequence[Sequence[Token]], setting: Typesetting) -> str:
    """Return the whole page; ``sections`` are the tokens of each template, filled."""
    writer = _HtmlWriter(markdown, setting)
    body = "\n".join(writer.section(tokens) for tokens in sections)
    title = html.escape(setting.title)
    authors = f'<p class="authors">{html.escape(", ".join(setting.authors))}</p>\n' if setting.authors else ""
    contents = "\n".join(f'<li><a href="#{slug}">{words}</a></li>' for slug, words in writer.headings)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{PAGE}{_STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>\n{authors}"
        f'<p class="made">{html.escape(setting.made_of)}; {_own_run(setting)}</p>\n</header>\n'
        f'<nav aria-label="Contents"><ol>\n{contents}\n</ol></nav>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _own_run(setting: Typesetting) -> str:
    return Link(setting.run_id, to_index(setting.run_id)).html()


class _HtmlWriter:
    """markdown-it's renderer with rules for the paper's own tokens."""

    def __init__(self, markdown: MarkdownIt, setting: Typesetting) -> None:
        self._markdown, self._setting = markdown, setting
        self._places: set[str] = set()
        self._tables, self._under = 0, ""
        self.headings: list[tuple[str, str]] = []
        rules = {
            VALUE_TOKEN: self._value,
            CITE_TOKEN: self._cite,
            REFERENCE_TOKEN: self._reference,
            ANCHOR_TOKEN: self._anchor,
            FIGURES_TOKEN: self._figures,
            "heading_open": self._heading,
            "heading_close": lambda tokens, at: f"</h{_level(tokens[at])}>\n",
            "table_open": self._table,
            "table_close": self._table_end,
            "td_open": lambda tokens, at: (
                '<td class="long">' if len(tokens[at + 1].content.split()) > _LONG else "<td>"
            ),
        }
        for name, rule in rules.items():
            markdown.add_render_rule(name, _as_rule(rule))

    def section(self, tokens: Sequence[Token]) -> str:
        """Return one template's HTML."""
        return f"<section>\n{self._markdown.renderer.render(tokens, self._markdown.options, {})}</section>"

    def _inline(self, tokens: Sequence[Token]) -> str:
        return str(self._markdown.renderer.renderInline(tokens, self._markdown.options, {}))  # type: ignore[attr-defined]

    def _value(self, tokens: Sequence[Token], at: int) -> str:
        entry = tokens[at].meta["entry"]
        origin = html.escape(self._setting.ledger.entries[entry].cell.origin.words())
        return f'<span class="n" data-entry="{entry}" title="{origin}">{html.escape(tokens[at].content)}</span>'

    def _table(self, tokens: Sequence[Token], at: int) -> str:
        """Open a box that scrolls by itself; its name is the caption above, else the heading that it stands under."""
        self._tables += 1
        caption = caption_of(tokens, at)
        words = " ".join(self._plain(caption).split()) if caption else f"{self._under} {self._tables}"
        return f'<div class="wide"><div class="scroll" role="region" tabindex="0" aria-label="{html.escape(words)}"><table>\n'

    def _table_end(self, tokens: Sequence[Token], at: int) -> str:
        """Close the box, and say below it which files the numbers stand in."""
        files = [f"{link.html()} of {html.escape(run_id)}" for run_id, link in self._setting.behind(tokens, at)]
        behind = f'<p class="from">From {"; ".join(files)}</p>\n' if files else ""
        return f"</table></div></div>\n{behind}"

    def _plain(self, tokens: Sequence[Token]) -> str:
        return html.unescape(re.sub(r"<[^>]*>", "", self._inline(tokens)))

    def _cite(self, tokens: Sequence[Token], at: int) -> str:
        links = [
            f'<a class="cite" href="#ref-{key}">{html.escape(work.label)}</a>'
            for key, work in self._setting.cited(tokens[at])
        ]
        return f"({'; '.join(links)})"

    def _reference(self, tokens: Sequence[Token], at: int) -> str:
        named = tokens[at].meta["targets"]
        return ", ".join(f'<a href="#{each.kind}-{each.key}">{each.words}</a>' for each in named)

    def _anchor(self, tokens: Sequence[Token], at: int) -> str:
        kind, _, key = tokens[at].meta["name"].partition(":")
        return f"<span{self._place(f'{kind}-{key}')}>{'' if kind == 'ref' else key}</span>"

    def _figures(self, tokens: Sequence[Token], at: int) -> str:
        images = tokens[at].children or []
        many = " many" if len(images) > 1 else ""
        return f'<div class="figures{many}">\n{"".join(map(self._figure, images))}</div>\n'

    def _figure(self, image: Token) -> str:
        picture = self._setting.picture_of(image)
        data = base64.b64encode(webp(picture.png)).decode("ascii")
        label, seen = html.escape(picture.label), html.escape(picture.alt)
        drawn_from = f", drawn from {joined(picture.sources)}" if picture.sources else ""
        vectors = html.escape(picture.seen_from_paper(".pdf"))
        return (
            f"<figure{self._place(f'fig-{picture.id}')}>"
            f'<a href="{vectors}"><img alt="{label} {seen}" src="data:image/webp;base64,{data}"></a>'
            f"<figcaption><b>{label}</b> {self._inline(image.children or [])}"
            f'<p class="from"><a href="{vectors}">PDF</a> of {picture.run_id}{drawn_from}</p></figcaption></figure>\n'
        )

    def _place(self, name: str) -> str:
        """Return the id attribute of a place the first time only: links lead to the first role's figure."""
        if name in self._places:
            return ""
        self._places.add(name)
        return f' id="{name}"'

    def _heading(self, tokens: Sequence[Token], at: int) -> str:
        words = self._inline(tokens[at + 1].children or [])
        slug = re.sub(r"[^a-z0-9]+", "-", tokens[at + 1].content.lower()).strip("-")
        self._under = tokens[at + 1].content
        if tokens[at].tag == "h1":
            self.headings.append((slug, words))
        return f'<h{_level(tokens[at])} id="{slug}">'


def _level(token: Token) -> int:
    """A section's heading stands below the paper's title."""
    return int(token.tag[1]) + 1


def _as_rule(rule: Any) -> Any:
    # markdown-it binds a rule to its renderer and hands it options and an environment, which no rule here needs
    return lambda _renderer, tokens, at, _options, _env: str(rule(tokens, at))
