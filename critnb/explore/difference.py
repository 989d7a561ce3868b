"""Two rasters of one window on one another: which sites are active in both, and which in one alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.explore.window import Counts
from critnb.report.style import OKABE_ITO
from critnb.report.words import counted

# in the order of the picture's paths; the two gains have the colours of the live mode's
BOTH, HERE, THERE = range(3)
Kinds = npt.NDArray[np.int64]
COLOURS = ("#c4c4c4", OKABE_ITO[1], OKABE_ITO[0])


def difference(here: Counts, there: Counts) -> Kinds:
    """Return what each site [L, T] is: active in both rasters, in the first alone, in the second alone, -1 in neither."""
    here_on, there_on = here > 0, there > 0
    kinds = np.where(here_on & there_on, BOTH, -1)
    kinds[here_on & ~there_on], kinds[there_on & ~here_on] = HERE, THERE
    return kinds


def names(*, gain: float, other: float) -> list[str]:
    """Return the words of the kinds."""
    return [f"at g = {gain:g} and g = {other:g}", f"at g = {gain:g} alone", f"at g = {other:g} alone"]


def words(kinds: Kinds, *, gain: float, other: float) -> str:
    """Return the difference in one line."""
    both, here, there = (int((kinds == kind).sum()) for kind in (BOTH, HERE, THERE))
    both_words, here_words, there_words = names(gain=gain, other=other)
    return f"{counted(both, 'site')} active {both_words}, {here} {here_words}, {there} {there_words}"
