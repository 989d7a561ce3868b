"""Tests that are adjusted together: what a test of a null is, and Holm's adjustment of a family's p-values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON

_Key = TypeVar("_Key", bound=Hashable)
_LEVEL = CANON.CONST.SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class NullTest:
    """A test that a criterion's verdict rests on: its one-sided p, not NaN, and words for what was compared.

    name: criteria of one case whose tests have one name share that test, which counts once in the family. least: the smallest p
    that the test can give, whatever the data, from as few ``draws``, in words.
    """

    name: str
    p: float
    words: str
    least: float = 0.0
    draws: str = ""

    def met(self, adjusted: float) -> bool | None:
        """Whether the adjusted p is below SIGNIFICANCE_LEVEL; None where no data could bring p there."""
        return None if self.least >= _LEVEL else adjusted < _LEVEL

    def told(self, adjusted: float) -> str:
        """Return the words with p, and the adjusted p where it is another; or that no p is small enough."""
        if self.least >= _LEVEL:
            return f"{self.draws} can give no p below {p_digits(self.least)}"
        both = f"p {p_digits(self.p)}"
        return (
            f"{self.words} ({both})" if adjusted == self.p else f"{self.words} ({both}, adjusted {p_digits(adjusted)})"
        )


def holm(p: Sequence[float] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the adjusted p-values [K] of a family [K]: the least level at which each is still rejected.

    The i-th smallest of K, i from zero, is multiplied by K - i, made no smaller than those before it and at most one.
    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    stepped = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def adjust(tests: Mapping[tuple[_Key, str], float]) -> dict[tuple[_Key, str], float]:
    """Return the adjusted p of each test of a family, keyed by the case and the name of the test."""
    return dict(zip(tests, holm(list(tests.values())).tolist(), strict=True))


def p_digits(p: float) -> str:
    """Return a p-value to three decimals, or to its leading digit where it is smaller than those show."""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"
