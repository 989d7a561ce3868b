"""Forward passes over windows in batches, with a gain applied; u, and logits if wanted, go to the caller's readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import CANON, Intervention
from critnb.errors import NonFiniteError
from critnb.model.language_model import LanguageModel
from critnb.model.logits import Logits, logits_of
from critnb.model.taps import finite, gain_applied, reading_units

if TYPE_CHECKING:
    from critnb.model.elsewhere import ModelFacts

OnBatch = Callable[[int], object]
OnBatchUnits = Callable[[int, int, Tensor], None]
OnLogits = Callable[[int, Tensor, Logits], None]


def unreported(_n: int) -> None:
    """Tell nobody of finished windows: the ``on_batch`` of who shows no progress."""


@dataclass(frozen=True)
class Setting:
    """The conditions of a forward pass: which branch is scaled, and by which gain."""

    intervention: Intervention = Intervention.MLP_GLOBAL
    gain: float = CANON.CONST.GAIN_BASELINE

    def in_effect(self) -> Setting:
        """Return the setting under which the model does the very same: at the baseline every branch is what it is."""
        return Setting() if self.gain == CANON.CONST.GAIN_BASELINE else self


class ForwardPasses:
    """Runs a model over windows and counts how many windows it ran; ``burn_in`` leading tokens are hidden from readers."""

    def __init__(
        self, model: LanguageModel, *, batch_tokens: int, burn_in: int = 0, facts: ModelFacts | None = None
    ) -> None:
        """``facts`` are those that a record names, where the model was loaded for one."""
        self.model, self.facts = model, facts
        self.burn_in = burn_in
        self.windows_run = 0
        self._batch_tokens = batch_tokens
        self._on_done: OnBatch = unreported

    @property
    def threads(self) -> int:
        """How many threads torch uses here."""
        return torch.get_num_threads()

    def batch_windows(self, length: int) -> int:
        """Return how many windows of so many tokens are in a batch."""
        return max(1, self._batch_tokens // length)

    @contextmanager
    def reporting(self, on_done: OnBatch) -> Iterator[None]:
        """Call ``on_done(n)`` inside the context when n more windows, or what else is counted, are finished."""
        before, self._on_done = self._on_done, on_done
        try:
            yield
        finally:
            self._on_done = before

    def report(self, n: int) -> None:
        """Tell who asked for reports that n more of what is counted are finished."""
        self._on_done(n)

    def finished(self, n: int) -> None:
        """Count n more windows as run, and report them."""
        self.windows_run += n
        self.report(n)

    @torch.inference_mode()
    def run(
        self,
        tokens: NDArray[np.int64],
        setting: Setting,
        on_units: OnBatchUnits,
        on_batch: OnBatch = unreported,
        on_logits: OnLogits | None = None,
    ) -> None:
        """Run ``tokens`` [N, T] under ``setting``.

        ``on_units(first, layer, u)`` gets u [B, T - burn_in, F] of every batch and layer, ``first`` being the row of
        the batch's first window; ``on_batch(n)`` is called when n more windows are finished. With
        ``on_logits(first, tokens, logits)`` the same pass goes through the model's own head as well, its scaling and capping
        included: tokens [B, T], and logits of a part of them at a time, burn-in not hidden. Raises ModelError before the first
        pass where a token has no embedding, and NonFiniteError naming gain and layer where an activation is not finite.
        """
        self.model.require_known(tokens)
        first = 0

        def read(layer: int, u: Tensor) -> None:
            on_units(first, layer, u[:, self.burn_in :])

        with gain_applied(self.model.taps, setting.intervention, setting.gain), reading_units(self.model.taps, read):
            for first, batch in self.batches(tokens):
                self._forward(first, batch, setting, on_logits)
                self.finished(len(batch))
                on_batch(len(batch))

    def _forward(self, first: int, batch: Tensor, setting: Setting, on_logits: OnLogits | None) -> None:
        if on_logits is None:
            hidden = self.model.body(input_ids=batch, use_cache=False).last_hidden_state
            if not finite(hidden):
                self.name_the_layer(batch, setting)
            return
        for part in logits_of(self.model, batch):
            # the largest logit of a token stands for its hidden state: NaN and infinity get into it, and no mask of logits is made
            if not finite(part.logits.amax(dim=-1)):
                self.name_the_layer(batch, setting)
            on_logits(first, batch, part)
            # else two parts would be there while the next is made
            del part

    def batches(self, tokens: NDArray[np.int64]) -> Iterator[tuple[int, Tensor]]:
        """Yield the row of each batch's first window and its token ids [B, T] on the model's device."""
        size = self.batch_windows(tokens.shape[1])
        for first in range(0, len(tokens), size):
            yield first, self.model.ids(tokens[first : first + size])

    def name_the_layer(self, batch: Tensor, setting: Setting) -> None:
        """Raise NonFiniteError for token ids [B, T] that are known to give values that are not finite, under an applied gain."""
        bad: list[int] = []
        # a NaN or infinity anywhere reaches the last hidden state, so only a batch known to be bad is read again
        with reading_units(self.model.taps, lambda layer, u: None if finite(u) else bad.append(layer)):
            self.model.body(input_ids=batch, use_cache=False)
        where = f"MLP activations of layer {bad[0]}" if bad else "the hidden states or logits after the last layer"
        raise NonFiniteError(
            f"{where} are not finite at {setting.intervention} gain {setting.gain:g}; "
            "take that gain out of gain.grid or use compute.dtype float32"
        )
