"""Signatures and falsifiers: each verdict flips where, and only where, its gate says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import Adjacency, Criterion, CriterionKind
from critnb.criticality import Lattice, NullSample, multinomial_weights, null_branching, summarise
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.synthetic import bernoulli, one_condition_raster, persistent_rows
from critnb.criticality.verdicts import (
    BranchingByIntervention,
    Case,
    ChiPeak,
    holm,
    judge_all,
    judge_family,
    judged_frame,
)
from critnb.gates import Verdict
from critnb.lattice import PRIMARY, RASTER_NULLS, SECONDARY, null_raster
from critnb.report.schema.nulls import null_columns
from critnb.stages.s05_analysis.size_columns import reasons, survival_columns, t01_columns
from critnb.stages.s05_analysis.tables import excess_of, summary_frame

ADJ = Adjacency.ADJ_4N

NAN = math.nan
PASS, FAIL, MISSING = Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE


def ends(stem, low, high):
    return {f"{stem}_ci_low": low, f"{stem}_ci_high": high}


def peak(gain, low, high, *, edge=False, spans=False):
    return ChiPeak(gain, low, high, at_grid_edge=edge, spans_grid=spans)


# A condition in which everything passes.
GOOD = {
    "b_tot": 1.01,
    "b_tot_perm": 0.8,
    "delta_b_tot": 0.21,
    "opt_delta_b_tot_p": 0.005,
    **{null_columns(null.null_id).delta: 0.1 for null in SECONDARY},
    **{null_columns(null.null_id).p: 0.01 for null in SECONDARY},
    "opt_shuffles": 20.0,
    "opt_delta_b_tot_vs_shuffles": 0.12,
    "opt_delta_b_tot_vs_shuffles_ci_low": 0.08,
    "opt_delta_b_tot_vs_shuffles_ci_high": 0.16,
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
    "opt_xi_time": 40.0,
    "opt_xi_depth": 30.0,
    "opt_survival_D": 0.012,
    "opt_survival_D_perm": 0.0,
    "opt_survival_S": 0.02,
    "opt_survival_S_perm": 0.001,
    "opt_survival_replicates": 1999.0,
    "opt_survival_p": NAN,
    "opt_r1_time": 0.8,
    "opt_r1_time_perm": 0.05,
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
    **ends("opt_r1_time", 0.75, 0.85),
    **ends("opt_r1_time_perm", 0.02, 0.08),
    **ends("opt_xi_time", 32.0, 99.0),
    **ends("opt_xi_depth", 8.0, 99.0),
    **ends("opt_r1_time_margins", 0.02, 0.08),
    **ends("opt_r1_depth_margins", 0.02, 0.08),
    **ends("opt_r1_depth", 0.7, 0.8),
    **ends("opt_r1_depth_perm", -0.02, 0.02),
    **ends("opt_tau_S", 1.6, 1.8),
    **ends("opt_tau_S_perm", 2.4, 2.8),
}
OWN = {
    "gstar": 1.1,
    "peak": peak(1.2, 1.1, 1.3),
    "reasons": {},
    "other_gstar": 1.2,
    "same_events": False,
    "sites_apart": 12.0,
    "n_sites": 4096,
    "n_layers": 8,
    "n_tokens": 32,
    "knock_out": BranchingByIntervention(0.2, (0.1, 0.3)),
    "null_replicates": 1999,
}


def case_of(row, **own) -> Case:
    return Case(row=row, excess={null.noun: excess_of(row, null.null_id) for null in RASTER_NULLS.values()}, **own)


def case(**changed) -> Case:
    own = {name: changed.pop(name) for name in list(changed) if name in OWN}
    return case_of(GOOD | changed, **(OWN | own))


def judged(criterion, **changed):
    return {one.criterion.id: one for one in judge_all(case(**changed))}[criterion]


def test_everything_passes_where_every_gate_is_met():
    assert [one.criterion.id for one in judge_all(case())] == list(Criterion)
    assert {one.verdict for one in judge_all(case())} == {PASS}


def test_only_the_intervention_is_a_signature():
    kinds = [one.criterion.id.kind for one in judge_all(case())]
    assert kinds == [CriterionKind.DESCRIPTION] * 6 + [CriterionKind.SIGNATURE] + [CriterionKind.FALSIFIER] * 5


C = Criterion
ONE_GAIN = peak(1.0, 1.0, 1.0, spans=True)
NO_GAMMA = {"crackling_gamma": NAN, **ends("crackling", NAN, NAN)}
NO_NULL_GAMMA = {"opt_crackling_gamma_perm": NAN, **ends("opt_crackling_gamma_perm", NAN, NAN)}
VERDICTS = [
    (C.S1_BRANCHING, {"b_tot": 1.05}, PASS),
    (C.S1_BRANCHING, {"b_tot": 0.95}, PASS),
    (C.S1_BRANCHING, {"b_tot": 1.051}, FAIL),
    (C.S1_BRANCHING, {"b_tot": 0.949}, FAIL),
    (C.S1_BRANCHING, {"opt_delta_b_tot_p": 0.05}, FAIL),
    (C.S1_BRANCHING, {"opt_delta_b_tot_shift_p": 0.2}, FAIL),
    (C.S1_BRANCHING, {"b_tot": NAN}, MISSING),
    (C.S1_BRANCHING, {"opt_delta_b_tot_shift_p": NAN}, MISSING),
    (C.S2_SUSCEPTIBILITY, {"peak": peak(1.2, 0.9, 1.3)}, PASS),
    (C.S2_SUSCEPTIBILITY, {"peak": peak(1.2, 0.85, 1.3)}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"peak": peak(1.2, 1.0, 1.35)}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"peak": peak(1.1, 1.0, 1.1, edge=True)}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"peak": peak(1.1, 0.7, 1.3, spans=True)}, MISSING),
    (C.S2_SUSCEPTIBILITY, {"opt_chi_token_shuffle": 2.6}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"opt_chi_token_shuffle": 9.0}, FAIL),
    (C.S2_SUSCEPTIBILITY, {"opt_chi_token_shuffle": NAN}, MISSING),
    (C.S2_SUSCEPTIBILITY, ends("opt_chi", NAN, NAN), MISSING),
    (C.S3_CRACKLING, ends("crackling", 1.5, 2.1), FAIL),
    (C.S3_CRACKLING, ends("crackling", 1.8, 1.8), FAIL),
    (C.S3_CRACKLING, NO_GAMMA, MISSING),
    (C.S3_CRACKLING, ends("crackling", NAN, NAN), MISSING),
    (C.S3_CRACKLING, ends("opt_crackling_gamma_perm", 1.2, 1.7), FAIL),
    (C.S3_CRACKLING, ends("opt_crackling_gamma_perm", 2.2, 2.4), FAIL),
    (C.S3_CRACKLING, NO_NULL_GAMMA, MISSING),
    (C.S3_CRACKLING, {**NO_NULL_GAMMA, "opt_survival_p": 0.0005}, PASS),
    (C.S3_CRACKLING, {**NO_NULL_GAMMA, "opt_survival_p": 0.05}, FAIL),
    # of two tests the smaller p counts twice
    (C.S3_CRACKLING, {**NO_NULL_GAMMA, "opt_survival_p": 0.03, "opt_delta_b_tot_p": 0.04}, FAIL),
    (C.S3_CRACKLING, {**NO_NULL_GAMMA, **NO_GAMMA, "opt_survival_p": 0.0005}, MISSING),
    (C.S3_CRACKLING, {"opt_survival_p": 0.9}, PASS),  # where the null has a slope, the slope is judged
    (C.S4_SCALING, ends("opt_dcc", 0.0, 0.4), PASS),
    (C.S4_SCALING, ends("opt_dcc", 0.1, 0.41), FAIL),
    (C.S4_SCALING, ends("opt_dcc", 0.41, 0.45), FAIL),
    (C.S4_SCALING, ends("opt_dcc", 0.2, 0.2), FAIL),
    (C.S4_SCALING, ends("opt_dcc_ref", 0.0, 0.01), PASS),  # how wide the reference varies is not asked
    (C.S4_SCALING, ends("opt_dcc_perm", 0.3, 1.0), FAIL),
    (C.S4_SCALING, ends("opt_dcc_perm", 0.01, 0.05), FAIL),
    (C.S4_SCALING, {"opt_dcc_perm": NAN, **ends("opt_dcc_perm", NAN, NAN)}, MISSING),
    (C.S4_SCALING, {"opt_dcc": NAN, **ends("opt_dcc", NAN, NAN)}, MISSING),
    (C.S4_SCALING, ends("opt_dcc", NAN, NAN), MISSING),
    (C.S4_SCALING, {"opt_dcc_ref": NAN}, MISSING),
    (C.S5_MULTISTEP_TOKENS, ends("opt_xi_time", 31.9, 99.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_xi_time", 40.0, math.inf), PASS),
    (C.S5_MULTISTEP_TOKENS, ends("opt_xi_time", 40.0, 40.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, {"n_tokens": 33}, FAIL),
    (C.S5_MULTISTEP_TOKENS, {"n_layers": 99}, PASS),
    (C.S5_MULTISTEP_DEPTH, {"n_layers": 9}, FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_margins", 0.7, 0.8), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_margins", NAN, NAN), MISSING),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", 0.6, 0.78), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", 0.9, 1.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", NAN, NAN), MISSING),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": NAN, **ends("opt_m_time", NAN, NAN)}, MISSING),
    (C.S5_MULTISTEP_DEPTH, ends("opt_r1_depth_margins", 0.7, 0.8), FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": None}, MISSING),
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(NAN, (NAN, NAN), reason="no event was put out")}, MISSING),
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(0.1, (0.0, 0.2))}, FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(-0.1, (-0.2, -0.05))}, FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(0.2, (0.1, 0.3), 0.2)}, FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(0.2, (0.1, 0.3), 0.03, windows=5)}, PASS),
    # random signs of four windows: one in sixteen is all as it is
    (C.S6_KNOCK_OUT, {"knock_out": BranchingByIntervention(0.2, (0.1, 0.3), 0.06, windows=4)}, MISSING),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", -0.01, 0.2), FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, {"opt_delta_b_tot_shift_p": 0.3}, FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, {"opt_delta_b_tot_shift_p": 0.3, "null_replicates": 20}, FAIL),
    # one in twenty is no less than 0.05
    (C.X1_NULL_EXPLAINS_BRANCHING, {"opt_delta_b_tot_shift_p": 0.3, "null_replicates": 19}, MISSING),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", NAN, NAN), MISSING),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": peak(1.1, 1.0, 1.1, edge=True)}, FAIL),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": peak(1.1, 0.7, 1.3, spans=True)}, MISSING),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_vs_shuffles_ci_low": -0.01}, FAIL),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_vs_shuffles_ci_low": 0.0}, FAIL),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_vs_shuffles_ci_low": NAN}, MISSING),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_shuffles": NAN, "opt_delta_b_tot_vs_shuffles_ci_low": NAN}, MISSING),
    (C.X4_NULL_HAS_SAME_TAIL, ends("opt_tau_S_perm", 1.75, 2.8), FAIL),
    (C.X4_NULL_HAS_SAME_TAIL, ends("opt_tau_S_perm", 1.1, 1.3), PASS),
    (C.X4_NULL_HAS_SAME_TAIL, ends("opt_tau_S", NAN, NAN), MISSING),
    (C.X4_NULL_HAS_SAME_TAIL, {"opt_tau_S_perm": NAN, **ends("opt_tau_S_perm", NAN, NAN)}, MISSING),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.3}, PASS),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.35}, FAIL),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": NAN}, MISSING),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.1, "same_events": True}, MISSING),
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"other_gstar": 1.35, "same_events": True}, FAIL),  # on A_cal they were not the same
    (C.X5_DEPENDS_ON_SPIKE_DEF, {"peak": ONE_GAIN, "gstar": 1.0, "other_gstar": 1.0}, MISSING),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": ONE_GAIN}, MISSING),
    (C.S2_SUSCEPTIBILITY, {"peak": ONE_GAIN}, MISSING),
]


@pytest.mark.parametrize(("criterion", "changed", "verdict"), VERDICTS)
def test_a_verdict_follows_its_gate(criterion, changed, verdict):
    assert judged(criterion, **changed).verdict == verdict


@pytest.mark.parametrize(("criterion", "changed", "verdict"), VERDICTS)
def test_every_verdict_says_what_decided(criterion, changed, verdict):
    one = judged(criterion, **changed)
    assert one.criterion.gate
    assert one.reason
    assert "nan" not in one.reason


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


def test_the_reason_of_a_failure_is_what_failed():
    near = {"opt_xi_time": 5.0, **ends("opt_xi_time", 4.0, 6.0)}
    assert judged(C.S5_MULTISTEP_TOKENS, **near).reason == "correlation length [4, 6] does not reach 32 tokens"
    assert judged(C.S1_BRANCHING, b_tot=0.22).reason == "b_tot 0.22 is not within 0.05 of 1"
    assert judged(C.S3_CRACKLING, **ends("crackling", 1.8, 1.8)).reason == "the interval has width zero"


def test_that_the_margins_hold_activity_along_tokens_is_said_where_it_decides():
    same = {"opt_r1_time_margins": 0.8, **ends("opt_r1_time_margins", 0.75, 0.85)}
    assert "keeps how many layers are active" in judged(C.S5_MULTISTEP_TOKENS, **same).reason
    assert (
        "keeps how many layers are active"
        not in judged(C.S5_MULTISTEP_DEPTH, **ends("opt_r1_depth_margins", 0.7, 0.8)).reason
    )


def test_a_null_without_long_avalanches_is_told_in_numbers():
    one = judged(C.S3_CRACKLING, **NO_NULL_GAMMA, opt_survival_p=0.0005)
    assert one.reason.endswith(
        "1999 permuted rasters together lack 8 of the durations with 5 avalanches each; P(D >= 10) is 0.012, permuted 0, "
        "P(S >= 10) is 0.02, permuted 0.001 (p 0.0005, adjusted 0.001)"
    )


def test_the_null_that_explains_most_is_the_one_that_is_named():
    excess = {"first": (0.1, 0.01), "second": (0.3, 0.04), "third": (0.2, 0.04)}
    one = {each.criterion.id: each for each in judge_all(replace(case(), excess=excess))}[C.X1_NULL_EXPLAINS_BRANCHING]
    assert one.reason.endswith("excess over the third 0.200 (p 0.040)")
    assert one.assessment.test.p == 0.04


def test_how_many_sites_the_definitions_see_differently_is_printed():
    assert judged(C.X5_DEPENDS_ON_SPIKE_DEF).reason.endswith("12 of 4096 sites differ at g*")
    assert "differ" not in judged(C.X5_DEPENDS_ON_SPIKE_DEF, sites_apart=NAN).reason


# p-values of a family


def least_level(p, at, levels):
    """The least level at which Holm's procedure itself rejects the hypothesis ``at``: step down until one is not below."""
    for level in levels:
        rejected = set()
        for step, i in enumerate(np.argsort(p, kind="stable")):
            if p[i] * (len(p) - step) > level:
                break
            rejected.add(int(i))
        if at in rejected:
            return level
    return 1.0


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6))
def test_an_adjusted_p_is_the_least_level_at_which_the_procedure_rejects(hundredths):
    p = np.array(hundredths) / 100
    levels = np.arange(1, 101) / 100
    found = [least_level(p, i, levels + 1e-12) for i in range(len(p))]
    np.testing.assert_allclose(np.maximum(np.ceil(np.round(holm(p) * 100, 9)) / 100, 0.01), found, atol=1e-9)


