"""Falsifiers X1 to X5: findings that would speak against a critical reading; one that passes has not falsified."""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.judgement import NAN, Case, Judged, beside_null, both_nulls, overlap, significant, verdict

_CONST = CANON.CONST


def _null_explains_branching(case: Case) -> Judged:
    low = case["opt_delta_b_tot_ci_low"]
    return Judged(
        Criterion.X1_NULL_EXPLAINS_BRANCHING,
        "delta_b_tot",
        case["delta_b_tot"],
        case.interval("opt_delta_b_tot"),
        "interval above zero, and p below the level under both raster nulls",
        verdict(low > 0 and significant(case), low, case["opt_delta_b_tot_shift_p"]),
        both_nulls(case),
        0.0,
    )


def _no_peak(case: Case) -> Judged:
    peak = case.peak
    return Judged(
        Criterion.X2_NO_SUSCEPTIBILITY_PEAK,
        "gain of the largest chi",
        peak.gain,
        (peak.ci_low, peak.ci_high),
        "not the first or the last of the grid",
        verdict(not peak.at_grid_edge, peak.gain),
        "at the grid's edge" if peak.at_grid_edge else "inside the grid",
    )


def _word_order(case: Case) -> Judged:
    shuffled, ci = case["opt_delta_b_tot_token_shuffle"], case.interval("opt_delta_b_tot")
    return Judged(
        Criterion.X3_WORD_ORDER_IRRELEVANT,
        "delta_b_tot",
        case["delta_b_tot"],
        ci,
        "interval above the excess that shuffled tokens give",
        verdict(ci[0] > shuffled, ci[0], shuffled),
        f"excess over the permutation null: {case['delta_b_tot']:.3f}, with shuffled tokens {shuffled:.3f}",
        shuffled,
    )


def _null_has_same_tail(case: Case) -> Judged:
    value, null = case["opt_tau_S"], case["opt_tau_S_perm"]
    ci, null_ci = case.interval("opt_tau_S"), case.interval("opt_tau_S_perm")
    apart = not overlap(ci, null_ci)
    why = "too few avalanches for an exponent" if np.isnan(value) or np.isnan(null) else beside_null(null, apart)
    return Judged(
        Criterion.X4_NULL_HAS_SAME_TAIL,
        "tau_S",
        value,
        ci,
        "interval apart from that of the permutation null",
        verdict(apart, value, null),
        why,
        null,
        null_ci,
    )


def _depends_on_spike_def(case: Case) -> Judged:
    limit = _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
    difference = abs(case.gstar - case.other_gstar)
    missing = np.isnan(difference)
    return Judged(
        Criterion.X5_DEPENDS_ON_SPIKE_DEF,
        "|g* - g* of the other spike definition|",
        difference,
        (NAN, NAN),
        f"at most {limit:g}",
        verdict(difference <= limit + 1e-9, difference),
        "only one spike definition was run" if missing else f"g* {case.gstar:g} and {case.other_gstar:g}",
    )


FALSIFIERS = (_null_explains_branching, _no_peak, _word_order, _null_has_same_tail, _depends_on_spike_def)
