"""One row of the table of known answers.

Tolerances are four of the estimator's own standard errors, so about one right answer in 16 000 falls outside. All draws
have fixed seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEED = 1337
ERRORS = 4.0
_NORMAL_QUANTILE = 1.96


@dataclass(frozen=True)
class KnownAnswer:
    """One row of the table: the estimator is right where ``found`` lies within the tolerance of the known answer."""

    input: str
    estimator: str
    found: float
    known: float
    tolerance: float

    @classmethod
    def of_share(cls, input_: str, estimator: str, hits: npt.NDArray[np.bool_], known: float) -> KnownAnswer:
        """Return the row of a share of independent draws; a share of none or all has no tolerance."""
        error = np.sqrt(known * (1 - known) / len(hits))
        return cls(input_, estimator, float(hits.mean()), known, float(ERRORS * error))

    @classmethod
    def of_mean(cls, input_: str, estimator: str, values: npt.NDArray[np.number], known: float) -> KnownAnswer:
        """Return the row of a mean over independent draws."""
        error = values.std() / np.sqrt(len(values))
        return cls(input_, estimator, float(values.mean()), known, float(ERRORS * error))

    @classmethod
    def of_replicates(
        cls, input_: str, estimator: str, *, found: float, known: float, replicates: npt.NDArray[np.number]
    ) -> KnownAnswer:
        """Return the row of a number whose error is the spread of its bootstrap replicates [R]."""
        return cls(input_, estimator, found, known, float(ERRORS * replicates.std()))

    @classmethod
    def of_interval(
        cls, input_: str, estimator: str, *, found: float, known: float, interval: tuple[float, float]
    ) -> KnownAnswer:
        """Return the row of a number with a 95 % interval, whose error is that of a normal law of the same interval."""
        return cls(input_, estimator, found, known, ERRORS * (interval[1] - interval[0]) / (2 * _NORMAL_QUANTILE))
