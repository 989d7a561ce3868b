"""A cleaned notebook as one HTML file that reads offline: prose, tables and figures, with the code folded away.

Style and template stand in this module rather than in data files, so that the hash of the package's sources, which run
ids rest on, covers them.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]

from critnb.report.notebook import about, sections

_TEMPLATE = "nbconvert/templates/classic/base.html.j2"
# Outputs that need scripts have no place in a page without scripts; nbconvert would also give them random ids.
_BODY = """
{%- extends 'classic/base.html.j2' -%}
{%- block input_group -%}
<details class="code">{%- set lines = cell.source.splitlines() | length -%}
<summary>code, {{ lines }} line{{ "" if lines == 1 else "s" }}</summary>
{{ cell.source | highlight_code(metadata=cell.metadata) }}
</details>
{%- endblock input_group -%}
{%- block any_cell scoped -%}
{{ cell.metadata.get("before", "") }}{{ super() }}{{ cell.metadata.get("after", "") }}
{%- endblock any_cell -%}
{%- block data_javascript scoped %}{% endblock -%}
{%- block data_widget_view scoped %}{% endblock -%}
{%- block footer %}{% endblock -%}
"""
_CSS = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1d1f21; font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue",
  "DejaVu Sans", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.2rem 1.5rem 5rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: .2em 0 .8em; }
h2 { font-size: 1.3rem; margin: 2em 0 .5em; padding-bottom: .2em; border-bottom: 1px solid #e1e4e8; }
h3 { font-size: 1.08rem; margin: 1.5em 0 .4em; }
p, ul, ol { max-width: 46rem; }
code, pre { font: .86em/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
p code, li code, td code { background: #f3f4f6; border-radius: 3px; padding: .1em .3em; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
details.code { margin: 0; font-size: .78rem; color: #667; }
details.fold { margin: .5rem 0; } details.fold > summary { cursor: pointer; }
details.fold > summary h2 { display: inline-block; border: 0; margin: .25em 0; font-size: 1.12rem; }
details.code > summary { cursor: pointer; user-select: none; width: max-content; }
details.code .highlight { background: #f7f8fa; border-left: 3px solid #d5d9e0; padding: .6rem .9rem; margin-top: .3rem; }
.output_area { margin: .5rem 0; overflow-x: auto; }
.output_stream pre, .output_text pre { background: #fafbfc; padding: .5rem .8rem; border-radius: 4px; }
.output_stderr pre { background: #fff6e5; }
.output_error pre { background: #fdeeee; padding: .7rem .9rem; border-left: 3px solid #c33; }
.output_png img, .output_jpeg img, .output_svg img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28em .8em; text-align: left; vertical-align: top; }
thead th { border-bottom: 1.5px solid #888; }
tbody tr:nth-child(even) { background: #f6f7f9; }
table.dataframe, table.dataframe th, table.dataframe td { border: 0; }
table.dataframe thead th { border-bottom: 1.5px solid #888; }
table.dataframe th, table.dataframe td { text-align: right; white-space: nowrap; }
.text_cell_render { overflow-x: auto; }
.text_cell_render pre { background: #f7f8fa; border-radius: 4px; padding: .6rem .9rem; max-width: 44rem; }
.ansi-red-fg, .ansi-red-intense-fg { color: #b02a2a; } .ansi-green-fg, .ansi-green-intense-fg { color: #19703a; }
.ansi-yellow-fg, .ansi-yellow-intense-fg { color: #8a6100; } .ansi-blue-fg, .ansi-blue-intense-fg { color: #1f4fa3; }
.ansi-cyan-fg, .ansi-cyan-intense-fg { color: #0b6b76; } .ansi-bold { font-weight: 600; }
@media print { details.code { display: none; } main { padding: 0; } }
"""
_CODE_CSS = HtmlFormatter(style="default").get_style_defs(".highlight")
# The policy makes a browser refuse whatever is not in the file itself.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_HEADING = re.compile(r"^#\s+(.+?)\s*#*$", re.MULTILINE)
# a page of fewer sections needs no table of contents
_FEWEST_HEADINGS = 3


def to_html(notebook: Mapping[str, Any], of_run: about.About | None = None) -> bytes:
    """Return the notebook as HTML: self-contained, without scripts or outside resources, the same bytes every time.

    The title is the notebook's own, or its first heading of the first level. The page of a run begins with what it is and where
    its files lie, and links to nothing but other files of the runs folder.
    """
    import nbformat

    cells = sections.arranged(notebook["cells"])
    shown, _ = _exporter().from_notebook_node(nbformat.from_dict({**notebook, "cells": cells}))
    body, headings = sections.named(shown)
    if len(headings) >= _FEWEST_HEADINGS:
        body = _after_title(body, about.contents(headings))
    if of_run is not None:
        body = f"{about.head(of_run)}\n{body}"
    head = (
        f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title_of(notebook))}</title>\n<style>{_CSS}{about.CSS}{_CODE_CSS}</style>"
    )
    page = f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    return page.encode("utf-8")


def _after_title(body: str, nav: str) -> str:
    title, end, rest = body.partition("</h1>")
    return f"{title}{end}\n{nav}{rest}" if end else f"{nav}\n{body}"


def _exporter() -> Any:
    """Return nbconvert's exporter with its own templates: it would also look in the working folder and in the user's."""
    # Imported here because it costs more time than all else that the command line needs.
    from nbconvert import HTMLExporter

    class Exporter(HTMLExporter):  # type: ignore[misc]
        def get_prefix_root_dirs(self) -> list[str]:
            return [str(_share())]

    return Exporter(
        raw_template=_BODY,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        extra_template_basedirs=[],
        template_data_paths=[],
    )


def _share() -> Path:
    """Return the folder below which nbconvert was installed with its templates."""
    of_the_template = (each for each in metadata.files("nbconvert") or () if each.as_posix().endswith(_TEMPLATE))
    found = next((Path(str(each.locate())).resolve() for each in of_the_template), None)
    return Path(sys.prefix, "share", "jupyter") if found is None else found.parents[_TEMPLATE.count("/")]


def title_of(notebook: Mapping[str, Any]) -> str:
    """Return the title in the notebook's metadata, else its first heading, else 'notebook'."""
    if title := notebook.get("metadata", {}).get("title"):
        return str(title)
    prose = (cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    headings = (found.group(1) for source in prose if (found := _HEADING.search(source)))
    return next(headings, "notebook")
