"""The inputs of a chain: where its model and text are looked for, and how tokens are shown."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import CANON, PACK_ROOT
from critnb.errors import DataError, DependencyError
from critnb.explore.chain import find_chains
from critnb.explore.inputs import Places, WindowTexts, shown_piece
from critnb.params import validate


@pytest.fixture
def chain(whole_chain):
    return find_chains(whole_chain.root)[0]


def test_the_given_folder_is_asked_first_then_the_usual_ones(chain, tmp_path, whole_chain):
    folders = [loaded.base_dir for loaded in Places(tmp_path).loaded(chain)]
    assert folders[:2] == [tmp_path.resolve(), PACK_ROOT / CANON.PATH.PARAMS_DIR]
    assert whole_chain.root.parent / CANON.PATH.PARAMS_DIR in folders
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("path", ["/absolute/model", "~/model"])
def test_paths_that_are_not_relative_are_tried_once(chain, path):
    params = validate({"models": {"BASE": {"source": "file", "path": path}}}, origin="here")
    found = Places().loaded(SimpleNamespace(params=params, end=chain.end, runs=chain.runs))
    assert len(list(found)) == 1


def test_what_is_found_in_a_later_folder_serves(chain, tmp_path):
    def find(loaded):
        if loaded.base_dir != PACK_ROOT / CANON.PATH.PARAMS_DIR:
            raise DataError("not here")
        return "found"

    assert Places(tmp_path).first(chain, find) == "found"


def test_what_is_nowhere_is_said_of_the_first_folder(chain, tmp_path):
    def find(loaded):
        raise DataError(f"nothing in {loaded.base_dir}\nand more")

    with pytest.raises(DependencyError, match=rf"^nothing in {tmp_path}; name the folder of its params"):
        Places(tmp_path).first(chain, find)


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