def test_holm_of_a_worked_example():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
    assert holm([]).shape == (0,)


def test_a_test_that_no_data_could_meet_says_what_it_lacks():
    few = BranchingByIntervention(0.2, (0.1, 0.3), 0.3, windows=2)
    assert judged(C.S6_KNOCK_OUT, knock_out=few).reason == "random signs of 2 windows can give no p below 0.250"
    assert judged(C.S1_BRANCHING, null_replicates=2).reason == "2 replicates of the nulls can give no p below 0.333"
    row = {**NO_NULL_GAMMA, "opt_survival_p": 0.1, "opt_survival_replicates": 9.0}
    assert judged(C.S3_CRACKLING, **row).reason == "9 permuted rasters can give no p below 0.100"


def test_shuffles_that_change_nothing_are_no_comparison():
    row = {"opt_delta_b_tot_vs_shuffles": 0.0, **ends("opt_delta_b_tot_vs_shuffles", 0.0, 0.0)}
    assert judged(C.X3_WORD_ORDER_IRRELEVANT, **row).verdict is MISSING
    row |= ends("opt_delta_b_tot_vs_shuffles", -0.01, 0.0)
    assert judged(C.X3_WORD_ORDER_IRRELEVANT, **row).verdict is FAIL


def test_why_word_order_cannot_be_asked_is_about_the_shuffles():
    row = {**ends("opt_delta_b_tot_vs_shuffles", NAN, NAN), "reasons": {"b_tot": "no comparison with a null"}}
    assert "one window was shuffled" in judged(C.X3_WORD_ORDER_IRRELEVANT, **row).reason
    assert judged(C.S2_SUSCEPTIBILITY, **ends("opt_chi", NAN, NAN)).reason == "there is no interval of chi"


