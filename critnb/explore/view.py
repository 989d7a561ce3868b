"""The explorer's widgets, which show and change the state."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from critnb.errors import CritnbError
from critnb.explore.chain import Chain
from critnb.explore.controls import Controls
from critnb.explore.curves import branching_curves, size_curves
from critnb.explore.later import Later
from critnb.explore.line import Line
from critnb.explore.raster import NOTHING, RasterWidget, kinds_scene, scene
from critnb.explore.selection import Beside, Box
from critnb.explore.state import ExplorerState
from critnb.explore.stills import Stills
from critnb.explore.twin import sentence
from critnb.explore.window import Window, described

# the curves take some tenths of a second; rasters come first
_IDLE_SECONDS = 0.15


class ExplorerView:
    """The widgets of one explorer; ``twin`` names the still picture of all of them."""

    def __init__(self, state: ExplorerState, chains: Sequence[Chain], stills: Stills, *, twin: str) -> None:
        self.state = state
        self._chains = chains
        self._stills = stills
        self._syncing = False
        self.controls = Controls(state, chains, self._choose)
        self.line = Line(label="state")
        self.real, self.beside, self.null = RasterWidget(tools=True, twin=twin), RasterWidget(), RasterWidget()
        self.facts, self.message = w.HTML(), w.HTML()
        self.branching, self.sizes = (w.HTML(layout=w.Layout(flex=share)) for share in ("61 1 400px", "38 1 250px"))
        self._curves = w.HBox([self.branching, self.sizes], layout=w.Layout(flex_flow="row wrap", align_items="center"))
        self._name_parts()
        self._curves_later = Later(self._draw_curves, seconds=_IDLE_SECONDS)
        self.line.observe(self._asked, "asked")
        self.real.observe(self._picked, "picked")
        for raster, window, words in ((self.null, lambda: state.null_window, "In the null, "),
                                      (self.beside, lambda: state.window_at_one, "At gain 1, ")):  # fmt: skip
            raster.observe(self._described(window, words), "picked")
        for raster in (self.real, self.beside, self.null):
            raster.observe(self._looked, ["view", "brush"])
        parts = [self.real, self.facts, self.beside, self.null, self.message, self._curves]
        self.box = w.VBox([*self.controls.rows, self.line, *parts], layout=w.Layout(width="100%"))
        self.box.add_class("critnb-explorer")
        state.observe(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the current state; for a damaged run show the error, so that another can be chosen."""
        self._syncing = True
        try:
            self.controls.show()
            self._show_rasters()
            self.facts.value = described(self._stills.picked_facts)
            self.line.value = str(self.state)
            self._curves_later.ask()
            self._set_visible(True, self.real, self.facts, self._curves)
        except CritnbError as error:
            self._refuse(error)
        finally:
            self._syncing = False

    def _draw_curves(self) -> None:
        try:
            self.branching.value, self.sizes.value = self._stills.branching(), self._stills.sizes()
        except CritnbError as error:
            self._refuse(error)

    def _refuse(self, error: CritnbError) -> None:
        self.message.value = str(sentence(str(error)).data)
        self._set_visible(False, self.real, self.beside, self.null, self.facts, self._curves)

    @staticmethod
    def _set_visible(visible: bool, *widgets: w.Widget) -> None:
        for widget in widgets:
            widget.layout.display = None if visible else "none"

    def _name_parts(self) -> None:
        named = {"real": self.real, "beside-raster": self.beside, "null": self.null, "facts": self.facts,
                 "message": self.message, "branching": self.branching, "sizes": self.sizes, "state": self.line}  # fmt: skip
        for name, widget in named.items():
            widget.add_class(f"critnb-{name}")

    def _choose(self, name: str, value: Any) -> None:
        """Take a person's choice; one that is refused is said, and what was chosen before stays."""
        self._try(lambda: self.state.use(value) if name == "chain" else self.state.choose(**{name: value}))

    def _asked(self, change: Any) -> None:
        if change["new"]:
            self.line.asked = ""
            self._try(lambda: self.state.restore(change["new"], self._chains))

    def _try(self, change: Callable[[], object]) -> None:
        self.message.value = ""
        try:
            change()
        except CritnbError as error:
            self.refresh()
            self.message.value = str(sentence(str(error)).data)

    def _picked(self, change: Any) -> None:
        if not self._syncing:
            self.state.choose(picked=None if change["new"] == NOTHING else change["new"])

    def _described(self, window: Callable[[], Window], words: str) -> Callable[[Any], None]:
        def show(change: Any) -> None:
            of_kinds = change["owner"] is self.beside and self.state.selection.beside is Beside.DIFFERENCE
            if self._syncing or of_kinds:
                return
            found = None if change["new"] == NOTHING else window().facts(change["new"])
            self.facts.value = described(self._stills.picked_facts if found is None else found)
            if found is not None:
                self.facts.value = words + self.facts.value

        return show

    def _looked(self, change: Any) -> None:
        if not self._syncing:
            wanted: dict[str, Any] = {change["name"]: Box.of(change["new"])}
            self.state.choose(**wanted)

    def _show_rasters(self) -> None:
        state, stills, selection = self.state, self._stills, self.state.selection
        self.real.draw(self._scene("real", lambda: state.window, stills.title), picked=selection.picked)
        notes = [f"The axis shows positions: {state.texts.reason}."] if state.texts.reason else []
        if selection.beside is Beside.NOTHING:
            self._set_visible(False, self.beside)
        else:
            notes += self._shown(self.beside, self._show_beside, "Nothing beside")
        notes += self._shown(self.null, self._show_null, "No null raster here")
        missing = (branching_curves(state).missing, size_curves(state).missing)
        notes += [f"{words[0].upper()}{words[1:]}." for words in missing if words]
        self.message.value = "".join(f'<div class="critnb-note">{html.escape(note)}</div>' for note in notes)
        for raster in (self.real, self.beside, self.null):
            raster.view, raster.brush = (box.numbers if box else [] for box in (selection.view, selection.brush))

    def _shown(self, raster: RasterWidget, show: Callable[[], None], words: str) -> list[str]:
        """Show a raster; return why it cannot be shown, as the lines of a note."""
        try:
            show()
        except CritnbError as error:
            self._set_visible(False, raster)
            return [f"{words}: {error}."]
        self._set_visible(True, raster)
        return []

    def _show_null(self) -> None:
        self.null.draw(
            self._scene(self.state.selection.null_id, lambda: self.state.null_window, self._stills.null_title)
        )

    def _show_beside(self) -> None:
        self._stills.require_other_gain()
        if self.state.selection.beside is Beside.GAIN_ONE:
            one = self._scene("one", lambda: self.state.window_at_one, self._stills.one_title)
            # the text stands below the raster above
            self.beside.draw(one | {"tokens": []})
            return
        kinds, named, title = self._stills.difference()
        self.beside.draw(kinds_scene(kinds, title, named))

    def _scene(self, what: str, window: Callable[[], Window], title: str) -> dict[str, Any]:
        selection = self.state.selection
        key = ("scene", what, selection.condition, selection.row)
        return self.state.keep(key, lambda: scene(window(), title))
