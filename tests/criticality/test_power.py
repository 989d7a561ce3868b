"""How many windows a change takes: the closed form, exact powers of the normal, studies drawn at random, what cannot be said."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from critnb.criticality.power import Pilot, detectable, windows_needed
from critnb.errors import DataError


def pilot(error, windows=96, difference=0.01):
    half = norm.ppf(0.975) * error
    return Pilot(difference, difference - half, difference + half, windows)


def test_the_textbook_s_number():
    """At level 0.05 and power 0.8, (1.959964 + 0.841621)^2 = 7.848880 times variance over the square of the change."""
    assert windows_needed(pilot(0.1, windows=100), change=0.1, power=0.8) == math.ceil(100 * 7.848880)
    assert pilot(0.004).standard_error == pytest.approx(0.004)
    assert windows_needed(pilot(0.004), change=-0.01, power=0.8) == windows_needed(pilot(0.004), change=0.01, power=0.8)


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_of_as_many_windows_the_test_has_that_power(power):
    error, change, windows = 0.0057, 0.005, 96
    needed = windows_needed(pilot(error, windows), change=change, power=power)

    def power_of(n):
        return norm.sf(norm.ppf(0.975) - change / (error * math.sqrt(windows / n)))

    assert power_of(needed) >= power > power_of(needed - 1)


def test_the_pilot_s_own_change_needs_the_pilot_s_own_windows():
    own = detectable(pilot(0.0057), power=0.8)
    assert windows_needed(pilot(0.0057), change=own * (1 + 1e-9), power=0.8) == 96


def test_studies_of_as_many_windows_detect_it_as_often():
    """A pilot of 96 windows of variance one gives n; of 4000 studies of n windows the share that detects it is the power."""
    rng = np.random.default_rng(1)
    change = 0.3
    n = int(windows_needed(pilot(1 / math.sqrt(96)), change=change, power=0.8))
    drawn = rng.normal(change, 1, (4000, n))
    z = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / math.sqrt(n))
    assert np.mean(np.abs(z) > norm.ppf(0.975)) == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 4000) + 0.005)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Pilot(0.0, math.nan, math.nan, 96), "no interval"),
        (Pilot(0.0, 0.0, 0.0, 96), "width zero"),
        (Pilot(0.1, 0.0, 0.2, 1), "one window"),
    ],
)
def test_a_pilot_that_says_nothing_gives_nothing(given, why):
    assert why in given.reason
    assert math.isnan(windows_needed(given, change=0.01, power=0.8))
    assert math.isnan(detectable(given, power=0.8))


@pytest.mark.parametrize(
    "asked",
    [{"change": 0.0}, {"change": math.nan}, {"change": 1e-300}, {"power": 1.0}, {"power": 0.04}, {"level": 0.0}],
    ids=str,
)
def test_what_cannot_be_asked(asked):
    with pytest.raises(DataError, match="power"):
        windows_needed(pilot(0.01), **({"change": 0.01, "power": 0.8} | asked))
