"""What notebooks show between their cells: tables with units, gates with their verdicts, figures with their captions.

Plain HTML without scripts or random ids: the same value gives the same bytes in every run.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from IPython.display import HTML

from critnb.gates import Gate, Verdict
from critnb.report.links import Link, joined
from critnb.report.stylesheet import FRAGMENT, scroll_box

# Figures import matplotlib, which stages that only show tables do not need.
if TYPE_CHECKING:
    from critnb.report.sketch import Sketch
    from critnb.report.style import Rendered

__all__ = ["Gate", "Verdict", "gates", "picture", "table", "tables"]

_DIGITS = 4
_NOTHING = "–"
_MOST_DECIMALS = 6
# a table of more columns is set closer, so that the page holds it
_MOST_COLUMNS = 14
# a caption of more characters is shown to its first full stop, the rest when it is opened
_LONG_CAPTION = 320
# a number before its interval, a rate before its control: between the two a narrow column may break
_PARTS = re.compile(r"(.*\S) (\[.*\]|\(.*\))")


def table(
    frame: pd.DataFrame,
    caption: str,
    *,
    units: Mapping[str, str] | None = None,
    digits: int = _DIGITS,
    wide: Collection[str] = (),
    verdicts: Collection[str] = (),
    source: Link | Sequence[Link] = (),
    folded: bool = False,
) -> HTML:
    """Show a frame's columns with their units under the names, NaN as a dash, a ``Link`` as one.

    A number and what stands in brackets after it share a line where the page has room for that.
    The largest number of a float column has ``digits`` significant digits and the others as many decimals, where that
    leaves the smallest two of its own; otherwise each number has its own ``digits``. The columns ``wide`` hold
    sentences, which wrap; ``verdicts`` hold verdicts, shown as badges. ``source`` leads to the file that the numbers stand in.
    A table that is ``folded`` shows its caption until it is opened.
    """
    given = units or {}
    heads = [_head(str(name), given.get(str(name), ""), _is_text(frame[name])) for name in frame.columns]
    columns = [_cells(frame[name], digits, name in wide, name in verdicts) for name in frame.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    links = [source] if isinstance(source, Link) else list(source)
    if folded:
        return _fragment(_folded(html.escape(caption), _table("", heads, rows, links, f"table: {caption}")))
    return _fragment(_table(caption, heads, rows, links))


def tables(
    frames: Mapping[str, pd.DataFrame],
    *,
    wide: Collection[str] = (),
    verdicts: Collection[str] = (),
    source: Link | Sequence[Link] = (),
    folded: bool = False,
) -> HTML:
    """Show several frames below each other, each under its caption, as ``table`` does."""
    options: dict[str, Any] = {"wide": wide, "verdicts": verdicts, "source": source, "folded": folded}
    return HTML("\n".join(table(frame, name, **options).data for name, frame in frames.items()))


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _from(links: Sequence[Link]) -> str:
    return f'<span class="from">{joined(links)}</span>' if links else ""


def _cells(values: pd.Series[Any], digits: int, wide: bool, verdict: bool) -> list[str]:
    if verdict:
        return [_badge(Verdict(value)) for value in values]
    if any(isinstance(value, Link) for value in values):
        return [
            f'<td class="text">{each.html() if isinstance(each, Link) else shown(each, digits)}</td>' for each in values
        ]
    kind = "text wide" if wide else "text" if _is_text(values) else ""
    return [_cell(words, kind) if wide else _parts(words, kind) for words in _column(values, digits)]


def gates(checked: Iterable[Gate]) -> HTML:
    """Show gates, one per line: verdict, name, number, what is asked of it, reason."""
    heads = [_head(name, "", name != "number") for name in ("verdict", "gate", "number", "asked", "reason")]
    rows = [
        [
            _badge(gate.verdict),
            _cell(gate.name, "text"),
            _cell(shown(gate.value, _DIGITS), ""),
            _cell(gate.condition, "text wide"),
            _cell(gate.reason, "text wide"),
        ]
        for gate in checked
    ]
    return _fragment(_table("", heads, rows, label="gates of this stage"))


def picture(rendered: Rendered | Sketch) -> HTML:
    """Show a figure, its PNG embedded, or a sketch; with its caption and links to its files and to what it was drawn from."""
    kind, data, alt = rendered.image
    image = f'<img alt="{html.escape(alt)}" src="data:{kind};base64,{base64.b64encode(data).decode("ascii")}">'
    if rendered.files:
        image = f'<a href="{html.escape(rendered.files[-1].href)}">{image}</a>'
    first, _, rest = (
        rendered.caption.partition(". ") if len(rendered.caption) > _LONG_CAPTION else (rendered.caption, "", "")
    )
    words = html.escape(f"{first}." if rest else first)
    more = f"<details><summary>how to read it</summary>{html.escape(rest)}</details>" if rest else ""
    links = " · ".join(filter(None, [_from(rendered.sources), joined(rendered.files, " ")]))
    below = f'<div class="files">{links}</div>' if links else ""
    return _fragment(f"<figure>{image}<figcaption>{words}{more}{below}</figcaption></figure>")


def shown(value: Any, digits: int) -> str:
    """Return a value as the tables show it."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return _NOTHING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{float(value):.{digits}g}"
    return str(value)


