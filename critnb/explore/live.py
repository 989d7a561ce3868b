"""The live mode's arithmetic: one text through the run's own model, at any gain, under the run's own thresholds.

The one module of this room that imports torch, and only where it is used. Thresholds are never interpolated: a gain at
which they were matched has its own, any other gain those of the matched gain nearest to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, Intervention, Stage
from critnb.errors import DataError
from critnb.explore.chain import Chain
from critnb.explore.inputs import Places, model_files, shown_piece
from critnb.explore.window import Window
from critnb.lattice import Condition
from critnb.params import Params

if TYPE_CHECKING:
    from critnb.events.site_knock_out import SiteKnockOut
    from critnb.model.forward import ForwardPasses
    from critnb.model.language_model import LanguageModel
    from critnb.model.logits import Logits

Floats = npt.NDArray[np.float64]
SHOWN = 8


@dataclass(frozen=True)
class NextToken:
    """A token that may come next, and its probability at the gain and at gain 1."""

    text: str
    at_gain: float
    at_one: float


@dataclass(frozen=True, eq=False)
class LiveAnswer:
    """The model's answer to a text: its raster, and the next tokens at the gain and at gain 1.

    ``tau_gain`` is the matched gain whose thresholds were used; ``changed`` says how many of the places have another
    likeliest next token than at gain 1; ``divergence`` (nats) is that of the last place's distribution at the gain from
    that at gain 1.
    """

    window: Window
    gain: float
    tau_gain: float
    next_tokens: tuple[NextToken, ...]
    changed: int
    places: int
    divergence: float


def nearest_matched(tau: pd.DataFrame, condition: Condition, gain: float) -> tuple[Intervention, float]:
    """Return the intervention and the gain whose thresholds are used, from S03's table of thresholds ``tau``.

    The nearest gain that was matched for the condition's spike definition and rate under its intervention, of two the one
    nearer to gain 1. Gain 1 is no intervention, so that its thresholds under MLP_GLOBAL are those of every intervention.
    """
    of_pair = (tau["spike_def_id"] == str(condition.spike_def_id)) & (tau["target_rate"] == condition.target_rate)
    own = tau[of_pair & (tau["intervention_id"] == str(condition.intervention_id))]
    one = CANON.CONST.GAIN_BASELINE
    matched = {one: Intervention.MLP_GLOBAL} | {float(known): condition.intervention_id for known in own["gain"]}
    near = min(matched, key=lambda known: (round(abs(known - gain), 9), abs(known - one), known))
    return matched[near], near


class LiveModel:
    """The model of a chain, loaded, with its calibration and thresholds."""

    def __init__(self, chain: Chain, model: LanguageModel) -> None:
        """Read calibration and thresholds of the chain; raises DependencyError where it has no run of S01."""
        from critnb.stages.s01_calibrate.tables import load_calibration

        self.chain = chain
        self.model = model
        self._calibration, _ = load_calibration(chain.run(Stage.S01))
        run = chain.run(Stage.S03)
        self._tau = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))

    @classmethod
    def load(cls, chain: Chain, places: Places) -> LiveModel:
        """Load the model that the chain's runs were made with; raises DependencyError or ModelError where that fails."""
        files = model_files(places, chain)
        from critnb.model import loading

        loading.make_deterministic()
        return cls(chain, loading.load(files, chain.params.compute))

    def ids(self, text: str) -> npt.NDArray[np.int64]:
        """Return a text's token ids [T], opened as every document of a corpus is.

        Raises DataError where it leaves fewer than two tokens to look at, or more than the model reads.
        """
        from critnb.model.windows import opening_tokens

        tokenizer = self.model.tokenizer
        ids = [*opening_tokens(tokenizer), *tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
        return self._checked(np.array(ids, dtype=np.int64))

    def answer(self, ids: npt.NDArray[np.int64], condition: Condition, gain: float) -> LiveAnswer:
        """Run token ids [T] at a gain under the condition's intervention, spike definition and rate.

        Raises DataError as ``ids``, and NonFiniteError where the model gives activations that are not finite.
        """
        from critnb.events import extract
        from critnb.model.forward import Setting

        tokens = self._checked(ids)[None]
        near, tau = self._thresholds(condition, gain)
        setting = Setting(condition.intervention_id, gain)
        seen: list[_Expected] = []
        passes = self._passes()
        counts = extract(
            passes, tokens, self._calibration, tau, [condition.spike_def_id], setting, on_logits=_keep(seen)
        )
        if gain != CANON.CONST.GAIN_BASELINE:
            passes.run(tokens, Setting(), lambda *_: None, on_logits=_keep(seen))
        pieces = [self._piece(int(token)) for token in ids][passes.burn_in :]
        window = Window.of(counts[0, 0, 0], adjacency=self.chain.adjacency, tokens=pieces)
        return self._answered(window, gain, near, at_gain=seen[0], at_one=seen[-1])

    def knock_out(
        self, ids: npt.NDArray[np.int64], condition: Condition, gain: float, *, layer: int, token: int
    ) -> SiteKnockOut:
        """Put out the events at a site of token ids [T], under the thresholds that ``answer`` uses; ``token`` as in its window.

        Raises DataError for the last layer and for a site without an event, and ModelError where the blocks of the model
        cannot be run again from a kept stream.
        """
        from critnb.events.site_knock_out import knock_out_site
        from critnb.model.forward import Setting

        _, tau = self._thresholds(condition, gain)
        return knock_out_site(
            self._passes(), self._checked(ids), self._calibration, tau[0, 0], condition.spike_def_id,
            Setting(condition.intervention_id, gain), layer=layer, token=token, seed=Params().nulls.seed,
        )  # fmt: skip

    def _thresholds(self, condition: Condition, gain: float) -> tuple[float, Floats]:
        """Return the matched gain whose thresholds are used, and them [1, 1, L]."""
        from critnb.lattice.thresholds import tau_of

        matched_under, near = nearest_matched(self._tau, condition, gain)
        return near, tau_of(self._tau, matched_under, near, [condition.spike_def_id], [condition.target_rate])

    def _answered(
        self, window: Window, gain: float, near: float, *, at_gain: _Expected, at_one: _Expected
    ) -> LiveAnswer:
        now, one = at_gain.last, at_one.last
        best = dict.fromkeys([*_likeliest(now), *_likeliest(one)])
        ranked = sorted(best, key=lambda token: (-now[token], -one[token], token))
        held = now > 0
        with np.errstate(divide="ignore"):
            divergence = float((now[held] * (np.log(now[held]) - np.log(one[held]))).sum())
        return LiveAnswer(
            window,
            gain,
            near,
            tuple(NextToken(self._piece(token), float(now[token]), float(one[token])) for token in ranked),
            changed=int((at_gain.likeliest != at_one.likeliest).sum()),
            places=len(at_gain.likeliest),
            divergence=max(0.0, divergence),
        )

    def _passes(self) -> ForwardPasses:
        from critnb.model.forward import ForwardPasses

        params = self.chain.params
        return ForwardPasses(
            self.model, batch_tokens=params.compute.batch_tokens, burn_in=params.windows.burn_in_tokens
        )

    def _checked(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        least, most = self.chain.params.windows.burn_in_tokens + 2, self.model.context_length
        if len(ids) < least:
            raise DataError(f"the text has {len(ids)} tokens with its opening one; {least} are the least to look at")
        if most is not None and len(ids) > most:
            raise DataError(f"the text has {len(ids)} tokens, the model reads {most}; shorten it")
        return ids

    def _piece(self, token: int) -> str:
        raw = str(self.model.tokenizer.convert_ids_to_tokens(token) or "")
        text = raw.replace("▁", " ") if "▁" in raw else self.model.tokenizer.decode([token])
        return shown_piece(text)


@dataclass(frozen=True, eq=False)
class _Expected:
    """The likeliest next token of every place [T] and the last place's probabilities [V]."""

    likeliest: npt.NDArray[np.int64]
    last: Floats


def _keep(seen: list[_Expected]) -> Any:
    def keep(_first: int, _tokens: Any, part: Logits) -> None:
        logits = part.logits[0]
        before = [seen.pop().likeliest] if part.token else []
        last = logits[-1].double().softmax(dim=-1).cpu().numpy()
        seen.append(_Expected(np.concatenate([*before, logits.argmax(dim=-1).cpu().numpy()]), last))

    return keep


def _likeliest(probabilities: Floats) -> Sequence[int]:
    return [int(token) for token in np.argsort(-probabilities, kind="stable")[:SHOWN]]
