"""The explorer's widgets, which show and change the state, and the pictures that replace them in exported pages."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as w
from IPython.display import display

from critnb.canon import NullId
from critnb.errors import CritnbError
from critnb.explore import pictures
from critnb.explore.chain import Chain
from critnb.explore.curves import branching_curves, size_curves
from critnb.explore.raster import NOTHING, RasterWidget
from critnb.explore.state import ExplorerState
from critnb.explore.twin import Twin, sentence
from critnb.explore.window import Facts, described
from critnb.report.figures.panels import SPIKE_WORDS, rate_label

_NULLS = [null_id for null_id in NullId if null_id is not NullId.NULL_NONE]
_WIDE = w.Layout(width="auto")
_STYLE = {"description_width": "82px"}


class ExplorerView:
    """The widgets of one explorer."""

    def __init__(self, state: ExplorerState, chains: list[Chain]) -> None:
        self.state = state
        self._chains = chains
        self._syncing = False
        self._controls = self._make_controls()
        self.real, self.null = RasterWidget(), RasterWidget()
        self._twin = Twin(self.still)
        self.real.twin = self._twin.name
        self._facts, self._message = w.HTML(), w.HTML()
        self._curves = w.HBox(layout=w.Layout(flex_flow="row wrap", align_items="center"))
        self._branching, self._sizes = w.Image(format="png"), w.Image(format="png")
        for image, share in ((self._branching, "61%"), (self._sizes, "38%")):
            image.layout = w.Layout(width=share, min_width="380px", object_fit="contain")
        self._curves.children = (self._branching, self._sizes)
        named = {"facts": self._facts, "message": self._message, "branching": self._branching, "sizes": self._sizes}
        for name, widget in (named | {"real": self.real, "null": self.null}).items():
            widget.add_class(f"critnb-{name}")
        self.real.observe(self._picked, "picked")
        self.null.observe(self._picked_in_null, "picked")
        self.box = self._arranged()
        state.observe(self.refresh)
        self.refresh()

    def display(self) -> None:
        """Display the widgets, and their still twin for pages without live widgets."""
        display(self.box)
        self._twin.display()

    def still(self) -> str:
        """Return the selection as HTML with pictures."""
        state, selection = self.state, self.state.selection
        raster = pictures.raster_picture(state.window, self._title(), picked=selection.picked)
        parts = [
            f'<p style="margin:.3em 0;color:#444">{html.escape(self._heading())}</p>',
            pictures.image(pictures.png(raster), f"{self._title()}: {state.window.words()}"),
        ]
        try:
            null = pictures.raster_picture(state.null_window, self._null_title())
            parts.append(pictures.image(pictures.png(null), self._null_title()))
        except CritnbError as error:
            parts.append(f"<p>{html.escape(str(error))}</p>")
        if selection.picked is not None:
            parts.append(f"<p>{described(self._picked_facts())}</p>")
        branching = pictures.image(self._branching_png(), "branching over the gain")
        sizes = pictures.image(self._sizes_png(), "sizes of avalanches")
        parts.append(
            '<div style="display:flex;flex-wrap:wrap;align-items:center">'
            f'<div style="flex:61 1 420px">{branching}</div><div style="flex:38 1 300px">{sizes}</div></div>'
        )
        return "\n".join(parts)

    def refresh(self) -> None:
        """Show the current state; for a damaged run show the error, so that another can be chosen."""
        self._syncing = True
        try:
            self._show_choices()
            self._show_rasters()
            self._facts.value = described(self._picked_facts())
            self._branching.value = self._branching_png()
            self._sizes.value = self._sizes_png()
            self._set_visible(True, self.real, self._facts, self._curves)
        except CritnbError as error:
            self._message.value = sentence(str(error)).data
            self._set_visible(False, self.real, self.null, self._facts, self._curves)
        finally:
            self._syncing = False
        self._twin.renew()

    @staticmethod
    def _set_visible(visible: bool, *widgets: w.Widget) -> None:
        for widget in widgets:
            widget.layout.display = None if visible else "none"

    def _make_controls(self) -> dict[str, Any]:
        state = self.state
        words = {"style": _STYLE, "layout": _WIDE}
        controls: dict[str, Any] = {
            "chain": w.Dropdown(options=[(each.label, each) for each in self._chains], description="run", **words),
            "spike_def": w.Dropdown(description="events", **words),
            "target_rate": w.Dropdown(description="target rate", **words),
            "intervention": w.Dropdown(description="gain on", **words),
            "null_id": w.Dropdown(
                options=[(pictures.NULL_WORDS[null_id], null_id) for null_id in _NULLS], description="null", **words
            ),
            "gain": w.SelectionSlider(
                options=state.gains, value=state.selection.condition.gain, description="gain g", **words
            ),
            "row": w.IntSlider(min=0, max=state.n_windows - 1, description="sequence", **words),
        }
        for name, control in controls.items():
            control.add_class(f"critnb-{name.replace('_', '-')}")
            control.observe(self._changed(name), "value")
        return controls

    def _arranged(self) -> w.Widget:
        c = self._controls
        back, forward = (w.Button(icon=icon, tooltip=f"{word} sequence", layout=w.Layout(width="38px")) for icon, word in (
            ("chevron-left", "previous"), ("chevron-right", "next")))  # fmt: skip
        back.on_click(lambda _: self._step(-1))
        forward.on_click(lambda _: self._step(+1))
        forward.add_class("critnb-forward")
        shares = {"chain": 2, "row": 1, "spike_def": 1, "target_rate": 1, "intervention": 1, "gain": 2, "null_id": 1}
        for name, share in shares.items():
            c[name].layout = w.Layout(flex=f"{share} 1 {160 * share}px", width="auto")
        rows = (
            [c["chain"], w.HBox([c["row"], back, forward], layout=w.Layout(flex="1 1 160px"))],
            [c["spike_def"], c["target_rate"], c["intervention"]],
            [c["gain"], c["null_id"]],
        )
        controls = [w.HBox(row, layout=w.Layout(flex_flow="row wrap")) for row in rows]
        box = w.VBox(
            [*controls, self.real, self._facts, self.null, self._message, self._curves], layout=w.Layout(width="100%")
        )
        box.add_class("critnb-explorer")
        return box

    def _changed(self, name: str) -> Callable[[Any], None]:
        def changed(change: Any) -> None:
            if self._syncing:
                return
            self._message.value = ""
            try:
                if name == "chain":
                    self.state.use(change["new"])
                else:
                    self.state.choose(**{name: change["new"]})
            except CritnbError as error:
                self.refresh()
                self._message.value = sentence(str(error)).data

        return changed

    def _step(self, by: int) -> None:
        self.state.choose(row=(self.state.selection.row + by) % self.state.n_windows)

    def _picked(self, change: Any) -> None:
        if not self._syncing:
            self.state.choose(picked=None if change["new"] == NOTHING else change["new"])

    def _picked_in_null(self, change: Any) -> None:
        if not self._syncing:
            found = None if change["new"] == NOTHING else self.state.null_window.facts(change["new"])
            self._facts.value = described(self._picked_facts()) if found is None else f"In the null, {described(found)}"

    def _show_choices(self) -> None:
        state, condition = self.state, self.state.selection.condition
        c = self._controls
        c["chain"].value = state.chain
        _offer(c["spike_def"], [(SPIKE_WORDS[kind], kind) for kind in state.spike_defs], condition.spike_def_id)
        _offer(c["target_rate"], [(rate_label(rate), rate) for rate in state.target_rates], condition.target_rate)
        kinds = [(pictures.INTERVENTION_WORDS[kind], kind) for kind in state.interventions]
        _offer(c["intervention"], kinds, condition.intervention_id)
        gstar = state.gstar()
        gains = [(f"{gain:g} = g*" if gain == gstar else f"{gain:g}", gain) for gain in state.gains]
        _offer(c["gain"], gains, condition.gain)
        c["row"].max = state.n_windows - 1
        c["row"].value = state.selection.row
        c["null_id"].value = state.selection.null_id

    def _show_rasters(self) -> None:
        state = self.state
        self.real.show(state.window, self._title(), picked=state.selection.picked)
        notes = [f"The axis shows positions: {state.texts.reason}."] if state.texts.reason else []
        try:
            self.null.show(state.null_window, self._null_title(), wide=not state.texts.reason)
            self._set_visible(True, self.null)
        except CritnbError as error:
            self._set_visible(False, self.null)
            notes.append(f"No null raster here: {error}.")
        missing = (branching_curves(state).missing, size_curves(state).missing)
        notes += [f"{words[0].upper()}{words[1:]}." for words in missing if words]
        self._message.value = "".join(f'<div style="color:#666">{html.escape(note)}</div>' for note in notes)

    def _picked_facts(self) -> Facts | None:
        picked = self.state.selection.picked
        return None if picked is None else self.state.window.facts(picked)

    def _title(self) -> str:
        return f"window {self.state.seq_id} of the corpus"

    def _null_title(self) -> str:
        return f"null, {pictures.NULL_WORDS[self.state.selection.null_id]}"

    def _heading(self) -> str:
        condition = self.state.selection.condition
        return (
            f"{self.state.chain.label} · {SPIKE_WORDS[condition.spike_def_id]} · {rate_label(condition.target_rate)} · "
            f"{pictures.INTERVENTION_WORDS[condition.intervention_id]} · g = {condition.gain:g}"
        )

    def _branching_png(self) -> bytes:
        state, condition = self.state, self.state.selection.condition
        return state.keep(
            ("branching picture", condition, state.selection.null_id),
            lambda: pictures.png(pictures.branching_picture(branching_curves(state), state.selection)),
        )

    def _sizes_png(self) -> bytes:
        state, selection = self.state, self.state.selection
        facts = self._picked_facts()
        size = None if facts is None else facts.size
        return state.keep(
            ("sizes picture", selection.condition, selection.null_id, size),
            lambda: pictures.png(pictures.sizes_picture(size_curves(state), selection.null_id, picked_size=size)),
        )


def _offer(control: Any, options: list[tuple[str, Any]], value: Any) -> None:
    """Set the choices of a menu, which resets it, only where they changed."""
    if list(control.options) != options:
        control.options = options
    control.value = value