def test_a_test_that_two_criteria_share_counts_once_and_every_case_counts():
    cases = {rate: case(**NO_NULL_GAMMA, opt_survival_p=0.001) for rate in range(3)}
    found = {one.criterion.id: one for one in judge_family(cases)[1]}
    # three cases with one test of b_tot (p 0.01) and one of survival (p 0.001) each
    assert found[C.S3_CRACKLING].p_holm == pytest.approx(0.006)
    assert found[C.S1_BRANCHING].p_holm == found[C.X1_NULL_EXPLAINS_BRANCHING].p_holm == pytest.approx(0.03)
    assert found[C.X1_NULL_EXPLAINS_BRANCHING].verdict is PASS
    assert math.isnan(found[C.S4_SCALING].p_holm)


def test_more_cases_make_a_verdict_harder():
    row = {**NO_NULL_GAMMA, "opt_survival_p": 0.009}
    for n, verdict in ((2, PASS), (6, FAIL)):
        cases = {i: case(**row) for i in range(n)}
        found = {one.criterion.id: one for one in judge_family(cases)[0]}
        assert found[C.S3_CRACKLING].verdict is verdict


def test_numbers_stand_beside_their_null():
    one = judged(C.S3_CRACKLING)
    assert (one.assessment.value, one.assessment.ci, one.assessment.null_value, one.assessment.null_ci) == (
        1.8,
        (1.7, 1.9),
        1.3,
        (1.2, 1.4),
    )
    two = judged(C.S2_SUSCEPTIBILITY)
    assert (two.assessment.value, two.assessment.ci, two.assessment.null_value) == (3.0, (2.5, 3.5), 1.2)


