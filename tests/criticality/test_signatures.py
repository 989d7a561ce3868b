"""Signatures and falsifiers: each verdict flips where, and only where, its gate says."""

import math

import pytest

from critnb.canon import Criterion
from critnb.criticality.chi_peak import ChiPeak
from critnb.criticality.judgement import Case
from critnb.criticality.signatures import judge_all, judged_frame
from critnb.gates import Verdict

NAN = math.nan
PASS, FAIL, MISSING = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


def ends(stem, low, high):
    return {f"{stem}_ci_low": low, f"{stem}_ci_high": high}


# A condition in which everything passes.
GOOD = {
    "b_tot": 1.01,
    "b_tot_perm": 0.8,
    "delta_b_tot": 0.21,
    "opt_delta_b_tot_p": 0.005,
    "opt_delta_b_tot_shift": 0.1,
    "opt_delta_b_tot_shift_p": 0.01,
    "opt_delta_b_tot_token_shuffle": 0.05,
    "chi": 3.0,
    "opt_chi_token_shuffle": 1.2,
    "crackling_gamma": 1.8,
    "opt_crackling_gamma_perm": 1.3,
    "opt_dcc": 0.2,
    "opt_dcc_perm": 0.9,
    "opt_dcc_ref": 0.15,
    "opt_m_time": 0.97,
    "opt_m_time_perm": NAN,
    "opt_m_depth": 0.98,
    "opt_m_depth_perm": 0.4,
    "opt_tau_S": 1.7,
    "opt_tau_S_perm": 2.6,
    **ends("opt_b_tot", 0.98, 1.04),
    **ends("opt_delta_b_tot", 0.18, 0.24),
    **ends("opt_chi", 2.5, 3.5),
    **ends("crackling", 1.7, 1.9),
    **ends("opt_crackling_gamma_perm", 1.2, 1.4),
    **ends("opt_dcc", 0.1, 0.3),
    **ends("opt_dcc_perm", 0.8, 1.0),
    **ends("opt_dcc_ref", 0.05, 0.25),
    **ends("opt_m_time", 0.9, 1.0),
    **ends("opt_m_time_perm", NAN, NAN),
    **ends("opt_m_depth", 0.95, 1.0),
    **ends("opt_m_depth_perm", 0.3, 0.5),
    **ends("opt_tau_S", 1.6, 1.8),
    **ends("opt_tau_S_perm", 2.4, 2.8),
}
OWN = {
    "gstar": 1.1,
    "peak": ChiPeak(1.2, 1.1, 1.3, at_grid_edge=False),
    "crackling_passed": True,
    "reasons": {},
    "other_gstar": 1.2,
}


def case(**changed) -> Case:
    own = {name: changed.pop(name) for name in list(changed) if name in OWN}
    return Case(row=GOOD | changed, **(OWN | own))


def judged(criterion, **changed):
    return {one.criterion_id: one for one in judge_all(case(**changed))}[criterion]


def test_everything_passes_where_every_gate_is_met():
    assert [one.criterion_id for one in judge_all(case())] == list(Criterion)
    assert {one.verdict for one in judge_all(case())} == {PASS}


