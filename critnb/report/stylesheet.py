"""How every page looks: one set of colours for light, dark and print, the scroll boxes, tables, figures and badges.

The index of runs, notebook pages and the paper all begin with ``PAGE`` and add what is theirs; ``FRAGMENT`` is for what a
notebook shows in JupyterLab, where colours are Lab's own. Text has a contrast of 4.5 to one and more on its ground, in
both modes. It stands in a module so that the hash of the package's sources, which run ids rest on, covers it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

# Ink and ground of verdicts and states; the colours of Okabe and Ito 2008 where they carry meaning.
LIGHT: Mapping[str, str] = {
    "page": "#ffffff", "ink": "#1d1f21", "quiet": "#57606a", "line": "#d9dde3", "soft": "#f4f6f8", "stripe": "#1428500a",
    "link": "#1f4fa3", "focus": "#a34700", "shade": "#00000052", "plate": "#ffffff", "mark": "#cfdcf2",
    "good": "#0b6344", "good-ground": "#dcefe5", "bad": "#a3241c", "bad-ground": "#fbe3e0",
    "open": "#754400", "open-ground": "#faecd2", "busy": "#1a5296", "busy-ground": "#dfeaf8",
    "odd": "#634480", "odd-ground": "#ece3f3", "plain": "#33383e", "plain-ground": "#e9ecef",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "page": "#15181c", "ink": "#e4e7ea", "quiet": "#a7b0ba", "line": "#3a414a", "soft": "#1e2329", "stripe": "#ffffff0d",
    "link": "#8ab4f8", "focus": "#ffb454", "shade": "#ffffff4d", "plate": "#ffffff", "mark": "#2c4368",
    "good": "#86dcb0", "good-ground": "#153526", "bad": "#ffa59c", "bad-ground": "#48201d",
    "open": "#f2c078", "open-ground": "#43310f", "busy": "#9cc5f7", "busy-ground": "#1b3250",
    "odd": "#d3b9e8", "odd-ground": "#382a4b", "plain": "#d5dae0", "plain-ground": "#333a43",
}  # fmt: skip
MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'
SANS = 'system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", Arial, sans-serif'


def _colours(of: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in of.items())


# A box that scrolls shows it: a shadow at the edge behind which there is more, covered where there is none. The shadows
# keep their place, their covers go with what is scrolled; cells are without a ground of their own, or one to see through.
_SCROLL = """
.scroll { overflow-x: auto; max-width: 100%; margin: .6em 0;
  background: linear-gradient(to right, var(--page) 45%, transparent) 0 0 / 2.6rem 100% no-repeat local,
    linear-gradient(to left, var(--page) 45%, transparent) 100% 0 / 2.6rem 100% no-repeat local,
    linear-gradient(to right, transparent 1px, var(--shade) 1px, transparent) 0 0 / .8rem 100% no-repeat scroll,
    linear-gradient(to left, transparent 1px, var(--shade) 1px, transparent) 100% 0 / .8rem 100% no-repeat scroll; }
"""
PAGE = (
    f"""
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
* {{ box-sizing: border-box; }}
html {{ background: var(--page); }}
body {{ margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 {SANS}; }}
a {{ color: var(--link); text-decoration: none; overflow-wrap: anywhere; }} a:hover {{ text-decoration: underline; }}
p a, li a, td a, figcaption a {{ text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: .15em; }}
:focus-visible {{ outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 2px; }}
code, pre {{ font-family: {MONO}; font-size: .86em; line-height: 1.45; }}
code {{ overflow-wrap: anywhere; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
img, svg {{ max-width: 100%; }}
figure {{ margin: 0; }}
figure img {{ display: block; background: var(--plate); color: #1d1f21; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
thead th {{ vertical-align: bottom; }}
summary {{ cursor: pointer; }}
"""
    + _SCROLL
    + """
@media screen and (prefers-color-scheme: dark) {
  figure img, .output_png img, .output_svg img, .output_jpeg img { border-radius: 6px; padding: 6px; } }
@media print { :root { color-scheme: light; } body { font-size: 10pt; } a { color: inherit; }
  .scroll { overflow: visible; background: none; } table { font-size: 7.5pt; } tr, figure { break-inside: avoid; }
  h1, h2, h3 { break-after: avoid; } }
"""
)


def _in_lab(name: str, lab: str) -> str:
    """A colour of the page, in JupyterLab that of its theme."""
    return f"var(--{name}, var(--jp-{lab}, {LIGHT[name]}))"


_INK, _QUIET, _LINE, _STRIPE = (
    _in_lab("ink", "content-font-color1"),
    _in_lab("quiet", "content-font-color2"),
    _in_lab("line", "border-color1"),
    _in_lab("stripe", "rendermime-table-row-background"),
)
# The rules of what is shown between cells, small enough to go with every piece of it.
FRAGMENT = (
    "<style>"
    f".critnb{{margin:.6em 0;color:{_INK};overflow-wrap:normal}}.critnb .scroll{{overflow-x:auto;max-width:100%;margin:0}}"
    ".critnb table{border-collapse:collapse;font-size:.85em;font-variant-numeric:tabular-nums}"
    f".critnb caption,.critnb figcaption{{text-align:left;color:{_QUIET};padding:.2em 0 .5em;font-size:1.05em}}"
    ".critnb th,.critnb td{padding:.25em .6em;border:0;text-align:right;white-space:nowrap;vertical-align:top}"
    f".critnb thead th{{border-bottom:1.5px solid {_QUIET};font-weight:600;vertical-align:bottom}}"
    f".critnb tbody tr:nth-child(even){{background:{_STRIPE}}}.critnb tbody tr:nth-child(odd){{background:none}}"
    ".critnb table .text{text-align:left}.critnb .wide{white-space:normal;min-width:14em;max-width:34em}"
    ".critnb .parts{white-space:normal}.critnb .parts span{white-space:nowrap}"
    ".critnb thead th{white-space:normal;max-width:9em}"
    ".critnb table.dense{font-size:.78em}.critnb .dense th,.critnb .dense td{padding:.25em .3em}"
    f".critnb .unit{{display:block;font-weight:400;color:{_QUIET};font-size:.85em}}"
    ".critnb .badge{display:inline-block;border-radius:.8em;padding:.05em .8em;font-weight:600}"
    + "".join(
        f".critnb .badge.{word}{{color:var(--{name},{LIGHT[name]});background:var(--{name}-ground,{LIGHT[f'{name}-ground']})}}"
        for word, name in (("pass", "good"), ("fail", "bad"), ("not-available", "plain"))
    )
    + ".critnb figure{margin:0}.critnb img{max-width:100%;height:auto;background:#fff}"
    ".critnb figcaption{font-size:.85em;max-width:60em}.critnb figure img{max-width:min(100%,62rem)}"
    f".critnb .from{{font-size:.8em;font-weight:400;color:{_QUIET}}}.critnb .from::before{{content:'from '}}"
    ".critnb details>summary{cursor:pointer;font-size:.9em;padding:.2em 0}.critnb img[src*=svg]{width:56rem}"
    "</style>"
)


def scroll_box(content: str, label: str) -> str:
    """Return what may be wider than the page in a box that scrolls by itself and that a keyboard reaches.

    ``label`` says what is in it, as text.
    """
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">{content}</div>'
