"""Signatures and falsifiers: each verdict flips where, and only where, its gate says."""

import math

import numpy as np
import pytest

from critnb.canon import Adjacency, Criterion, CriterionKind
from critnb.criticality import Lattice, NullSample, multinomial_weights, null_branching, summarise
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.synthetic import bernoulli, one_condition_raster, persistent_rows
from critnb.criticality.verdicts import Case, ChiPeak, KnockOutSummary, judge_all, judged_frame
from critnb.gates import Verdict
from critnb.lattice import PRIMARY, RASTER_NULLS, SECONDARY, null_raster
from critnb.report.schema.nulls import null_columns
from critnb.stages.s05_analysis.size_columns import reasons, t01_columns
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
    "knock_out": KnockOutSummary(0.2, (0.1, 0.3)),
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
    (C.S4_SCALING, ends("opt_dcc", 0.26, 0.5), FAIL),
    (C.S4_SCALING, ends("opt_dcc", 0.0, 0.6), FAIL),
    (C.S4_SCALING, ends("opt_dcc_perm", 0.3, 1.0), FAIL),
    (C.S4_SCALING, ends("opt_dcc_perm", 0.01, 0.05), FAIL),
    (C.S4_SCALING, {"opt_dcc_perm": NAN, **ends("opt_dcc_perm", NAN, NAN)}, MISSING),
    (C.S4_SCALING, {"opt_dcc": NAN, **ends("opt_dcc", NAN, NAN)}, MISSING),
    (C.S4_SCALING, ends("opt_dcc", NAN, NAN), MISSING),
    (C.S4_SCALING, ends("opt_dcc_ref", NAN, NAN), MISSING),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": 0.95}, PASS),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": 0.94}, FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_m_time", 0.4, 1.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_m_time", 0.97, 0.97), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", 0.6, 0.78), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", 0.9, 1.0), FAIL),
    (C.S5_MULTISTEP_TOKENS, ends("opt_r1_time_perm", NAN, NAN), MISSING),
    (C.S5_MULTISTEP_TOKENS, {"opt_m_time": NAN, **ends("opt_m_time", NAN, NAN)}, MISSING),
    (C.S5_MULTISTEP_DEPTH, {"opt_m_depth": 0.6, **ends("opt_m_depth", 0.55, 0.65)}, FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": None}, MISSING),
    (C.S6_KNOCK_OUT, {"knock_out": KnockOutSummary(NAN, (NAN, NAN), "no event was put out")}, MISSING),
    (C.S6_KNOCK_OUT, {"knock_out": KnockOutSummary(0.1, (0.0, 0.2))}, FAIL),
    (C.S6_KNOCK_OUT, {"knock_out": KnockOutSummary(-0.1, (-0.2, -0.05))}, FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", -0.01, 0.2), FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, {"opt_delta_b_tot_shift_p": 0.3}, FAIL),
    (C.X1_NULL_EXPLAINS_BRANCHING, ends("opt_delta_b_tot", NAN, NAN), MISSING),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": peak(1.1, 1.0, 1.1, edge=True)}, FAIL),
    (C.X2_NO_SUSCEPTIBILITY_PEAK, {"peak": peak(1.1, 0.7, 1.3, spans=True)}, MISSING),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_token_shuffle": 0.19}, FAIL),
    (C.X3_WORD_ORDER_IRRELEVANT, {"opt_delta_b_tot_token_shuffle": NAN}, MISSING),
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
    assert judged(C.S5_MULTISTEP_TOKENS, opt_m_time=0.04).reason == "m 0.04 is not within 0.05 of 1"
    assert judged(C.S1_BRANCHING, b_tot=0.22).reason == "b_tot 0.22 is not within 0.05 of 1"
    assert judged(C.S3_CRACKLING, **ends("crackling", 1.8, 1.8)).reason == "the interval has width zero"


def test_an_m_of_the_null_that_any_fit_would_give_is_not_shown():
    anything = {"opt_m_time_perm": 0.33, **ends("opt_m_time_perm", 0.01, 1.0)}
    assert math.isnan(judged(C.S5_MULTISTEP_TOKENS, **anything).assessment.null_value)
    assert judged(C.S5_MULTISTEP_DEPTH).assessment.null_value == 0.4


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
    raster = one_condition_raster(counts)
    lattice, weights = Lattice(layers, tokens, 1), multinomial_weights(n, 200, seed)
    settings = Settings(lattice, ADJ, weights, critical_pool(lattice, cascades=50_000, seed=seed), 1, 100, seed)
    nulls = {
        null_id: NullSample.of(
            [null_branching(counts, raster.seq_id, null_id, seed=seed, condition_key=b"k", replicates=range(60))]
        )
        for null_id in RASTER_NULLS
    }
    permuted = null_raster(raster, PRIMARY, seed=seed)
    summary = summarise(raster, nulls, permuted=permuted, adjacency=ADJ, replicates=200, seed=seed)
    found = analyse_sizes(SizeShard(counts, permuted.counts[0], raster.seq_id, b"k"), settings)
    row = {**summary_frame(summary).iloc[0].to_dict(), **t01_columns(found, ADJ)}
    numbers = {name: value for name, value in row.items() if isinstance(value, float)}
    own = {"peak": peak(1.0, 0.7, 1.3, spans=True), "reasons": reasons(found, ADJ), "other_gstar": 1.0}
    return case_of(numbers, gstar=1.0, **own)


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
    # rows do not know of each other: the permutation does not explain b_tot, the circular shift does
    assert found[C.X1_NULL_EXPLAINS_BRANCHING].verdict is FAIL
    assert found[C.X1_NULL_EXPLAINS_BRANCHING].reason.startswith("excess over the circular shift")
    # a memory of one step has m = 0.4: correlated, and far from one
    assert found[C.S5_MULTISTEP_TOKENS].verdict is FAIL
    assert found[C.S5_MULTISTEP_TOKENS].assessment.value == pytest.approx(0.4, abs=0.1)
