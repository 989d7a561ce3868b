"""The live mode without torch: which thresholds serve, and a panel whose model is a stand-in that counts its answers."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from explore import chains

from critnb.canon import Adjacency, Intervention, SpikeDef
from critnb.errors import DataError, ModelError
from critnb.explore import Explorer, live_panel, twin
from critnb.explore.live import LiveAnswer, NextToken, nearest_matched
from critnb.explore.window import Window
from critnb.lattice import Condition

ONE, TWO = SpikeDef
MLP = Intervention.MLP_GLOBAL
OTHERS = [kind for kind in Intervention if kind is not MLP]
GSTAR = {(ONE, 0.001): 0.8, (TWO, 0.001): 1.3, (ONE, 0.002): 1.3, (TWO, 0.002): 0.8}


def condition(spike_def, rate, intervention) -> Condition:
    return chains.condition(spike_def, rate, 1.0, intervention)


@pytest.fixture(scope="module")
def tau() -> pd.DataFrame:
    """As S03 keeps them: MLP_GLOBAL on the grid, every other intervention at its pair's own g* alone."""
    grid = [(MLP, gain, *pair) for gain, pair in itertools.product((0.8, 1.0, 1.3), GSTAR)]
    own = [(kind, gstar, *pair) for kind, (pair, gstar) in itertools.product(OTHERS, GSTAR.items())]
    frame = pd.DataFrame(grid + own, columns=["intervention_id", "gain", "spike_def_id", "target_rate"])
    return frame.astype({"intervention_id": str, "spike_def_id": str})


@pytest.mark.parametrize("gain", [0.5, 0.8, 0.89, 0.97, 1.0, 1.02, 1.2, 1.3, 1.5])
def test_every_other_intervention_has_its_pair_s_own_thresholds_and_gain_one_s(tau, gain):
    for kind, (pair, gstar) in itertools.product(OTHERS, GSTAR.items()):
        nearer_to_one = abs(gain - 1.0) <= abs(gain - gstar)
        expected = (MLP, 1.0) if nearer_to_one else (kind, gstar)
        assert nearest_matched(tau, condition(*pair, kind), gain) == expected
        held = tau[tau[["spike_def_id", "target_rate"]].eq([str(pair[0]), pair[1]]).all(axis=1)]
        assert expected in set(zip(held["intervention_id"], held["gain"], strict=True))


@pytest.mark.parametrize(("gain", "near"), [(0.5, 0.8), (0.9, 1.0), (0.89, 0.8), (1.15, 1.0), (1.16, 1.3), (9.0, 1.3)])
def test_the_mlp_s_thresholds_between_gains_are_those_of_the_nearest(tau, gain, near):
    assert nearest_matched(tau, condition(ONE, 0.001, MLP), gain) == (MLP, near)


class Stand:
    """A stand-in for the model of a chain: text becomes its lengths, and every answer is counted."""

    def __init__(self, chain, answers) -> None:
        self.chain = chain
        self._answers = answers

    def ids(self, text):
        return np.array([len(word) for word in text.split()])

    def answer(self, ids, condition, gain) -> LiveAnswer:
        self._answers.append((self.chain, tuple(ids), condition.spike_def_id, gain))
        window = Window.of(np.eye(3, len(ids) + 2, dtype=bool), adjacency=Adjacency.ADJ_4N)
        return LiveAnswer(window, gain, gain, (NextToken("a", 0.5, 0.4),), 0, len(ids), 0.0)


@pytest.fixture
def asked(whole_chain, monkeypatch):
    """An explorer whose live mode has a stand-in for the model; ``answers`` and ``loads`` are what it did."""
    answers, loads = [], []

    def load(chain, _places):
        loads.append(chain)
        return Stand(chain, answers)

    monkeypatch.setattr(live_panel.LiveModel, "load", load)
    explorer = Explorer(whole_chain.root)
    return SimpleNamespace(explorer=explorer, panel=explorer._live, answers=answers, loads=loads)


def test_an_edit_and_a_click_on_run_answer_once(asked):
    panel = asked.panel
    panel.ask("one two three")
    # what the browser sends where somebody types and then clicks: the text as it loses the focus, then the click
    panel._text.value = "another text"
    panel._run.click()
    assert [ids for _, ids, *_ in asked.answers] == [(3, 3, 5), (7, 4)]
    assert len(asked.loads) == 1


def test_what_an_answer_does_not_depend_on_asks_nothing(asked):
    state = asked.explorer.state
    asked.panel.ask("one two three")
    state.choose(row=(state.selection.row + 1) % state.n_windows)
    state.choose(picked=0)
    state.choose(gain=1.2)
    assert len(asked.answers) == 1
    state.choose(spike_def=TWO)
    asked.panel._gain.value = 0.77
    assert [(kind, gain) for *_, kind, gain in asked.answers[1:]] == [(TWO, asked.answers[0][-1]), (TWO, 0.77)]