def _column(values: pd.Series[Any], digits: int) -> list[str]:
    if not pd.api.types.is_float_dtype(values.dtype):
        return [shown(value, digits) for value in values]
    places = _decimals(np.abs(values.dropna().to_numpy(dtype=np.float64)), digits)
    if places is None:
        return [shown(float(value), digits) for value in values]
    words = [_NOTHING if math.isnan(value) else f"{value:.{places}f}" for value in values]
    while places and all(word.endswith("0") for word in words if word != _NOTHING):
        words = [word if word == _NOTHING else word[:-1].removesuffix(".") for word in words]
        places -= 1
    return words


def _decimals(sizes: npt.NDArray[np.float64], digits: int) -> int | None:
    """Return the decimals that suit all of a column's absolute values, None where none do."""
    sizes = sizes[sizes > 0]
    if not len(sizes) or not np.isfinite(sizes).all():
        return None
    places = digits - 1 - math.floor(math.log10(sizes.max()))
    fits = 0 <= places <= _MOST_DECIMALS and sizes.min() >= 10.0 ** (1 - places)
    return places if fits else None


def _is_text(values: pd.Series[Any]) -> bool:
    return not pd.api.types.is_numeric_dtype(values.dtype)


def _head(name: str, unit: str, text: bool) -> str:
    under = f'<span class="unit">{html.escape(unit)}</span>' if unit else ""
    return f'<th class="{"text" if text else ""}">{html.escape(name)}{under}</th>'


def _cell(words: str, kind: str) -> str:
    return f'<td class="{kind}">{html.escape(words)}</td>'


def _parts(words: str, kind: str) -> str:
    parts = _PARTS.fullmatch(words)
    if parts is None:
        return _cell(words, kind)
    shown_parts = " ".join(f"<span>{html.escape(part)}</span>" for part in parts.groups())
    return f'<td class="{kind} parts">{shown_parts}</td>'


def _badge(verdict: Verdict) -> str:
    return f'<td class="text"><span class="badge {verdict.replace(" ", "-")}">{verdict}</span></td>'


def _table(
    caption: str, heads: list[str], rows: list[list[str]], links: Sequence[Link] = (), label: str = "table"
) -> str:
    words = " ".join(filter(None, [html.escape(caption), _from(links)]))
    title = f"<caption>{words}</caption>" if words else ""
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    kind = ' class="dense"' if len(heads) > _MOST_COLUMNS else ""
    made = f"<table{kind}>{title}\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return scroll_box(made, f"table: {caption}" if caption else label)


def _fragment(content: str) -> HTML:
    return HTML(f'{FRAGMENT}<div class="critnb">{content}</div>')
