"""The live mode's widgets: a text, a gain, the raster of the text, and the next tokens that the model expects."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets

from critnb.canon import CANON, Intervention
from critnb.errors import CritnbError, DependencyError
from critnb.explore import pictures
from critnb.explore.inputs import Places
from critnb.explore.live import LiveAnswer, LiveModel
from critnb.explore.live_knock_out import KnockOutView
from critnb.explore.raster import NOTHING, RasterWidget
from critnb.explore.raster_pictures import raster_picture
from critnb.explore.selection import Box
from critnb.explore.slider import Slider
from critnb.explore.state import ExplorerState
from critnb.explore.twin import Twin, sentence
from critnb.explore.warm_up import WarmUp
from critnb.explore.window import described
from critnb.report.figures.panels import SPIKE_WORDS, rate_label
from critnb.report.style import OKABE_ITO

_NOT_YET = "Nothing is loaded yet. Type a text and press <b>Run</b>: the run's own model is loaded once and then answers at once."
_STILL = "The live mode runs a text of yours through the model of the run, at any gain, in a notebook with a kernel."
_NOT_USED = "It had not been used when this page was made."
_ELSEWHERE = (
    "under this intervention thresholds were matched at its g* only; gain 1 is no intervention and has the MLP gain's"
)
_EXAMPLE = "The function returns the first item of the list that is not"
_PANEL = "critnb-live"
_GAINS = [round(0.01 * hundredths, 2) for hundredths in range(50, 151)]
_COLOURS = (OKABE_ITO[1], OKABE_ITO[0])


class LivePanel:
    """The live mode under the spike definition, rate and intervention that the explorer's state has selected."""

    def __init__(self, state: ExplorerState, places: Places) -> None:
        self.state = state
        self._places = places
        self._loaded: LiveModel | None = None
        self._answer: LiveAnswer | None = None
        self._wanted: Callable[[LiveModel], Any] | None = None
        self._under: tuple[Any, ...] = ()
        self._text = w.Textarea(_EXAMPLE, layout=w.Layout(width="100%", height="64px"), continuous_update=False)
        self._run = w.Button(description="Run", button_style="primary", tooltip="load the model, then run the text")
        self._window = w.Button(description="this window's text", tooltip="run the tokens of the selected window")
        self._gain = Slider(label="gain g", layout=w.Layout(flex="1 1 250px"))
        first = float(np.clip(state.gstar() or CANON.CONST.GAIN_BASELINE, _GAINS[0], _GAINS[-1]))
        stops = sorted({*_GAINS, first})
        self._gain.offer(stops, [f"{gain:.2f}" if gain in _GAINS else f"{gain:g}" for gain in stops], first)
        self._twin = Twin(self.still)
        hidden = w.Layout(display="none")
        self.raster = RasterWidget(tools=True, twin=self._twin.name, panel=_PANEL, layout=hidden)
        self._warm_up = WarmUp()
        self.raster.observe(lambda _: self._warm_up.start(), "visited")
        self._facts, self._said, self._next = w.HTML(), w.HTML(_NOT_YET), w.HTML()
        for widget, name in ((self._text, "text"), (self._run, "run"), (self._gain, "gain"), (self._next, "next"),
                             (self._said, "said"), (self._window, "window"), (self.raster, "raster")):  # fmt: skip
            widget.add_class(f"critnb-live-{name}")
        self._run.on_click(lambda _: self.ask(self._text.value))
        self._window.on_click(lambda _: self.ask_window())
        self._gain.observe(lambda _: self._again() if self._loaded else None, "value")
        self.raster.observe(lambda _: self._describe(), "picked")
        self.raster.observe(lambda _: self._twin.renew(), ["view", "brush"])
        self.knock_out = KnockOutView(self._knocked_out, self._twin.renew)
        for name in ("view", "brush"):
            traitlets.link((self.raster, name), (self.knock_out.raster, name))
        self.raster.observe(lambda change: self.knock_out.choose(change["new"]), "site")
        state.observe(self._follow)
        controls = w.HBox([self._run, self._window, self._gain], layout=w.Layout(width="100%", flex_flow="row wrap"))
        self.box = w.VBox([self._text, controls, self._said, self.raster, self._facts, self.knock_out.box, self._next])
        self.box.add_class(_PANEL)

    @property
    def answer(self) -> LiveAnswer | None:
        """The last answer."""
        return self._answer

    def display(self) -> None:
        """Display the widgets, and their still twin."""
        self._twin.display(self.box)

    def ask(self, text: str) -> None:
        """Run a text; load the model first where it is not loaded. Errors are shown in the panel."""
        self._ask(lambda model: model.ids(text))

    def ask_window(self) -> None:
        """Run the tokens of the window that the explorer has selected."""
        row = self.state.selection.row

        def ids(_: LiveModel) -> Any:
            texts = self.state.texts
            if texts.ids is None:
                raise DependencyError(f"the window's tokens are not available: {texts.reason}")
            return texts.ids[min(row, len(texts.ids) - 1)]

        self._ask(ids)

    def still(self) -> str:
        """Return the last answer as HTML with a picture."""
        if self._answer is None:
            return f"<p>{_STILL} {_NOT_USED if self._wanted is None else self._said.value}</p>"
        title, window = self._title(self._answer), self._answer.window
        view, brush = Box.of(self.raster.view), Box.of(self.raster.brush)
        data = pictures.png(raster_picture(window, title, view=view, brush=brush))
        image = pictures.image(data, f"{title}: {window.words()}")
        facts = f"<p>{self._facts.value}</p>{self.knock_out.still()}"
        return f"<p>{self._said.value}</p>{image}{facts}{self._next.value}"

    def _ask(self, wanted: Callable[[LiveModel], Any]) -> None:
        self._wanted = wanted
        self._again()

    def _follow(self) -> None:
        """Answer again where the selection changed in a field that the answer depends on."""
        before, now = self._under, self._depends_on()
        # a model that could not be loaded is not tried again for another condition of the same run
        if before and before != now and (self._loaded is not None or before[0] is not now[0]):
            self._again()

    def _depends_on(self) -> tuple[Any, ...]:
        condition = self.state.selection.condition
        return self.state.chain, condition.spike_def_id, condition.target_rate, condition.intervention_id

    def _again(self) -> None:
        """Run the last request again; its token ids may differ with another model."""
        if self._wanted is None:
            return
        self._under = self._depends_on()
        try:
            model = self._model()
            self._show(model.answer(self._wanted(model), self.state.selection.condition, self._gain.value))
        except CritnbError as error:
            self._refuse(error)
        self._twin.renew()

    def _model(self) -> LiveModel:
        if self._loaded is None or self._loaded.chain is not self.state.chain:
            self._said.value = "Loading the model …"
            self._warm_up.wait()
            # the one before makes room first
            self._loaded = None
            self._loaded = LiveModel.load(self.state.chain, self._places)
        return self._loaded

    def _show(self, answer: LiveAnswer) -> None:
        condition = self.state.selection.condition
        self._answer = answer
        self.knock_out.use(answer.window)
        self.raster.layout.display = None
        self.raster.show(answer.window, self._title(answer))
        self._describe()
        exact = "matched at this gain" if answer.tau_gain == answer.gain else (
            f"those of g = {answer.tau_gain:g}, the matched gain nearest to {answer.gain:g} (never interpolated)"
        )  # fmt: skip
        if condition.intervention_id is not Intervention.MLP_GLOBAL:
            exact += f"; {_ELSEWHERE}"
        self._said.value = (
            f"{html.escape(SPIKE_WORDS[condition.spike_def_id])} · {rate_label(condition.target_rate)} · "
            f"gain on {pictures.INTERVENTION_WORDS[condition.intervention_id]} · thresholds τ: {exact}"
        )
        self._next.value = next_tokens_html(answer)

    def _knocked_out(self, token: int, layer: int) -> Any:
        """Put out the events of a site of the last answer; raises what ``LiveModel.knock_out`` raises."""
        if self._wanted is None or self._answer is None:
            raise DependencyError("run a text first")
        model, condition = self._model(), self.state.selection.condition
        return model.knock_out(self._wanted(model), condition, self._answer.gain, layer=layer, token=token)

    def _title(self, answer: LiveAnswer) -> str:
        return f"live, g = {answer.gain:g}"

    def _describe(self) -> None:
        picked = self.raster.picked
        facts = None if self._answer is None or picked == NOTHING else self._answer.window.facts(picked)
        self._facts.value = "" if facts is None else described(facts)
        self._twin.renew()

    def _refuse(self, error: CritnbError) -> None:
        self._answer = None
        self.knock_out.use(None)
        self.raster.layout.display = "none"
        self._facts.value = self._next.value = ""
        self._said.value = str(sentence(str(error)).data)