def test_the_frame_has_a_row_a_case_and_criterion():
    frame = judged_frame({("SPIKE_ONE_SIDED_POS", 2e-5): case(), ("SPIKE_TWO_SIDED_ABS", 2e-5): case(b_tot=NAN)})
    assert len(frame) == 2 * len(Criterion)
    row = frame.set_index(["spike_def_id", "criterion_id"]).loc[("SPIKE_TWO_SIDED_ABS", "S1_BRANCHING")]
    assert row["verdict"] == "not available"
    assert row["g"] == 1.1


# The layer as a whole, on rasters whose answer is known.


def of_raster(counts, seed=1):
    """The case of one raster at g* = 1, judged as S05 does, without shuffled tokens and with a peak that is anywhere."""
    n, layers, tokens = counts.shape
    raster = replace(one_condition_raster(counts), tokens=np.zeros((n, tokens), dtype=np.int32))
    lattice, weights = Lattice(layers, tokens, 1), multinomial_weights(n, 200, seed)
    settings = Settings(lattice, ADJ, weights, critical_pool(lattice, cascades=50_000, seed=seed), 1, 100, seed)
    nulls = {
        null_id: NullSample.of(
            [
                null_branching(
                    counts,
                    raster.seq_id,
                    null_id,
                    seed=seed,
                    condition_key=b"k",
                    replicates=range(60),
                    tokens=raster.tokens,
                )
            ]
        )
        for null_id in RASTER_NULLS
    }
    permuted = null_raster(raster, PRIMARY, seed=seed)
    summary = summarise(raster, nulls, permuted=permuted, adjacency=ADJ, replicates=200, seed=seed)
    found = analyse_sizes(SizeShard(raster, replicates=200), settings)
    row = {**summary_frame(summary).iloc[0].to_dict(), **t01_columns(found, ADJ), **survival_columns(found)}
    numbers = {name: value for name, value in row.items() if isinstance(value, float)}
    own = {"peak": peak(1.0, 0.7, 1.3, spans=True), "reasons": reasons(found, ADJ), "other_gstar": 1.0}
    return case_of(numbers, gstar=1.0, n_layers=layers, n_tokens=tokens, **own)


