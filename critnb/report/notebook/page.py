"""A cleaned notebook as one HTML file that reads offline: prose, tables and figures, with the code folded away.

Style and template stand in this module rather than in data files, so that the hash of the package's sources, which run
ids rest on, covers them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]

from critnb.report.notebook import about, sections
from critnb.report.stylesheet import FRAGMENT, PAGE, scroll_box

# what a terminal's colours are on the page
_ANSI = {"red": "bad", "green": "good", "yellow": "open", "blue": "link", "cyan": "busy", "magenta": "odd"}


def _ansi() -> str:
    inks = (f".ansi-{name}-fg, .ansi-{name}-intense-fg {{ color: var(--{ink}); }}" for name, ink in _ANSI.items())
    return "\n".join((*inks, ".ansi-bold { font-weight: 600; }"))


_CSS = f"""
main {{ max-width: 76rem; margin: 0 auto; padding: 2.2rem 1.5rem 5rem; }}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: .2em 0 .8em; }}
h2 {{ font-size: 1.3rem; margin: 2em 0 .5em; padding-bottom: .2em; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1.08rem; margin: 1.5em 0 .4em; }}
p, ul, ol {{ max-width: 46rem; }}
p code, li code, td code {{ background: var(--soft); border-radius: 3px; padding: .1em .3em; }}
pre {{ margin: 0; }}
details.code {{ margin: 0; font-size: .78rem; color: var(--quiet); }}
details.fold {{ margin: .5rem 0; }}
details.fold > summary h2 {{ display: inline-block; border: 0; margin: .25em 0; font-size: 1.12rem; }}
details.code > summary {{ user-select: none; width: max-content; }}
details.code .highlight {{ background: var(--soft); border-left: 3px solid var(--line); padding: .6rem .9rem; margin-top: .3rem; }}
.output_area {{ margin: .5rem 0; overflow-wrap: anywhere; }}
.output_stream pre, .output_text pre {{ background: var(--soft); padding: .5rem .8rem; border-radius: 4px; }}
.output_stderr pre {{ background: var(--open-ground); }}
.output_error pre {{ background: var(--bad-ground); padding: .7rem .9rem; border-left: 3px solid var(--bad); }}
.output_png img, .output_jpeg img, .output_svg img {{ max-width: 100%; height: auto; background: var(--plate); }}
table {{ font-size: .86rem; }}
th, td {{ padding: .28em .8em; text-align: left; vertical-align: top; }}
thead th {{ border-bottom: 1.5px solid var(--quiet); }}
tbody tr:nth-child(even) {{ background: var(--stripe); }}
table.dataframe, table.dataframe th, table.dataframe td {{ border: 0; }}
table.dataframe thead th {{ border-bottom: 1.5px solid var(--quiet); }}
table.dataframe th, table.dataframe td {{ text-align: right; white-space: nowrap; }}
.text_cell_render pre {{ background: var(--soft); border-radius: 4px; padding: .6rem .9rem; max-width: 44rem; }}
{_ansi()}
@media print {{ details.code {{ display: none; }} main {{ padding: 0; }} }}
"""
_CODE_CSS = HtmlFormatter(style="xcode").get_style_defs(".highlight")
_DARK_CODE_CSS = HtmlFormatter(style="lightbulb").get_style_defs(".highlight")
_STYLE = "\n".join(
    (
        f"{PAGE}{_CSS}{about.CSS}{_CODE_CSS}",
        f"@media screen and (prefers-color-scheme: dark) {{\n{_DARK_CODE_CSS}\n}}",
        ".highlight { background: none; }",
        FRAGMENT.removeprefix("<style>").removesuffix("</style>"),
    )
)
# The policy makes a browser refuse whatever is not in the file itself.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# tables and headings, each a piece of its own
_PIECE = re.compile(r"(<table\b.*?</table>|<h[1-6]\b.*?</h[1-6]>)", re.DOTALL)
_HEADING_TAG = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.DOTALL)
_BOX = re.compile(r'<div class="scroll"[^>]*>\s*$')
_HEADING = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)
# a page of fewer sections needs no table of contents
_FEWEST_HEADINGS = 3


def to_html(notebook: Mapping[str, Any], of_run: about.About | None = None) -> bytes:
    """Return the notebook as HTML: self-contained, without scripts or outside resources, the same bytes every time.

    The title is the notebook's own, or its first heading of the first level. The page of a run begins with what it is and where
    its files lie, and links to nothing but other files of the runs folder.
    """
    import nbformat

    # imported here because it costs more time than all else that the command line needs
    from critnb.report.notebook.exporter import body_exporter

    cells = sections.arranged(notebook["cells"])
    shown, _ = body_exporter().from_notebook_node(nbformat.from_dict({**notebook, "cells": cells}))
    body, headings = sections.named(_in_boxes(shown))
    if len(headings) >= _FEWEST_HEADINGS:
        body = _after_title(body, about.contents(headings))
    if of_run is not None:
        body = f"{about.head(of_run)}\n{body}"
    head = (
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title_of(notebook))}</title>\n<style>{_STYLE}</style>"
    )
    page = f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    return page.encode("utf-8")


def _after_title(body: str, nav: str) -> str:
    title, end, rest = body.partition("</h1>")
    return f"{title}{end}\n{nav}{rest}" if end else f"{nav}\n{body}"


def _in_boxes(body: str) -> str:
    """Return the cells' HTML with each table that is not yet in a box of its own in one, named after its caption or heading.

    Rules that pieces of output carry for JupyterLab are taken out: the page has them once.
    """
    heading, parts = "", list[str]()
    for part in _PIECE.split(body.replace(FRAGMENT, "")):
        if found := _HEADING_TAG.match(part):
            heading = _words(found[2])
        alone = part.startswith("<table") and not (parts and _BOX.search(parts[-1]))
        parts.append(scroll_box(part, _label(part, heading)) if alone else part)
    return "".join(parts)


def _label(table: str, heading: str) -> str:
    caption = re.search(r"<caption>(.*?)</caption>", table, re.DOTALL)
    return f"table: {_words(caption[1])}" if caption else f"table under {heading}" if heading else "table"


def _words(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


def title_of(notebook: Mapping[str, Any]) -> str:
    """Return the title in the notebook's metadata, else its first heading, else 'notebook'."""
    if title := notebook.get("metadata", {}).get("title"):
        return str(title)
    prose = (cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    headings = (found.group(1) for source in prose if (found := _HEADING.search(source)))
    return next(headings, "notebook")