def next_tokens_html(answer: LiveAnswer) -> str:
    """Return the next tokens, at the gain and at gain 1 side by side, as bars of plain HTML."""
    most = max((max(token.at_gain, token.at_one) for token in answer.next_tokens), default=1.0) or 1.0
    rows = "".join(
        "<tr>"
        f'<td style="font-family:monospace;padding-right:12px;white-space:pre">{html.escape(token.text)}</td>'
        f"{_bar(token.at_gain, most, _COLOURS[0])}{_bar(token.at_one, most, _COLOURS[1])}</tr>"
        for token in answer.next_tokens
    )
    heads = ("next token", *(pictures.legend({words: colour}) for words, colour in
             zip((f"at g = {answer.gain:g}", "at g = 1"), _COLOURS, strict=True)))  # fmt: skip
    head = "".join(f'<th style="text-align:left;padding-right:24px">{words}</th>' for words in heads)
    return (
        f'<table class="critnb-next" style="border-collapse:collapse;font-size:13px;line-height:1.25"><tr>{head}</tr>{rows}</table>'
        f'<div style="padding-top:4px">The likeliest next token is another than at g = 1 in {answer.changed} of '
        f"{answer.places} places; after the last token the two distributions differ by {answer.divergence:.3g} nats "
        "(Kullback–Leibler).</div>"
    )


def _bar(share: float, most: float, colour: str) -> str:
    width = 190 * share / most
    return (
        '<td style="padding-right:24px;white-space:nowrap"><span style="display:inline-block;height:10px;'
        f'width:{width:.1f}px;background:{colour};vertical-align:middle"></span> {100 * share:.1f} %</td>'
    )
