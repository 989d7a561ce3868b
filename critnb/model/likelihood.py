"""How well a model predicts its windows: the mean negative log-likelihood of their tokens, from the logits of each batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from critnb.errors import NonFiniteError
from critnb.model.forward import Setting


def first_predicted(burn_in: int) -> int:
    """Return the place of the first token that counts as predicted: the first after the burn-in that has a token before it."""
    return max(1, burn_in)


def predicted_tokens(seq_len: int, burn_in: int) -> int:
    """Return how many tokens of a window of ``seq_len`` are predicted."""
    return seq_len - first_predicted(burn_in)


def window_nll(logits: Tensor, tokens: Tensor, *, burn_in: int) -> NDArray[np.float64]:
    """Return each window's mean negative log-likelihood [B] in nats per predicted token.

    logits [B, T, V], tokens [B, T]; every token is predicted from all before it in its window. Log-probabilities are
    those of transformers' own loss, float32; one window at a time, so that no second array of [B, T, V] is made.
    """
    start = first_predicted(burn_in)
    means = [
        cross_entropy(of_window[start - 1 : -1].float(), wanted[start:], reduction="none").cpu().double().mean()
        for of_window, wanted in zip(logits, tokens, strict=True)
    ]
    return np.array([float(mean) for mean in means])


class WindowLikelihoods:
    """Reads the logits of ``ForwardPasses.run`` and keeps one number per window: ``nll_mean`` [N], nats per predicted token."""

    def __init__(self, n_windows: int, setting: Setting, *, burn_in: int) -> None:
        self.nll_mean = np.full(n_windows, np.nan)
        self._setting, self._burn_in = setting, burn_in

    def __call__(self, first: int, tokens: Tensor, logits: Tensor) -> None:
        """Take the logits of a batch whose first window is row ``first``.

        Raises NonFiniteError where a token of the text has probability zero or none at all.
        """
        found = window_nll(logits, tokens, burn_in=self._burn_in)
        if not np.isfinite(found).all():
            raise NonFiniteError(
                f"the log-likelihood of window {first + int(np.flatnonzero(~np.isfinite(found))[0])} is not finite at "
                f"{self._setting.intervention} gain {self._setting.gain:g}; use compute.dtype float32"
            )
        self.nll_mean[first : first + len(found)] = found
