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
from critnb.paper.typesetting import Typesetting

_STYLE = """
:root{color-scheme:light}
body{margin:0;background:#fff;color:#1c1c1c;font:17px/1.55 Charter,"Bitstream Charter",Cambria,Georgia,serif}
main{max-width:46rem;margin:0 auto;padding:3rem 1.5rem 5rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .6rem}
h2{font-size:1.4rem;margin:2.6rem 0 .7rem;padding-bottom:.2rem;border-bottom:1px solid #ddd}
h3{font-size:1.1rem;margin:1.8rem 0 .4rem}
p{margin:.7rem 0}
a{color:#00567d;text-decoration:none}a:hover{text-decoration:underline}
.authors{margin:.2rem 0}.made{color:#666;font-size:.85rem;overflow-wrap:anywhere}
nav{border:1px solid #e3e3e3;border-radius:.4rem;padding:.6rem 1.2rem;margin:1.6rem 0;font-size:.92rem}
nav ol{columns:2;padding-left:1.2rem;margin:.3rem 0;list-style:none}
.wide{overflow-x:auto;margin:1rem -4rem 1rem 0}
table{border-collapse:collapse;font-size:.82rem;line-height:1.35;font-variant-numeric:tabular-nums}
th,td{padding:.28rem .6rem;text-align:left;vertical-align:top}td{white-space:nowrap}
td.long{white-space:normal;min-width:16rem}
thead th{border-bottom:1.5px solid #777;border-top:1.5px solid #777;vertical-align:bottom}
tbody tr:last-child td{border-bottom:1.5px solid #777}
tbody tr:nth-child(even){background:#f7f7f8}
code{font:.86em ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;background:#f4f4f5;border-radius:.2em}
code{padding:.05em .25em;overflow-wrap:anywhere}
blockquote{margin:1rem 0;padding:.1rem 1.1rem;border-left:3px solid #c8c8c8;color:#333}
td code{background:none;padding:0}
.n{border-bottom:1px dotted #b9b9b9;cursor:help}
table td code{background:none;padding:0}
.n{border-bottom:0}
.figures{display:grid;grid-template-columns:1fr;gap:1.2rem;margin:1.4rem 0}
.figures.many{grid-template-columns:1fr 1fr;margin-left:-3rem;margin-right:-3rem}
figure{margin:0}figure img{width:100%;height:auto;border:1px solid #eee}
figcaption{font-size:.85rem;line-height:1.4;color:#333;margin-top:.3rem}
li{margin:.25rem 0}
@media (max-width:56rem){.wide{margin-right:0}table{font-size:.74rem}th,td{padding:.25rem .38rem}
.figures.many{grid-template-columns:1fr;margin-left:0;margin-right:0}nav ol{columns:1}}
@media print{body{font-size:10.5pt}main{max-width:none;padding:0}nav{display:none}.n{border:0}
figure,tr{break-inside:avoid}h2,h3{break-after:avoid}.figures.many{margin-left:0;margin-right:0}a{color:inherit}}
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
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>\n{authors}"
        f'<p class="made">{html.escape(setting.made_of)}</p>\n</header>\n'
        f"<nav><ol>\n{contents}\n</ol></nav>\n{body}\n</main>\n</body>\n</html>\n"
    )


class _HtmlWriter:
    """markdown-it's renderer with rules for the paper's own tokens."""

    def __init__(self, markdown: MarkdownIt, setting: Typesetting) -> None:
        self._markdown, self._setting = markdown, setting
        self._places: set[str] = set()
        self.headings: list[tuple[str, str]] = []
        rules = {
            VALUE_TOKEN: self._value,
            CITE_TOKEN: self._cite,
            REFERENCE_TOKEN: self._reference,
            ANCHOR_TOKEN: self._anchor,
            FIGURES_TOKEN: self._figures,
            "heading_open": self._heading,
            "heading_close": lambda tokens, at: f"</h{_level(tokens[at])}>\n",
            "table_open": lambda *_: '<div class="wide"><table>\n',
            "table_close": lambda *_: "</table></div>\n",
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
        data = base64.b64encode(picture.png).decode("ascii")
        label = html.escape(picture.label)
        return (
            f"<figure{self._place(f'fig-{picture.id}')}>"
            f'<a href="{html.escape(picture.seen_from_paper(".pdf"))}"><img alt="{label}" src="data:image/png;base64,{data}"></a>'
            f"<figcaption><b>{label}</b> {self._inline(image.children or [])}</figcaption></figure>\n"
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
        if tokens[at].tag == "h1":
            self.headings.append((slug, words))
        return f'<h{_level(tokens[at])} id="{slug}">'


def _level(token: Token) -> int:
    """A section's heading stands below the paper's title."""
    return int(token.tag[1]) + 1


def _as_rule(rule: Any) -> Any:
    # markdown-it binds a rule to its renderer and hands it options and an environment, which no rule here needs
    return lambda _renderer, tokens, at, _options, _env: str(rule(tokens, at))
