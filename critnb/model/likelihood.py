"""How well a model predicts its windows: the mean negative log-likelihood of their tokens, from the logits of each batch."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from critnb.errors import NonFiniteError
from critnb.model.forward import Setting
from critnb.model.logits import Logits


def first_predicted(burn_in: int) -> int:
    """Return the place of the first token that counts as predicted: the first after the burn-in that has a token before it."""
    return max(1, burn_in)


def predicted_tokens(seq_len: int, burn_in: int) -> int:
    """Return how many tokens of a window of ``seq_len`` are predicted."""
    return seq_len - first_predicted(burn_in)


class WindowLikelihoods:
    """Reads the logits of ``ForwardPasses.run`` and keeps one number per window: ``nll_mean`` [N], nats per predicted token.

    Every token is predicted from all before it in its window. Log-probabilities are those of transformers' own loss, float32.
    """

    def __init__(self, n_windows: int, setting: Setting, *, burn_in: int) -> None:
        self.nll_mean = np.full(n_windows, np.nan)
        self._setting, self._start = setting, first_predicted(burn_in)
        # what the parts of a window gave that came so far
        self._losses: list[Tensor] = []

    def __call__(self, first: int, tokens: Tensor, part: Logits) -> None:
        """Take logits of a batch whose first window is row ``first``, in the order of its windows and tokens.

        Raises NonFiniteError where a token of the text has probability zero or none at all.
        """
        stop = part.token + part.logits.shape[1]
        # the last token of a window predicts none of it
        predicts = slice(max(self._start - 1, part.token), min(stop, tokens.shape[1] - 1))
        # one window at a time, so that no second array of [B, T, V] is made
        for row, of_window in enumerate(part.logits, start=part.window):
            logits = of_window[predicts.start - part.token : max(predicts.stop, predicts.start) - part.token]
            wanted = tokens[row, predicts.start + 1 : max(predicts.stop, predicts.start) + 1]
            self._losses.append(cross_entropy(logits.float(), wanted, reduction="none").cpu().double())
            if stop == tokens.shape[1]:
                self._finish(first + row)

    def _finish(self, window: int) -> None:
        self.nll_mean[window] = found = float(torch.cat(self._losses).mean())
        self._losses.clear()
        if not math.isfinite(found):
            raise NonFiniteError(
                f"the log-likelihood of window {window} is not finite at {self._setting.intervention} gain "
                f"{self._setting.gain:g}; use compute.dtype float32"
            )
