"""Whether rates can be matched: one rule for stages, texts and arrays, and numbers in its words that would do."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import CANON, SpikeDef
from critnb.errors import DataError
from critnb.events import RateTargets

ONE, TWO = SpikeDef
LEAST = CANON.CONST.RATE_MATCH_MIN_EVENTS
BASE = {ONE: np.array([0.02, 0.01, 0.03]), TWO: np.array([0.05, 0.04, 0.002])}


def test_the_rarest_is_found_among_layers_rates_and_spike_definitions():
    targets = RateTargets(2.5, 16, BASE, (1e-3, 1e-4))
    rarest = targets.rarest(10_000)
    assert (rarest.spike_def, rarest.rate, rarest.layer) == (TWO, 1e-4, 2)
    assert rarest.events == pytest.approx(0.002 * 1e-4 / (0.092 / 3) * 10_000)
    assert not rarest.enough
    assert targets.rarest(100_000_000).enough


@given(st.floats(1e-6, 1e-3), st.integers(1, 50), st.integers(2, 300))
def test_the_number_of_windows_in_the_refusal_is_the_least_that_will_do(rate, windows, tokens):
    targets = RateTargets(2.5, 16, BASE, (rate, 2 * rate))
    if targets.rarest(windows * tokens * 16).enough:
        targets.check_feasible(windows=windows, tokens=tokens)
        return
    with pytest.raises(DataError, match=rf"leaves layer 2 with .* at least {LEAST} are needed") as caught:
        targets.check_feasible(windows=windows, tokens=tokens)
    needed = int(re.search(r"calibrate on (\d+) windows or more", str(caught.value))[1])
    outcomes = [targets.rarest(number * tokens * 16).events for number in (needed - 1, needed, needed + 1)]
    assert all(few < many for few, many in pairwise(outcomes))
    assert outcomes[0] < LEAST * (1 + 1e-9)
    assert outcomes[1] >= LEAST * (1 - 1e-9)


def test_a_silent_layer_is_named():
    base = {ONE: BASE[ONE], TWO: np.array([0.1, 0.0, 0.1])}
    with pytest.raises(DataError, match=r"layer 1 has no SPIKE_TWO_SIDED_ABS event above tau0 = 2\.5"):
        RateTargets(2.5, 16, base, (0.01,)).check_feasible(windows=1000, tokens=1000)


def test_a_layer_whose_target_is_all_of_its_values_is_named():
    # the targets of layers are 0.4 / 0.2 x (0.1, 0.1, 0.4), the last of them 0.8
    targets = RateTargets(2.5, 16, {ONE: np.array([0.1, 0.1, 0.4])}, (0.4, 0.5))
    with pytest.raises(
        DataError, match=r"^target rate 0\.5 asks for 16000 \S+ events among the 16000 values of layer 2\n"
    ):
        targets.check_feasible(windows=10, tokens=100)
    RateTargets(2.5, 16, targets.base, (0.4,)).check_feasible(windows=10, tokens=100)
