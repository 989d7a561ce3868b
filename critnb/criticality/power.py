"""How many windows a paired comparison needs: from a pilot's interval to the size of a study."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from critnb.canon import CANON
from critnb.errors import DataError

# the ends of a 95 % interval lie so many standard errors from its middle, where the estimate is normal
_HALF_WIDTH = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Pilot:
    """A difference that a pilot of ``windows`` windows measured, and the ends of its 95 % interval."""

    difference: float
    ci_low: float
    ci_high: float
    windows: int

    @property
    def standard_error(self) -> float:
        """The standard error that the interval's width stands for; NaN where there is no interval."""
        return (self.ci_high - self.ci_low) / (2 * _HALF_WIDTH)

    @property
    def reason(self) -> str:
        """Why the pilot says nothing on the spread; empty where it does."""
        if math.isnan(self.standard_error):
            return "the pilot has no interval of this difference"
        if self.windows < 2:
            return "the pilot has one window"
        return "" if self.standard_error > 0 else "the pilot's interval has width zero"


def windows_needed(
    pilot: Pilot, *, change: float, power: float, level: float = CANON.CONST.SIGNIFICANCE_LEVEL
) -> float:
    """Return how many windows detect a true difference ``change``, two-sided at ``level``, with probability ``power``.

    n = N ((z_(1 - level/2) + z_power) se / change)^2, rounded up, with N windows and standard error se of the pilot: windows
    count as independent draws, so that the error falls as one over the root of their number, and the estimate as normal
    (Cohen 1988, Statistical power analysis, chapter 2, in its limit of many windows; the chance to detect it with the wrong
    sign is left out). NaN where the pilot has a ``reason``. Raises DataError for a change of zero, or so small that no number
    of windows detects it, for a level or power outside 0..1, and for a power not above the level.
    """
    if not (change != 0 and math.isfinite(change)):
        raise DataError(f"power: a change of {change:g} cannot be detected; give a finite one that is not zero")
    if not 0 < level < power < 1:
        raise DataError(
            f"power: level {level:g} and power {power:g} must lie between 0 and 1, the level below the power"
        )
    if pilot.reason:
        return math.nan
    errors = float(norm.ppf(1 - level / 2) + norm.ppf(power))
    ratio = errors * float(pilot.standard_error) / change
    if math.isinf(needed := pilot.windows * (ratio * ratio)):
        raise DataError(f"power: a change of {change:g} is too small for any number of windows; give a larger one")
    return float(max(2, math.ceil(needed)))


def detectable(pilot: Pilot, *, power: float, level: float = CANON.CONST.SIGNIFICANCE_LEVEL) -> float:
    """Return the smallest difference that as many windows as the pilot's detect with probability ``power``; NaN as above."""
    if pilot.reason:
        return math.nan
    return float(norm.ppf(1 - level / 2) + norm.ppf(power)) * pilot.standard_error
