"""Falsifiers X1 to X5: findings that would speak against a critical reading; one that passes has not falsified."""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.gain_set import ONE_GAIN, TIE
from critnb.criticality.verdicts import judgement as j
from critnb.criticality.verdicts.criteria import Assessment, criterion
from critnb.criticality.verdicts.judgement import Case, Clause, Ends
from critnb.lattice import ALL_NULLS

_CONST = CANON.CONST


@criterion(
    Criterion.X1_NULL_EXPLAINS_BRANCHING,
    statistic="delta_b_tot",
    gate=f"interval above zero, and adjusted p < {_CONST.SIGNIFICANCE_LEVEL:g} under {ALL_NULLS}",
)
def _null_explains_branching(case: Case) -> Assessment:
    ci = case.interval("opt_delta_b_tot")
    missing = case.reasons.get(j.BRANCHING) or "there is no interval"
    clauses = [j.above("delta_b_tot", ci, (0.0, 0.0), missing), *j.missing_excess(case)]
    return Assessment(case["delta_b_tot"], ci, clauses, 0.0, test=j.exceeds_nulls(case))


@criterion(
    Criterion.X2_NO_SUSCEPTIBILITY_PEAK,
    statistic="gain of the largest chi",
    gate="not the first or the last of the grid",
)
def _no_peak(case: Case) -> Assessment:
    peak = case.peak
    words = f"largest at g = {peak.gain:g} [{peak.ci_low:g}, {peak.ci_high:g}]"
    clause = Clause(not peak.at_grid_edge, words + (", an end of the grid" if peak.at_grid_edge else ""))
    if peak.spans_grid:
        clause = Clause(None, ONE_GAIN if peak.one_gain else f"{words}: anywhere in the grid")
    return Assessment(peak.gain, (peak.ci_low, peak.ci_high), [clause])


@criterion(
    Criterion.X3_WORD_ORDER_IRRELEVANT,
    statistic="excess of b_tot minus that of shuffled tokens at matched rates",
    gate="interval above zero",
)
def _word_order(case: Case) -> Assessment:
    name = "opt_delta_b_tot_vs_shuffles"
    ci = case.interval(name)
    clause = j.above("the excess minus that of shuffled tokens", ci, (0.0, 0.0), _without_shuffles(case))
    if (
        np.abs([case[name], *ci]).max() <= TIE
    ):  # windows of two tokens have none to shuffle, full rasters nothing to change
        clause = Clause(
            None, "shuffled tokens give the branching of the real ones in every window, so nothing is compared"
        )
    return Assessment(case[name], ci, [clause], 0.0)


def _without_shuffles(case: Case) -> str:
    if np.isnan(case["opt_shuffles"]):
        return "no tokens were shuffled at this gain"
    if np.isnan(case["opt_delta_b_tot_vs_shuffles"]):
        return "real or shuffled tokens leave no active site with a successor to compare with"
    return "there is no interval: one window was shuffled, or over a tenth of the resamples define no b_tot"


@criterion(
    Criterion.X4_NULL_HAS_SAME_TAIL,
    statistic="tau_S",
    gate="interval apart from that of the permutation null on the same support",
)
def _null_has_same_tail(case: Case) -> Assessment:
    ci, null_ci = case.interval("opt_tau_S"), case.interval("opt_tau_S_perm")
    return Assessment(case["opt_tau_S"], ci, [_apart(case, ci, null_ci)], case["opt_tau_S_perm"], null_ci)


def _apart(case: Case, ci: Ends, null_ci: Ends) -> Clause:
    if np.isnan(ci).any():
        return Clause(None, case.reasons.get("opt_tau_S") or "too few avalanches for an exponent")
    if np.isnan(null_ci).any():
        return Clause(None, "the permutation null has too few avalanches on the same support")
    met = ci[1] < null_ci[0] or null_ci[1] < ci[0]
    words = f"{j.interval_words(ci)} and the null's {j.interval_words(null_ci)}"
    return Clause(met, f"{words} {'do not meet' if met else 'overlap'}")


@criterion(
    Criterion.X5_DEPENDS_ON_SPIKE_DEF,
    statistic="|g* - g* of the other spike definition|",
    gate=f"at most {_CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX:g}",
)
def _depends_on_spike_def(case: Case) -> Assessment:
    difference = abs(case.gstar - case.other_gstar)
    clause = j.within("g*", case.gstar, case.other_gstar, _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX)
    if not np.isnan(case.sites_apart):
        clause = Clause(clause.met, f"{clause.words}; {case.sites_apart:.0f} of {case.n_sites} sites differ at g*")
    if np.isnan(difference):
        clause = Clause(None, "only one spike definition was run")
    elif case.peak.one_gain:
        clause = Clause(None, ONE_GAIN)
    elif case.same_events and not difference:
        clause = Clause(
            None, "both spike definitions give the same events at every gain, so there is nothing to compare"
        )
    return Assessment(difference, j.NO_INTERVAL, [clause])