C = Criterion
EDGE = ChiPeak(1.1, 1.0, 1.1, at_grid_edge=True)
VERDICTS = [
    (C.S1_BRANCHING, {"b_tot": 1.05 + 1e-9}, FAIL),
    (C.S1_BRANCHING, {"b_tot": 0.94}, FAIL),
    (C.S1_BRANCHING, {"opt_delta_b_tot_p": 0.05}, FAIL),
    (C.S1_BRANCHING, {"opt_delta_b_tot_shift_p": 0.2}, FAIL),
    (C.S1_BRANCHING, {"b_tot": NAN}, MISSING),
    (C.S2_SUSCEPTIBILITY, {"peak": ChiPeak(1.3, 1.2, 1.3, at_grid_edge=False)}, PASS),
    (C.S2_SUSCEPTIBILITY, {"peak": ChiPeak(1.31, 1.2, 1.4, at_grid_edge=False)}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"peak": EDGE}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"opt_chi_token_shuffle": 3.2}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"opt_chi_token_shuffle": NAN}, MISSING),
    (C.S3_CRACKLING, {"crackling_passed": False, "reasons": {"crackling_gamma": "the interval is too wide"}}, FAIL),
    (C.S3_CRACKLING, {"crackling_gamma": NAN, **ends("crackling", NAN, NAN), "crackling_passed": False}, MISSING),
    (C.S3_CRACKLING, ends("opt_crackling_gamma_perm", 1.2, 1.7), FAIL),
    (C.S3_CRACKLING, {"opt_crackling_gamma_perm": NAN, **ends("opt_crackling_gamma_perm", NAN, NAN)}, PASS),
    (C.S4_SCALING, ends("opt_dcc", 0.26, 0.5), FAIL),
    (C.S4_SCALING, ends("opt_dcc_perm", 0.3, 1.0), FAIL),
    (C.S4_SCALING, {"opt_dcc": NAN, **ends("opt_dcc", NAN, NAN)}, MISSING),
    (C.S4_SCALING, ends("opt_dcc_ref", NAN, NAN), MISSING),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": 0.94}, FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_m_time", 0.4, 1.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time_perm": 0.95, **ends("opt_m_time_perm", 0.9, 1.0)}, FAIL),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time_perm": 1.0, **ends("opt_m_time_perm", 0.01, 1.0)}, PASS),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": NAN, **ends("opt_m_time", NAN, NAN)}, MISSING),
    (C.S5_MULTISTEP_DEPTH, {"opt_m_depth": 0.6, **ends("opt_m_depth", 0.55, 0.65)}, FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", -0.01, 0.2), FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, {"opt_delta_b_tot_shift_p": 0.3}, FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", NAN, NAN), MISSING),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": EDGE}, FAIL),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_token_shuffle": 0.19}, FAIL),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_token_shuffle": NAN}, MISSING),
    (C.X4_NULL_HAS_SAME_TAIL, ends("opt_tau_S_perm", 1.75, 2.8), FAIL),
    (C.X4_NULL_HAS_SAME_TAIL, {"opt_tau_S_perm": NAN, **ends("opt_tau_S_perm", NAN, NAN)}, MISSING),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.3}, PASS),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.35}, FAIL),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": NAN}, MISSING),
]


@pytest.mark.parametrize(("criterion", "changed", "verdict"), VERDICTS)
def test_a_verdict_follows_its_gate(criterion, changed, verdict):
    assert judged(criterion, **changed).verdict == verdict


@pytest.mark.parametrize(("criterion", "changed", "verdict"), VERDICTS)
def test_every_verdict_says_what_decided(criterion, changed, verdict):
    one = judged(criterion, **changed)
    assert one.gate
    assert one.reason
    assert "nan" not in one.reason or verdict is MISSING


@pytest.mark.parametrize(
    ("criterion", "name"),
    [
        (C.S3_CRACKLING, "crackling_gamma"),
        (C.S4_SCALING, "opt_dcc"),
        (C.S5_MULTISTEP_TOKENS, "opt_m_time"),
        (C.S5_MULTISTEP_DEPTH, "opt_m_depth"),
    ],
)
def test_what_the_estimator_says_is_what_the_reader_reads(criterion, name):
    one = judged(criterion, **{name: NAN}, reasons={name: "5 positions give 3 lags, and the fit needs 4"})
    assert one.verdict is MISSING
    assert one.reason == "5 positions give 3 lags, and the fit needs 4"


def test_a_point_without_an_interval_is_not_judged():
    assert judged(C.S4_SCALING, **ends("opt_dcc", NAN, NAN)).verdict == MISSING


def test_numbers_stand_beside_their_null():
    one = judged(C.S3_CRACKLING)
    assert (one.value, one.ci, one.null_value, one.null_ci) == (1.8, (1.7, 1.9), 1.3, (1.2, 1.4))
    assert "do not meet" in one.reason


def test_the_frame_has_a_row_a_case_and_criterion():
    frame = judged_frame({("SPIKE_ONE_SIDED_POS", 2e-5): case(), ("SPIKE_TWO_SIDED_ABS", 2e-5): case(b_tot=NAN)})
    assert len(frame) == 2 * len(Criterion)
    row = frame.set_index(["spike_def_id", "criterion_id"]).loc[("SPIKE_TWO_SIDED_ABS", "S1_BRANCHING")]
    assert row["verdict"] == "not available"
    assert row["g"] == 1.1
