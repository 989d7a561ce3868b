"""One row of the table of known answers, and the rows whose error is that of independent draws or resamples.

Tolerances are four of the estimator's own standard errors, so about one right answer in 16 000 falls outside. Everything
is drawn with fixed seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEED = 1337
ERRORS = 4.0
_NORMAL_QUANTILE = 1.96


@dataclass(frozen=True)
class Answer:
    """One row of the table: right where found lies within the tolerance of the known answer."""

    input: str
    estimator: str
    found: float
    known: float
    tolerance: float


def share(input_: str, estimator: str, hits: npt.NDArray[np.bool_], known: float) -> Answer:
    """Return the row of a share of independent draws; of a share of none or all, nothing is tolerated."""
    error = np.sqrt(known * (1 - known) / len(hits))
    return Answer(input_, estimator, float(hits.mean()), known, float(ERRORS * error))


def mean(input_: str, estimator: str, values: npt.NDArray[np.number], known: float) -> Answer:
    """Return the row of a mean over independent draws."""
    error = values.std() / np.sqrt(len(values))
    return Answer(input_, estimator, float(values.mean()), known, float(ERRORS * error))


def resampled(input_: str, estimator: str, *, found: float, known: float, replicates: npt.NDArray[np.number]) -> Answer:
    """Return the row of a number whose error is the spread of its bootstrap replicates [R]."""
    return Answer(input_, estimator, found, known, float(ERRORS * replicates.std()))


def of_interval(input_: str, estimator: str, *, found: float, known: float, interval: tuple[float, float]) -> Answer:
    """Return the row of a number with a 95 % interval, whose error is that of a normal law of the same interval."""
    return Answer(input_, estimator, found, known, ERRORS * (interval[1] - interval[0]) / (2 * _NORMAL_QUANTILE))
