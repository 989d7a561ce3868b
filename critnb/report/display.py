"""What notebooks show between their cells: tables with units, gates with their verdicts, figures with their captions.

Plain HTML without scripts or random ids: the same value gives the same bytes in every run.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from IPython.display import HTML

from critnb.gates import Gate, Verdict
from critnb.report.stylesheet import FRAGMENT, scroll_box

# Figures import matplotlib, which stages that only show tables do not need.
if TYPE_CHECKING:
    from critnb.report.style import Rendered

__all__ = ["Gate", "Verdict", "gates", "picture", "table", "tables"]

_DIGITS = 4
_NOTHING = "–"
_MOST_DECIMALS = 6
# a table of more columns is set closer, so that the page holds it
_MOST_COLUMNS = 14
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
) -> HTML:
    """Show a frame's columns with their units under the names, NaN as a dash.

    A number and what stands in brackets after it share a line where the page has room for that.
    The largest number of a float column has ``digits`` significant digits and the others as many decimals, where that
    leaves the smallest two of its own; otherwise each number has its own ``digits``. The columns ``wide`` hold
    sentences, which wrap; ``verdicts`` hold verdicts, shown as badges.
    """
    given = units or {}
    heads = [_head(str(name), given.get(str(name), ""), _is_text(frame[name])) for name in frame.columns]
    columns = [_cells(frame[name], digits, name in wide, name in verdicts) for name in frame.columns]
    return _fragment(_table(caption, heads, [list(row) for row in zip(*columns, strict=True)]))


def tables(frames: Mapping[str, pd.DataFrame], *, wide: Collection[str] = (), verdicts: Collection[str] = ()) -> HTML:
    """Show several frames below each other, each under its caption, as ``table`` does."""
    return HTML("\n".join(table(frame, name, wide=wide, verdicts=verdicts).data for name, frame in frames.items()))


def _cells(values: pd.Series[Any], digits: int, wide: bool, verdict: bool) -> list[str]:
    if verdict:
        return [_badge(Verdict(value)) for value in values]
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


def picture(rendered: Rendered) -> HTML:
    """Show a figure, its PNG embedded, with its caption under it."""
    data = base64.b64encode(rendered.png).decode("ascii")
    caption, alt = html.escape(rendered.caption), html.escape(rendered.alt or rendered.caption)
    image = f'<img alt="{alt}" src="data:image/png;base64,{data}">'
    return _fragment(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")


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


def _table(caption: str, heads: list[str], rows: list[list[str]], label: str = "table") -> str:
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    kind = ' class="dense"' if len(heads) > _MOST_COLUMNS else ""
    made = f"<table{kind}>{title}\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return scroll_box(made, f"table: {caption}" if caption else label)


def _fragment(content: str) -> HTML:
    return HTML(f'{FRAGMENT}<div class="critnb">{content}</div>')
