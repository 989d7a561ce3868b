"""Statistics of answers to multiple-choice questions: accuracies, margins, and their bootstrap over questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.criticality.bootstrap import multinomial_weights, percentile_interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's scores of the choices of questions, float64 [Q, K], NaN beyond a question's choices.

    letter, text: sums of log-probabilities (nats) of each choice's label and of its text, NaN in the whole row of a question
    that is left out there; n_bytes: the text's length in UTF-8; answer int64 [Q]: the place of the right choice.
    """

    letter: Floats
    text: Floats
    n_bytes: Floats
    answer: npt.NDArray[np.int64]

    @property
    def scores(self) -> dict[str, Floats]:
        """What choices are compared by, float64 [Q, K] by measure."""
        return {"accuracy": self.letter, "acc_text": self.text, "acc_norm": self.text / self.n_bytes}

    def taken(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Return the choices of largest score, bool [Q, K] by measure: several where they tie, none without scores."""
        return {name: of == np.fmax.reduce(of, axis=1)[:, None] for name, of in self.scores.items()}

    def per_question(self) -> dict[str, Floats]:
        """Return float64 [Q] by measure: right (1) or wrong (0) by letter, text, text per byte; and the letters' margin.

        Where the right choice is one of k that tie for the largest score it counts 1/k, as often as drawing one of them
        would be right; so a model that knows nothing is right as often as chance. The margin is the right label's
        log-probability minus the mean of the others' (nats). NaN for a question that is left out.
        """
        measures = {}
        for name, taken in self.taken().items():
            n_taken = np.count_nonzero(taken, axis=1)
            takes_right = np.take_along_axis(taken, self.answer[:, None], axis=1)[:, 0]
            measures[name] = np.where(n_taken > 0, takes_right / np.maximum(n_taken, 1), np.nan)
        right = np.take_along_axis(self.letter, self.answer[:, None], axis=1)[:, 0]
        others = np.nansum(self.letter, axis=1) - right
        n_choices = np.count_nonzero(~np.isnan(self.letter), axis=1)
        return measures | {"mean_logprob_correct_minus_incorrect": right - others / (n_choices - 1)}

    def n_answered(self) -> dict[str, int]:
        """Return how many questions have scores, by measure."""
        return {name: int(np.count_nonzero(taken.any(axis=1))) for name, taken in self.taken().items()}

    def n_ties(self) -> dict[str, int]:
        """Return in how many questions several choices share the largest score, by measure."""
        return {name: int(np.count_nonzero(taken.sum(axis=1) > 1)) for name, taken in self.taken().items()}

    def chance(self, measure: str = "accuracy") -> float:
        """Return the expected accuracy of a blind choice: the mean of 1 / number of choices; NaN without questions."""
        n_choices = np.count_nonzero(~np.isnan(self.scores[measure]), axis=1)
        answered = n_choices[n_choices > 0]
        return float(np.mean(1.0 / answered)) if len(answered) else float("nan")


def with_intervals(measures: dict[str, Floats], *, replicates: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return mean and 95 % percentile interval (low, high) of each measure [Q], bootstrap over questions.

    A question whose value is NaN is left out of that measure. Measures of the same questions are resampled with the same
    weights, so a difference of two gains is paired. NaN without questions.
    """
    weights: dict[int, npt.NDArray[np.int64]] = {}
    found = {}
    for name, given in measures.items():
        values = given[~np.isnan(given)]
        n = len(values)
        if not n:
            found[name] = (float("nan"),) * 3
            continue
        if n not in weights:
            weights[n] = multinomial_weights(n, replicates, seed)
        interval = percentile_interval(weights[n] @ values / n)
        found[name] = (float(values.mean()), float(interval.low), float(interval.high))
    return found