@pytest.mark.slow
@pytest.mark.parametrize("density", [0.1, 0.3])
def test_independent_sites_pass_nothing_more_often_than_by_chance(density):
    passed = dict.fromkeys(Criterion, 0)
    rounds = 8
    for seed in range(rounds):
        counts = bernoulli(density, (32, 8, 96), seed=seed).astype(np.uint16)
        for one in judge_all(of_raster(counts, seed=seed + 1)):
            passed[one.criterion.id] += one.verdict is PASS
    structural = [C.S1_BRANCHING, C.S3_CRACKLING, C.S4_SCALING, C.S5_MULTISTEP_TOKENS, C.S5_MULTISTEP_DEPTH]
    assert [passed[one] for one in structural] == [0] * len(structural)
    assert passed[C.X1_NULL_EXPLAINS_BRANCHING] <= 2
    assert passed[C.X4_NULL_HAS_SAME_TAIL] <= 2


def test_persistent_rows_exceed_their_permutation():
    rows = persistent_rows(0.3, 0.4, (200, 8, 96), seed=2).astype(np.uint16)
    found = {one.criterion.id: one for one in judge_all(of_raster(rows))}
    # rows do not know of each other: the permutation does not explain b_tot, nulls that keep each row's time course do
    assert found[C.X1_NULL_EXPLAINS_BRANCHING].verdict is FAIL
    assert found[C.X1_NULL_EXPLAINS_BRANCHING].reason.startswith(
        ("excess over the circular shift", "excess over the layer-order null")
    )
    # a memory of one step has m = 0.4: correlated, and far from one
    assert found[C.S5_MULTISTEP_TOKENS].verdict is FAIL
    assert found[C.S5_MULTISTEP_TOKENS].assessment.value == pytest.approx(-1 / math.log(0.4), rel=0.3)
