"""The gate on rates where values are equal: an exact threshold passes whatever it misses, a wrong one never does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import Intervention, SpikeDef
from critnb.events import RateTargets
from critnb.events.rate_matching import Matching
from critnb.gates import Verdict
from critnb.lattice.thresholds import gate, judged
from critnb.stages.s02_gain_grid.tables import rate_gates

ONE = SpikeDef.SPIKE_ONE_SIDED_POS


def table(*rows: tuple[int, int, int], gain: float = 1.0) -> pd.DataFrame:
    """Rows of (target, events, ties), a layer each."""
    target, events, ties = zip(*rows, strict=True)
    columns = {"target_events": target, "events": events, "ties": ties, "layer": range(len(rows))}
    return pd.DataFrame(columns).assign(
        intervention_id=str(Intervention.MLP_GLOBAL), gain=gain, spike_def_id=str(ONE), target_rate=0.01
    )


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), st.data())
def test_a_miss_is_ties_exactly_where_the_threshold_is_the_order_statistic(values, data):
    k = data.draw(st.integers(1, len(values) - 1))
    tau = data.draw(st.integers(-1, 5))
    events, ties = sum(v > tau for v in values), values.count(tau)
    row = judged(table((k, events, ties))).iloc[0]
    exact = sorted(values, reverse=True)[k] == tau
    assert bool(row["tied"]) == (exact and events != k)
    assert bool(row["passed"]) == (exact or abs(events - k) <= 1)


def matched(scores: np.ndarray, rate: float) -> pd.DataFrame:
    """Thresholds of one layer whose scores [windows, tokens, units] are given."""
    windows, tokens, units = scores.shape
    targets = RateTargets(1.0, units, {ONE: np.array([0.1])}, (rate,))
    wanted = targets.wanted(windows=windows, tokens=tokens)
    matching = Matching((ONE,), wanted, windows=windows, tokens=tokens)
    sites = np.repeat(np.arange(windows * tokens), units)
    matching.largest[0][ONE].add(scores.ravel(), sites)
    return matching.finish().thresholds(targets, Intervention.MLP_GLOBAL, 1.0).to_frame()


@pytest.fixture
def coarse() -> pd.DataFrame:
    """Scores on a grid as coarse as bfloat16's far from zero: 5000 wanted, of which 1440 share the cut's value."""
    scores = np.random.default_rng(1).normal(size=(10, 100, 500))
    found = matched(np.round(scores * 8) / 8, 0.01)
    assert found.loc[0, "target_events"] == 5000
    assert found.loc[0, "events"] < 4900
    return found


def test_exact_thresholds_of_coarse_values_pass_and_say_ties(coarse):
    (passed,) = rate_gates(coarse)
    assert passed.verdict is Verdict.PASS
    off = 5000 - coarse.loc[0, "events"]
    assert passed.value == f"{off} of 5000 events off, all of them ties"
    assert "layers that miss by more, all of it ties: 1" in passed.reason
    assert "ties apart" in passed.condition


@pytest.mark.parametrize("step", [-1 / 8, 1 / 8])
def test_a_threshold_one_value_off_the_exact_one_fails(coarse, step):
    scores = np.random.default_rng(1).normal(size=500_000)
    scores = np.round(scores * 8) / 8
    wrong = coarse.loc[0, "tau"] + step
    events, ties = int((scores > wrong).sum()), int((scores == wrong).sum())
    (failed,) = rate_gates(coarse.assign(tau=wrong, events=events, ties=ties))
    assert failed.verdict is Verdict.FAIL
    assert "ties" not in failed.value


@pytest.mark.parametrize(
    ("row", "passed"),
    [
        ((4000, 3996, 1), True),  # within max(1, 4000 / 1000)
        ((4000, 3995, 1), False),  # one lost, and a value alone at the cut accounts for none
        ((4000, 3995, 5), False),  # five ties reach rank 4000; the threshold has rank 4001
        ((4000, 3995, 6), True),
        ((4000, 4005, 100), False),  # too many are never ties: they lie above the threshold
        ((4000, np.nan, 100), False),
        ((4000, 3995, np.nan), False),
    ],
)
def test_the_edges_of_the_rule(row, passed):
    assert bool(gate(table(row))["passed"].all()) is passed


def test_a_failing_layer_is_shown_before_one_that_misses_farther_by_ties():
    judged_rows = gate(table((4000, 3000, 1001), (4000, 3990, 1), (4000, 4000, 1)))
    assert judged_rows["layer"].tolist() == [1]
    assert judged_rows["by_ties"].tolist() == [1]
    (failed,) = rate_gates(pd.concat([table((4000, 3000, 1001)), table((4000, 3990, 1), gain=1.1)]))
    assert failed.verdict is Verdict.FAIL
    assert "gain 1.1" in failed.reason


def test_a_layer_without_a_number_fails_the_gate_of_its_setting():
    (failed,) = rate_gates(table((4000, 4000, 1), (4000, np.nan, 1)))
    assert failed.verdict is Verdict.FAIL
    assert "layer 1" in failed.reason
