"""Rates of controls: against published exact intervals, and the counts against a few outcomes written down by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from critnb.canon import CANON, ControlId, Criterion, NullId
from critnb.criticality import control_rates as rates
from critnb.criticality.control_rates import LatticeShape
from critnb.criticality.synthetic import CONTROLS, NETWORKS
from critnb.gates import Verdict
from critnb.lattice import RASTER_NULLS

SHAPE = LatticeShape(layers=8, tokens=128, windows=96)
SIGNATURE = str(Criterion.S6_KNOCK_OUT)
SPREAD, S3 = str(Criterion.X1_NULL_EXPLAINS_BRANCHING), str(Criterion.S3_CRACKLING)
PASS, FAIL, NONE = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


def counts(control_id, outcomes, test=SPREAD):
    return rates.tally({control_id: [{test: one} for one in outcomes]}, SHAPE, seed=1)


def row(frame, control_id, test=SPREAD):
    return frame[(frame["control_id"] == control_id) & (frame["test"] == test)].iloc[0]


@pytest.mark.parametrize(("hits", "of"), [(0, 20), (20, 20), (1, 20), (7, 200), (199, 200), (5, 10)])
def test_intervals_are_clopper_and_pearson_s(hits, of):
    share, low, high = (each[0] for each in rates.share_with_interval(np.array([hits]), np.array([of])))
    known = stats.binomtest(hits, of).proportion_ci(0.95, method="exact")
    assert (share, low, high) == pytest.approx((hits / of, known.low, known.high), abs=1e-12)


def test_no_raster_has_no_share():
    assert np.isnan(rates.share_with_interval(np.array([0]), np.array([0]))).all()


def test_a_raster_without_a_verdict_does_not_pass():
    found = counts(ControlId.WINDOW_RATES, [NONE, PASS, FAIL, NONE]).iloc[0]
    assert found[["rasters", "passes", "fails", "not_available"]].tolist() == [4, 1, 1, 2]
    assert found["first"] == NONE
    assert row(rates.rates(counts(ControlId.WINDOW_RATES, [NONE, PASS, FAIL, NONE]), SHAPE), ControlId.WINDOW_RATES)[
        "rate"
    ] == pytest.approx(0.25)


def test_every_control_has_a_row_of_every_criterion_and_null():
    frame = rates.rates(counts(ControlId.WINDOW_RATES, [PASS]), SHAPE)
    assert len(frame) == len(CONTROLS) * (len(Criterion) + len(RASTER_NULLS)) + len(NETWORKS)
    missing = row(frame, ControlId.CRITICAL_DRIVE, SIGNATURE)
    assert np.isnan(missing["rate"])
    assert "model" in missing["reason"]
    assert row(frame, ControlId.CRITICAL_DRIVE)["reason"] == rates.NOT_MEASURED
    assert row(frame, ControlId.CRITICAL_DRIVE)["positive"]
    assert row(frame, ControlId.CRITICAL_DRIVE, str(next(iter(RASTER_NULLS))))["kind"] == rates.NULL
    assert list(frame["reason"][frame["rate"].notna()].unique()) == [""]


def test_counts_come_back_from_rates():
    made = pd.concat([counts(ControlId.TOKEN_BURST, [PASS, FAIL]), counts(ControlId.CRITICAL_DRIVE, [FAIL], S3)])
    back = rates.counts_of(rates.rates(made, SHAPE), SHAPE)
    pd.testing.assert_frame_equal(back, made.reset_index(drop=True))
    nothing = rates.rates(made.iloc[:0], SHAPE)
    assert rates.counts_of(nothing, SHAPE).empty
    assert nothing.dtypes.equals(rates.rates(made, SHAPE).dtypes)


def test_the_worst_control_counts():
    made = pd.concat(
        [
            counts(ControlId.TOKEN_BURST, [PASS, PASS, PASS, FAIL]),
            counts(ControlId.WINDOW_RATES, [PASS, FAIL]),
            counts(ControlId.CRITICAL_DRIVE, [PASS, PASS]),
            counts(ControlId.NEARLY_CRITICAL, [PASS, NONE]),
        ]
    )
    found = rates.worst(rates.rates(made, SHAPE), SPREAD)
    assert (found.false_alarm, found.false_alarm_on) == (0.75, ControlId.TOKEN_BURST)
    assert (found.detection, found.detection_on) == (0.5, ControlId.NEARLY_CRITICAL)


def test_no_control_is_named_where_all_is_well_or_nothing_is_known():
    well = pd.concat([counts(ControlId.TOKEN_BURST, [FAIL]), counts(ControlId.CRITICAL_DRIVE, [PASS])])
    found = rates.worst(rates.rates(well, SHAPE), SPREAD)
    assert found == rates.WorstRates(0.0, "", 1.0, "")
    unknown = rates.worst(rates.rates(well, SHAPE), SIGNATURE)
    assert np.isnan([unknown.false_alarm, unknown.detection]).all()
    assert (unknown.false_alarm_on, unknown.detection_on) == ("", "")


@pytest.mark.parametrize(
    ("alarms", "of", "off"), [(10, 200, False), (16, 200, False), (17, 200, True), (3, 20, False), (4, 20, True)]
)
def test_a_signature_may_pass_on_a_negative_control_in_one_raster_of_twenty(alarms, of, off):
    made = counts(ControlId.SHARED_INPUT_NETWORK, [PASS] * alarms + [FAIL] * (of - alarms), SIGNATURE)
    assert bool(rates.off_limits(rates.rates(made, SHAPE))) is off


@pytest.mark.parametrize(
    ("found", "of", "off"), [(160, 200, False), (149, 200, False), (148, 200, True), (12, 20, False), (11, 20, True)]
)
def test_a_signature_must_pass_on_a_positive_control_in_four_of_five(found, of, off):
    made = counts(ControlId.CONNECTED_NETWORK, [PASS] * found + [NONE] * (of - found), SIGNATURE)
    assert bool(rates.off_limits(rates.rates(made, SHAPE))) is off


def test_only_signatures_have_limits():
    made = counts(ControlId.SHARED_TOKEN_EFFECT, [PASS] * 20)
    assert rates.off_limits(rates.rates(made, SHAPE)) == []


def test_the_pack_s_table_is_read_by_lattice(monkeypatch):
    here = counts(ControlId.TOKEN_BURST, [PASS])
    monkeypatch.setattr(rates, "stored_counts", lambda: pd.concat([here, here.assign(layers=24)]))
    assert rates.stored(SHAPE)["layers"].tolist() == [8]
    assert rates.stored(LatticeShape(9, 128, 96)).empty


def test_rates_of_a_null_are_of_its_id():
    assert str(NullId.NULL_NONE) not in rates.tests()
    assert CANON.CONST.CONTROL_FALSE_ALARM_MAX == CANON.CONST.SIGNIFICANCE_LEVEL