def test_however_often_it_is_displayed_there_is_one_panel_and_one_model(asked, monkeypatch):
    monkeypatch.setattr(twin, "display", lambda *_, **__: None)
    monkeypatch.setattr(twin, "update_display", lambda *_, **__: None)
    state = asked.explorer.state
    watching = len(state._observers)
    for text in ("a first text", "a second", "a third"):
        asked.explorer.live(text)
    assert (len(asked.loads), len(asked.answers), len(state._observers)) == (1, 3, watching)
    state.choose(spike_def=TWO)
    assert len(asked.answers) == 4


def test_a_model_that_cannot_be_loaded_leaves_nothing_of_the_one_before(asked, rasters_only, monkeypatch):
    panel, state = asked.panel, asked.explorer.state
    panel.ask("one two three")
    assert (panel.raster.layout.display, panel.answer is None) == (None, False)

    def fails(_chain, _places):
        tried.append(1)
        raise ModelError("the weights are torn")

    tried: list[int] = []
    monkeypatch.setattr(live_panel.LiveModel, "load", fails)
    (other,) = Explorer(rasters_only.root).chains
    state.use(other)
    assert (panel.raster.layout.display, panel.answer, panel._next.value) == ("none", None, "")
    assert "the weights are torn" in panel._said.value
    assert "the weights are torn" in panel.still()
    state.choose(spike_def=TWO)
    panel._gain.value = 0.6
    assert tried == [1]


def test_another_chain_is_asked_the_same_text_by_its_own_model(asked, rasters_only):
    asked.panel.ask("one two three")
    (other,) = Explorer(rasters_only.root).chains
    asked.explorer.state.use(other)
    assert [(chain, ids) for chain, ids, *_ in asked.answers] == [
        (asked.loads[0], (3, 3, 5)),
        (other, (3, 3, 5)),
    ]


def test_the_panel_says_at_which_gains_another_intervention_has_thresholds(asked):
    asked.panel.ask("one two three")
    assert "g* only" not in asked.panel._said.value
    asked.explorer.state.choose(intervention=Intervention.ATTN_GLOBAL)
    assert "at its g* only; gain 1 is no intervention" in asked.panel._said.value


def test_what_cannot_be_asked_says_why(asked):
    asked.panel.ask_window()
    assert "tokens are not available: models.BASE.path" in asked.panel._said.value
    assert asked.answers == []


def knocked(out=2, *, layers=3, tokens=5) -> SimpleNamespace:
    lost, new = (np.zeros((layers, tokens), dtype=np.int64) for _ in range(2))
    lost[1, 1], new[2, 4] = 3, 1
    return SimpleNamespace(out=out, lost=lost, new=new, control_lost=1, control_new=2)


@pytest.fixture
def knocking(asked, monkeypatch):
    """The panel after an answer, whose model knows what knocking out does; ``sites`` are those that it was asked for."""
    sites = []

    def knock_out(_self, ids, _condition, gain, *, layer, token):
        sites.append((tuple(ids), gain, layer, token))
        if layer == 2:
            raise DataError("layer 2 is the last")
        return knocked()

    monkeypatch.setattr(Stand, "knock_out", knock_out, raising=False)
    asked.panel.ask("one two three")
    return SimpleNamespace(panel=asked.panel, view=asked.panel.knock_out, sites=sites, explorer=asked.explorer)


def test_a_clicked_event_is_put_out_once_the_button_is_pressed(knocking):
    assert knocking.view.button.disabled
    knocking.panel.raster.site = [0, 0]
    assert (knocking.view.button.disabled, knocking.sites) == (False, [])
    knocking.view.button.click()
    assert knocking.sites == [((3, 3, 5), knocking.panel.answer.gain, 0, 0)]
    said = knocking.view.said.value
    assert "2 events put out at token 0, layer 0: 3 lost and 1 new in the layers above" in said
    assert "as many random units at that site: 1 lost and 2 new" in said
    # the sites of the answer's diagonal, and what became of them
    names = [each["words"] for each in knocking.view.raster.scene["avalanches"]]
    drawn = {(token, layer): names[kind] for token, layer, kind, _ in knocking.view.raster.scene["sites"]}
    assert drawn == {(0, 0): "put out", (1, 1): "vanishes", (2, 2): "stays", (4, 2): "appears"}
    assert "events after the knock-out" in knocking.panel.still()


def test_what_cannot_be_put_out_says_why_and_leaves_no_picture(knocking):
    knocking.panel.raster.site = [0, 0]
    knocking.view.button.click()
    knocking.panel.raster.site = [2, 2]
    knocking.view.button.click()
    assert "layer 2 is the last" in knocking.view.said.value
    assert knocking.view.raster.layout.display == "none"
    assert "events after the knock-out" not in knocking.panel.still()


def test_another_answer_forgets_the_knock_out(knocking):
    knocking.panel.raster.site = [0, 0]
    knocking.view.button.click()
    knocking.panel._gain.value = 0.9
    assert (knocking.view.button.disabled, knocking.view.raster.layout.display) == (True, "none")
    assert "Click an event" in knocking.view.said.value
