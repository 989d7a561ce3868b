"""Statistics of answers to multiple-choice questions: accuracies, margins, and their bootstrap over questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.criticality.bootstrap import multinomial_weights, percentile_interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model gave to the choices of questions, float64 [Q, K], NaN beyond a question's choices.

    letter, text: sums of log-probabilities (nats) of each choice's label and of its text; n_bytes: the text's length in
    UTF-8; answer int64 [Q]: the place of the right choice.
    """

    letter: Floats
    text: Floats
    n_bytes: Floats
    answer: npt.NDArray[np.int64]

    def chosen(self) -> dict[str, npt.NDArray[np.int64]]:
        """Return the chosen places int64 [Q] by measure; of equal scores the first choice is chosen."""
        scores = {"accuracy": self.letter, "acc_text": self.text, "acc_norm": self.text / self.n_bytes}
        return {name: np.argmax(np.where(np.isnan(of), -np.inf, of), axis=1) for name, of in scores.items()}

    def per_question(self) -> dict[str, Floats]:
        """Return float64 [Q] by measure: right (1) or wrong (0) by letter, text, text per byte; and the letters' margin.

        The margin is the right label's log-probability minus the mean of the others' (nats).
        """
        measures = {name: (places == self.answer).astype(np.float64) for name, places in self.chosen().items()}
        right = np.take_along_axis(self.letter, self.answer[:, None], axis=1)[:, 0]
        others = np.nansum(self.letter, axis=1) - right
        n_choices = np.count_nonzero(~np.isnan(self.letter), axis=1)
        return measures | {"mean_logprob_correct_minus_incorrect": right - others / (n_choices - 1)}

    def chance(self) -> float:
        """Return the expected accuracy of a blind choice: the mean of 1 / number of choices; NaN without questions."""
        n_choices = np.count_nonzero(~np.isnan(self.letter), axis=1)
        return float(np.mean(1.0 / n_choices)) if len(n_choices) else float("nan")


def with_intervals(measures: dict[str, Floats], *, replicates: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return mean and 95 % percentile interval (low, high) of each measure [Q], bootstrap over questions.

    Every measure is resampled with the same weights, so a difference of two gains is paired. NaN without questions.
    """
    n = len(next(iter(measures.values())))
    if not n:
        return {name: (float("nan"),) * 3 for name in measures}
    weights = multinomial_weights(n, replicates, seed)
    found = {}
    for name, values in measures.items():
        interval = percentile_interval(weights @ values / n)
        found[name] = (float(values.mean()), float(interval.low), float(interval.high))
    return found
