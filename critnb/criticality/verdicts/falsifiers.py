"""Falsifiers X1 to X5: findings that would speak against a critical reading; one that passes has not falsified."""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.verdicts.judgement import (
    BRANCHING,
    NAN,
    ONE_GAIN,
    Case,
    Clause,
    Judged,
    above,
    decide,
    significant,
    within,
)
from critnb.lattice import ALL_NULLS

_CONST = CANON.CONST


def _null_explains_branching(case: Case) -> Judged:
    ci = case.interval("opt_delta_b_tot")
    missing = case.reasons.get(BRANCHING) or "there is no interval"
    verdict, reason = decide([above("delta_b_tot", ci, (0.0, 0.0), missing), *significant(case)])
    return Judged(
        Criterion.X1_NULL_EXPLAINS_BRANCHING,
        "delta_b_tot",
        case["delta_b_tot"],
        ci,
        f"interval above zero, and p < {_CONST.SIGNIFICANCE_LEVEL:g} under {ALL_NULLS}",
        verdict,
        reason,
        0.0,
    )


def _no_peak(case: Case) -> Judged:
    peak = case.peak
    words = f"largest at g = {peak.gain:g} [{peak.ci_low:g}, {peak.ci_high:g}]"
    clause = Clause(not peak.at_grid_edge, words + (", an end of the grid" if peak.at_grid_edge else ""))
    if peak.spans_grid:
        clause = Clause(None, ONE_GAIN if peak.one_gain else f"{words}: anywhere in the grid")
    verdict, reason = decide([clause])
    return Judged(
        Criterion.X2_NO_SUSCEPTIBILITY_PEAK,
        "gain of the largest chi",
        peak.gain,
        (peak.ci_low, peak.ci_high),
        "not the first or the last of the grid",
        verdict,
        reason,
    )


def _word_order(case: Case) -> Judged:
    shuffled, ci = case["opt_delta_b_tot_token_shuffle"], case.interval("opt_delta_b_tot")
    missing = case.reasons.get(BRANCHING) or "shuffled tokens leave no active site with a successor to compare with"
    verdict, reason = decide([above("delta_b_tot", ci, (shuffled, shuffled), missing)])
    return Judged(
        Criterion.X3_WORD_ORDER_IRRELEVANT,
        "delta_b_tot",
        case["delta_b_tot"],
        ci,
        "interval above the excess that shuffled tokens give",
        verdict,
        reason,
        shuffled,
    )


def _null_has_same_tail(case: Case) -> Judged:
    ci, null_ci = case.interval("opt_tau_S"), case.interval("opt_tau_S_perm")
    verdict, reason = decide([_apart(case, ci, null_ci)])
    return Judged(
        Criterion.X4_NULL_HAS_SAME_TAIL,
        "tau_S",
        case["opt_tau_S"],
        ci,
        "interval apart from that of the permutation null on the same support",
        verdict,
        reason,
        case["opt_tau_S_perm"],
        null_ci,
    )


def _apart(case: Case, ci: tuple[float, float], null_ci: tuple[float, float]) -> Clause:
    if np.isnan(ci).any():
        return Clause(None, case.reasons.get("opt_tau_S") or "too few avalanches for an exponent")
    if np.isnan(null_ci).any():
        return Clause(None, "the permutation null has too few avalanches on the same support")
    met = ci[1] < null_ci[0] or null_ci[1] < ci[0]
    words = f"[{ci[0]:.3f}, {ci[1]:.3f}] and the null's [{null_ci[0]:.3f}, {null_ci[1]:.3f}]"
    return Clause(met, f"{words} {'do not meet' if met else 'overlap'}")


def _depends_on_spike_def(case: Case) -> Judged:
    limit = _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
    difference = abs(case.gstar - case.other_gstar)
    clause = within("g*", case.gstar, case.other_gstar, limit)
    if np.isnan(difference):
        clause = Clause(None, "only one spike definition was run")
    elif case.peak.one_gain:
        clause = Clause(None, ONE_GAIN)
    elif case.same_events and not difference:
        clause = Clause(
            None, "both spike definitions give the same events at every gain, so there is nothing to compare"
        )
    verdict, reason = decide([clause])
    return Judged(
        Criterion.X5_DEPENDS_ON_SPIKE_DEF,
        "|g* - g* of the other spike definition|",
        difference,
        (NAN, NAN),
        f"at most {limit:g}",
        verdict,
        reason,
    )


FALSIFIERS = (_null_explains_branching, _no_peak, _word_order, _null_has_same_tail, _depends_on_spike_def)
