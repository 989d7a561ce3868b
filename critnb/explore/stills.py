"""The explorer's selection without widgets: its titles, its pictures with their words, and all of it as one piece of HTML."""

from __future__ import annotations

import html

from critnb.canon import CANON
from critnb.errors import CritnbError, DependencyError
from critnb.explore import difference, pictures
from critnb.explore.alts import branching_words, sizes_words
from critnb.explore.curves import branching_curves, size_curves
from critnb.explore.raster_pictures import kinds_picture, raster_picture
from critnb.explore.selection import Beside
from critnb.explore.state import ExplorerState
from critnb.explore.window import Facts, described
from critnb.report.figures.panels import SPIKE_WORDS, rate_label

_OPEN = (
    "Pictures of how the explorer was left. To explore by hand, open the notebook in JupyterLab (make lab), run it, and"
)
_GREY = 'style="margin:.3em 0;opacity:.8"'


class Stills:
    """What the current selection looks like."""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state

    @property
    def title(self) -> str:
        """The title of the raster."""
        return f"window {self.state.seq_id} of the corpus, g = {self.state.selection.condition.gain:g}"

    @property
    def null_title(self) -> str:
        """The title of the null's raster."""
        return f"null, {pictures.NULL_WORDS[self.state.selection.null_id]}"

    @property
    def one_title(self) -> str:
        """The title of the raster at gain 1."""
        return f"the same window, g = {CANON.CONST.GAIN_BASELINE:g}"

    @property
    def heading(self) -> str:
        """Chain and condition in one line."""
        condition = self.state.selection.condition
        return (
            f"{self.state.chain.label} · {SPIKE_WORDS[condition.spike_def_id]} · {rate_label(condition.target_rate)} · "
            f"{pictures.INTERVENTION_WORDS[condition.intervention_id]} · g = {condition.gain:g}"
        )

    @property
    def picked_facts(self) -> Facts | None:
        """The picked avalanche."""
        picked = self.state.selection.picked
        return None if picked is None else self.state.window.facts(picked)

    def require_other_gain(self) -> None:
        """Raise DependencyError where gain 1 is what is selected, or no raster has it."""
        if self.state.at_one == self.state.selection.condition:
            raise DependencyError("gain 1 is the selected one; choose another gain to see it beside")

    def difference(self) -> tuple[difference.Kinds, dict[str, str], str]:
        """Return what each site is at the selected gain and at gain 1, the kinds' words and colours, and a title."""
        state = self.state
        gains = {"gain": state.selection.condition.gain, "other": state.at_one.gain}
        kinds = difference.difference(state.window.counts, state.window_at_one.counts)
        named = dict(zip(difference.names(**gains), difference.COLOURS, strict=True))
        return kinds, named, f"difference: {difference.words(kinds, **gains)}"

    def page(self) -> str:
        """Return the selection as HTML with pictures."""
        state, selection = self.state, self.state.selection
        picture = raster_picture(
            state.window, self.title, picked=selection.picked, view=selection.view, brush=selection.brush
        )
        parts = [
            f"<p {_GREY}>{html.escape(self.heading)}</p>",
            pictures.image(pictures.png(picture), f"{self.title}: {state.window.words()}"),
            self._beside(),
            self._null(),
        ]
        if selection.picked is not None:
            parts.append(f"<p>{described(self.picked_facts)}</p>")
        parts.append(
            '<div style="display:flex;flex-wrap:wrap;align-items:center">'
            f'<div style="flex:61 1 420px">{self.branching()}</div><div style="flex:38 1 300px">{self.sizes()}</div></div>'
        )
        parts.append(
            f"<p {_GREY}>{_OPEN} paste this line into its box <i>state</i>: <code>{html.escape(str(state))}</code></p>"
        )
        return "\n".join(parts)

    def _beside(self) -> str:
        state, selection = self.state, self.state.selection
        if selection.beside is Beside.NOTHING:
            return ""
        try:
            self.require_other_gain()
        except CritnbError as error:
            return f"<p>{html.escape(str(error))}</p>"
        if selection.beside is Beside.GAIN_ONE:
            picture = raster_picture(state.window_at_one, self.one_title, view=selection.view, brush=selection.brush)
            return pictures.image(pictures.png(picture), f"{self.one_title}: {state.window_at_one.words()}")
        kinds, named, title = self.difference()
        picture = kinds_picture(kinds, list(named.values()), state.window.tokens, title, selection.view)
        return pictures.legend(named) + "<br>" + pictures.image(pictures.png(picture), title)

    def _null(self) -> str:
        selection = self.state.selection
        try:
            window = self.state.null_window
        except CritnbError as error:
            return f"<p>{html.escape(str(error))}</p>"
        picture = raster_picture(window, self.null_title, view=selection.view, brush=selection.brush)
        return pictures.image(pictures.png(picture), f"{self.null_title}: {window.words()}")

    def branching(self) -> str:
        """Return the panels of branching as an image with its words."""
        state, selection = self.state, self.state.selection

        def draw() -> str:
            curves = branching_curves(state)
            return pictures.image(pictures.png(pictures.branching_picture(curves, selection)), branching_words(curves))

        return state.keep(("branching picture", selection.condition, selection.null_id), draw)

    def sizes(self) -> str:
        """Return the panel of sizes as an image with its words."""
        state, selection, facts = self.state, self.state.selection, self.picked_facts
        size = None if facts is None else facts.size

        def draw() -> str:
            curves = size_curves(state)
            picture = pictures.sizes_picture(curves, selection.null_id, picked_size=size)
            return pictures.image(pictures.png(picture), sizes_words(curves, size))

        return state.keep(("sizes picture", selection.condition, selection.null_id, size), draw)
