"""Errors in a notebook: the pack's own in a line or two, everything else as ever."""

from __future__ import annotations

import pytest
from kernel import Output, run_cells, text

BEGIN = "import critnb\ncritnb.begin('S01', params='nowhere.yaml'{overrides})"


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> list[list[Output]]:
    cells = [
        BEGIN.format(overrides=""),
        "%tb",
        "1 / 0",
        BEGIN.format(overrides=", overrides={'verbose': True}"),
        BEGIN.format(overrides=", overrides={'role': 'TEACHER'}"),
    ]
    return run_cells(cells, cwd=tmp_path_factory.mktemp("cwd"))


def test_a_refusal_is_its_message(shown):
    assert shown[0][-1]["ename"] == "ParamsError"
    lines = text(shown[0]).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ParamsError: params file 'nowhere.yaml' not found in ")


@pytest.mark.parametrize("place", [1, 3], ids=["%tb", "verbose"])
def test_its_traceback_is_shown_on_demand(shown, place):
    assert "critnb/params/" in text(shown[place])
    assert len(text(shown[place]).splitlines()) > 10


def test_other_errors_keep_their_traceback(shown):
    assert "ZeroDivisionError" in text(shown[2])
    assert "----> 1" in text(shown[2])


def test_an_option_that_cannot_be_used(shown):
    assert text(shown[4]) == "ParamsError: overrides: role: 'TEACHER' is none; use one of BASE, INSTRUCT"
