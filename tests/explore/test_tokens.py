from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.explore.inputs import WindowTexts, shown_piece


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" the", "·the"),
        ("\n\t", "⏎⇥"),
        ("", "∅"),
        ("\x1c", r"\x1c"),
        ("\u200b", r"\u200b"),
        ("é�", "é�"),
        ("$x$", "$x$"),
    ],
)
def test_what_would_not_be_seen_is_shown(text, shown):
    assert shown_piece(text) == shown


@given(st.text())
def test_every_token_has_a_label_of_one_line_that_can_be_seen(text):
    shown = shown_piece(text)
    assert shown
    assert shown.isprintable()
    assert " " not in shown


def test_without_texts_a_window_has_none():
    assert WindowTexts(reason="no corpus").of(0) is None
