"""The state as a line of text: every state comes back from its line, and what is no such line is refused in one line."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from explore import chains
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from critnb.canon import NullId
from critnb.errors import CritnbError, DataError, DependencyError, ParamsError
from critnb.explore import Explorer
from critnb.explore.chain import find_chains
from critnb.explore.inputs import WindowTexts
from critnb.explore.selection import Beside, Box, Selection, from_line, to_line
from critnb.explore.state import ExplorerState

N, L, T = chains.SHAPE
NULLS = [null_id for null_id in NullId if null_id is not NullId.NULL_NONE]


def ends(n: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).map(lambda pair: (min(pair), max(pair)))


boxes = st.none() | st.builds(Box, ends(T), ends(L))


@pytest.fixture(scope="module")
def made(whole_chain):
    found = find_chains(whole_chain.root)
    state = ExplorerState(found[0], lambda _: WindowTexts(reason="made of numbers"))
    return SimpleNamespace(state=state, chains=found, conditions=list(state.chain.raster.conditions))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_state_survives_its_text(made, data):
    state, condition = made.state, data.draw(st.sampled_from(made.conditions))
    row, picked = data.draw(st.integers(0, N - 1)), data.draw(st.none() | st.just(0))
    wanted = Selection(
        condition, row, data.draw(st.sampled_from(NULLS)), picked, data.draw(st.sampled_from(Beside)),
        data.draw(boxes), data.draw(boxes),
    )  # fmt: skip
    line = to_line(state.chain.end.run_id, wanted)
    assert "\n" not in line
    state.restore(line, made.chains)
    assert state.selection == wanted
    assert str(state) == repr(state) == line


@pytest.mark.parametrize("rate", [1e-05, 0.1 + 0.2, 1 / 3, 5e-324])
def test_numbers_come_back_to_the_last_bit(made, rate):
    chosen = Selection(replace(made.conditions[0], target_rate=rate, gain=rate), 0)
    _, wanted = from_line(to_line("RUN_S05_0", chosen))
    assert (wanted["target_rate"], wanted["gain"]) == (rate, rate)


BAD = [
    ("", "it is empty"),
    ("hello", "'hello'; its words are run, events, "),
    ("gian=1.0", "'gian=1.0'; did you mean gain=?"),
    ("gain=1 gain=1", "gain is there twice"),
    ("gain=much", "gain='much' cannot be read"),
    ("null=NULL_NICE", "null='NULL_NICE' cannot be read; one of NULL_NONE, "),
    ("view=3-2-1", "view='3-2-1' cannot be read"),
    ("view=5-2,0-1", "no part 5-2,0-1; a window has tokens 0-19 and layers 0-3"),
    ("brush=0-20,0-1", "no part 0-20,0-1"),
    ("null=NULL_NONE", "NULL_NONE is no null to show"),
    ("sequence=6", "no window in place 6"),
    ("gain=0.85", "no condition with gain 0.85"),
    ("on=ATTN_GLOBAL gain=0.8", "no raster of ATTN_GLOBAL at gain 0.8"),
    ("avalanche=9999", "no avalanche 9999"),
]


@pytest.mark.parametrize(("line", "says"), BAD)
def test_what_is_no_state_is_refused_in_one_line_and_changes_nothing(made, line, says):
    before = made.state.selection
    with pytest.raises((ParamsError, DataError)) as refused:
        made.state.restore(line, made.chains)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert made.state.selection == before


def test_a_run_that_is_not_there_is_named(made):
    with pytest.raises(CritnbError, match="RUN_S05_000000000000"):
        made.state.restore("run=RUN_S05_000000000000 gain=1.0", made.chains)


def test_an_explorer_begins_where_another_was(whole_chain):
    first = Explorer(whole_chain.root)
    first.state.choose(gain=1.2, row=4, picked=1, beside="difference", view=Box((1, 9), (0, 2)))
    second = Explorer(whole_chain.root, state=str(first.state))
    assert second.state.selection == first.state.selection
    with pytest.raises(ParamsError, match="not both"):
        _ = Explorer(whole_chain.root, run=whole_chain.ids()[0], state=str(first.state)).state


def test_the_box_takes_a_line_and_says_what_is_wrong_with_another(whole_chain):
    looking = Explorer(whole_chain.root)
    view, before = looking._view, str(looking.state)
    view.line.asked = before.replace("gain=1.0", "gain=0.8") + " brush=2-4,0-1"
    assert (looking.state.selection.condition.gain, view.real.brush, view.null.brush) == (
        0.8,
        [2, 4, 0, 1],
        [2, 4, 0, 1],
    )
    view.line.asked = "gian=1"
    assert "did you mean gain=?" in view.message.value
    assert view.line.value == str(looking.state)
    # the same once more is heard once more
    view.message.value = ""
    view.line.asked = "gian=1"
    assert "did you mean gain=?" in view.message.value


def active(mask: np.ndarray) -> set[tuple[int, int]]:
    return {(int(layer), int(token)) for layer, token in np.argwhere(mask)}


def test_gain_one_beside_is_no_intervention_and_is_not_shown_beside_itself(whole_chain, raster):
    looking = Explorer(whole_chain.root)
    state, view = looking.state, looking._view
    state.choose(beside=Beside.DIFFERENCE)
    assert view.beside.layout.display == "none"
    assert "gain 1 is the selected one" in view.message.value
    state.choose(intervention="ATTN_GLOBAL")
    row, one = state.selection.row, state.at_one
    here, there = (raster.counts[raster.conditions.index(c), row] > 0 for c in (state.selection.condition, one))
    assert (one.gain, one.intervention_id) == (1.0, "MLP_GLOBAL")
    drawn = {(layer, token): kind for token, layer, kind, _ in view.beside.scene["sites"]}
    for kind, mask in enumerate((here & there, here & ~there, there & ~here)):
        assert {site for site, found in drawn.items() if found == kind} == active(mask)
    state.choose(beside=Beside.GAIN_ONE)
    drawn = {(layer, token) for token, layer, *_ in view.beside.scene["sites"]}
    assert drawn == active(there)


def test_without_gain_one_there_is_nothing_beside(made, monkeypatch):
    others = [i for i, c in enumerate(made.conditions) if c.gain != 1.0]
    monkeypatch.setitem(made.state.chain.__dict__, "raster", made.state.chain.raster.take(others))
    made.state._kept.clear()
    made.state.choose(gain=0.8)
    with pytest.raises(DependencyError, match="no raster at gain 1 under MLP_GLOBAL"):
        _ = made.state.window_at_one
