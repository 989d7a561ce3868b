"""The few pieces of HTML that the views share."""

from __future__ import annotations

import html

from IPython.display import HTML

from critnb.explore.window import Facts


def described(facts: Facts | None) -> str:
    """Return an avalanche in HTML, or what to do to see one."""
    if facts is None:
        return '<span style="color:#666">Hover over an avalanche to see its size and span, click it to keep it.</span>'
    words = f"<b>{html.escape(facts.words())}</b>"
    if facts.text is None:
        return words
    text = html.escape("".join(facts.text))
    return f'{words}<br><span style="font-family:monospace">{text}</span>'


def sentence(words: str) -> HTML:
    """Return what is wrong as a line for readers."""
    return HTML(
        '<div class="critnb-sentence" style="border-left:3px solid #D55E00;padding:.4em .8em;background:#fdf3ec;color:#222">'
        f"{html.escape(words)}</div>"
    )
