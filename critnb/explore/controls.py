"""The menus and sliders that choose what the explorer shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from critnb.canon import NullId
from critnb.explore import pictures
from critnb.explore.alts import gain_words
from critnb.explore.chain import Chain
from critnb.explore.selection import Beside
from critnb.explore.slider import Slider
from critnb.explore.state import ExplorerState
from critnb.report.figures.panels import SPIKE_WORDS, rate_label

_NULLS = [null_id for null_id in NullId if null_id is not NullId.NULL_NONE]
_BESIDE_WORDS = {
    Beside.NOTHING: "nothing",
    Beside.GAIN_ONE: "the raster at gain 1",
    Beside.DIFFERENCE: "the difference from gain 1",
}
_ROWS = (
    {"chain": 3, "row": 1},
    {"spike_def": 1, "target_rate": 1, "intervention": 1},
    {"gain": 1, "beside": 1, "null_id": 1},
)
# what a label and the longest entry take, before a row breaks
_LEAST_WIDTH = {"chain": 430, "row": 230, "spike_def": 270, "target_rate": 190, "intervention": 250, "gain": 250,
                "beside": 290, "null_id": 300}  # fmt: skip


class Controls:
    """A control for each choice by its name in ``ExplorerState.choose``; ``changed(name, value)`` hears of a person's choice."""

    def __init__(self, state: ExplorerState, chains: Sequence[Chain], changed: Callable[[str, Any], None]) -> None:
        self._state = state
        self._changed = changed
        self._syncing = False
        self._by_name = self._made(chains)
        for name, control in self._by_name.items():
            control.add_class(f"critnb-{name.replace('_', '-')}")
            control.observe(self._heard(name), "value")
        self.rows = [self._row(shares) for shares in _ROWS]

    def __getitem__(self, name: str) -> Any:
        return self._by_name[name]

    def show(self) -> None:
        """Show the state's choices, which calls nobody."""
        self._syncing = True
        try:
            self._offer()
        finally:
            self._syncing = False

    def _made(self, chains: Sequence[Chain]) -> dict[str, Any]:
        menus: dict[str, list[tuple[str, Any]]] = {
            "chain": [(each.label, each) for each in chains],
            "spike_def": [],
            "target_rate": [],
            "intervention": [],
            "beside": [(words, kind) for kind, words in _BESIDE_WORDS.items()],
            "null_id": [(pictures.NULL_WORDS[null_id], null_id) for null_id in _NULLS],
        }
        named = {"chain": "run", "spike_def": "events", "target_rate": "target rate", "intervention": "gain on",
                 "null_id": "null"}  # fmt: skip
        made: dict[str, Any] = {
            name: w.Dropdown(options=options, description=named.get(name, name), style={"description_width": "82px"})
            for name, options in menus.items()
        }
        return made | {"gain": Slider(label="gain g"), "row": Slider(label="sequence")}

    def _row(self, shares: dict[str, int]) -> w.Widget:
        for name, share in shares.items():
            self[name].layout = w.Layout(flex=f"{share} 1 {_LEAST_WIDTH[name]}px", width="auto", min_width="0")
        children = [self[name] for name in shares]
        return w.HBox([*children, *(self._steps() if "row" in shares else [])], layout=w.Layout(flex_flow="row wrap"))

    def _steps(self) -> list[w.Widget]:
        buttons = []
        for icon, word, by in (("chevron-left", "previous", -1), ("chevron-right", "next", +1)):
            button = w.Button(icon=icon, tooltip=f"{word} sequence", layout=w.Layout(width="38px", flex="0 0 auto"))
            button.on_click(lambda _, by=by: self._step(by))
            buttons.append(button)
        buttons[-1].add_class("critnb-forward")
        return buttons

    def _step(self, by: int) -> None:
        self._changed("row", (self._state.selection.row + by) % self._state.n_windows)

    def _heard(self, name: str) -> Callable[[Any], None]:
        def heard(change: Any) -> None:
            if not self._syncing:
                self._changed(name, int(change["new"]) if name == "row" else change["new"])

        return heard

    def _offer(self) -> None:
        state, selection = self._state, self._state.selection
        condition = selection.condition
        self["chain"].value = state.chain
        _offer(self["spike_def"], [(SPIKE_WORDS[kind], kind) for kind in state.spike_defs], condition.spike_def_id)
        _offer(self["target_rate"], [(rate_label(rate), rate) for rate in state.target_rates], condition.target_rate)
        kinds = [(pictures.INTERVENTION_WORDS[kind], kind) for kind in state.interventions]
        _offer(self["intervention"], kinds, condition.intervention_id)
        self["gain"].offer(state.gains, [gain_words(state, gain) for gain in state.gains], condition.gain)
        places = range(state.n_windows)
        self["row"].offer(places, [str(place) for place in places], selection.row)
        self["beside"].value = selection.beside
        self["null_id"].value = selection.null_id


def _offer(control: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Set the choices of a menu, which resets it, only where they changed."""
    if list(control.options) != options:
        control.options = options
    control.value = value
