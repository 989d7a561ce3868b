"""Descriptions S1 to S5: each a number, its interval, its null's number, and the clauses that its gate asks for.

A description passes only where it also differs from its null, in the direction in which a critical process would; a lattice
in which nothing spreads can do that too. What a condition does not support is *not available*, with the reason; that is no
failure of the condition and no support.
"""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.verdicts import judgement as j
from critnb.criticality.verdicts.criteria import Assessment, criterion
from critnb.criticality.verdicts.judgement import Case, Clause, Ends
from critnb.lattice import ALL_NULLS

_CONST = CANON.CONST
_NEAR_ONE, _NEAR_GSTAR = _CONST.BRANCHING_PROXIMITY_MAX, _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
_WIDTH = f"interval no wider than {_CONST.BOOTSTRAP_CI_WIDTH_MAX:g} and not of width zero"
_MULTISTEP_GATE = f"within {_NEAR_ONE:g} of one, {_WIDTH}, and correlation r_1 above its null's"
_NO_NULL = "the permutation null has too few avalanches on the same durations and supports to compare with"


@criterion(
    Criterion.S1_BRANCHING,
    statistic="b_tot",
    gate=f"within {_NEAR_ONE:g} of one, and above {ALL_NULLS} at adjusted p < {_CONST.SIGNIFICANCE_LEVEL:g}",
)
def _branching(case: Case) -> Assessment:
    near = j.within("b_tot", case["b_tot"], 1.0, _NEAR_ONE, missing=case.reasons.get(j.BRANCHING, ""))
    clauses, test = [near, *j.missing_excess(case)], j.exceeds_nulls(case)
    return Assessment(case["b_tot"], case.interval("opt_b_tot"), clauses, case["b_tot_perm"], test=test)


@criterion(
    Criterion.S2_SUSCEPTIBILITY,
    statistic="chi(g*)",
    gate=f"above that of shuffled tokens, and largest over g inside the grid, with an interval within {_NEAR_GSTAR:g} of g*",
)
def _susceptibility(case: Case) -> Assessment:
    ci, shuffled = case.interval("opt_chi"), case["opt_chi_token_shuffle"]
    exceeds = j.above("chi(g*)", ci, (shuffled, shuffled), "there is no chi of shuffled tokens to compare with")
    return Assessment(case["chi"], ci, [exceeds, _aligned(case)], shuffled)


def _aligned(case: Case) -> Clause:
    """Return the clause that the largest chi lies near g*; unknown where its interval is the whole grid."""
    peak = case.peak
    words = f"the largest chi is at g = {peak.gain:g} [{peak.ci_low:g}, {peak.ci_high:g}]"
    if peak.one_gain:
        return Clause(None, j.ONE_GAIN)
    if peak.spans_grid:
        return Clause(None, f"{words}, anywhere in the grid")
    if peak.at_grid_edge:
        return Clause(False, f"{words}, at an end of the grid")
    met = all(j.within("", end, case.gstar, _NEAR_GSTAR).met for end in (peak.ci_low, peak.ci_high))
    return Clause(met, words if met else f"{words}, not all within {_NEAR_GSTAR:g} of g*")


@criterion(
    Criterion.S3_CRACKLING,
    statistic="slope gamma of log E[S|D]",
    gate=f"{_CONST.CRACKLING_MIN_POINTS} durations or more, {_WIDTH}, above its null's on the same durations",
)
def _crackling(case: Case) -> Assessment:
    value, ci = case["crackling_gamma"], case.interval("crackling")
    null_ci = case.interval("opt_crackling_gamma_perm")
    clauses = [
        j.available(case, "crackling_gamma", value, ci),
        j.narrow(ci),
        j.above("gamma", ci, null_ci, _NO_NULL),
    ]
    return Assessment(value, ci, clauses, case["opt_crackling_gamma_perm"], null_ci)


@criterion(
    Criterion.S4_SCALING,
    statistic="dcc = |gamma - (alpha_D - 1) / (tau_S - 1)|",
    gate=f"{_WIDTH}, meets that of critical cascades on the same lattice and ranges, below its null's",
)
def _scaling(case: Case) -> Assessment:
    value, ci, null_ci = case["opt_dcc"], case.interval("opt_dcc"), case.interval("opt_dcc_perm")
    clauses = [
        j.available(case, "opt_dcc", value, ci),
        j.narrow(ci),
        _meets(ci, case.interval("opt_dcc_ref")),
        j.below("dcc", ci, null_ci, _NO_NULL),
    ]
    return Assessment(value, ci, clauses, case["opt_dcc_perm"], null_ci)


def _meets(ci: Ends, reference: Ends) -> Clause:
    if np.isnan([*ci, *reference]).any():
        return Clause(None, "there is no reference of critical cascades on these ranges")
    met = ci[0] <= reference[1] and reference[0] <= ci[1]
    words = f"critical cascades on the same lattice and ranges have {j.interval_words(reference)}"
    return Clause(met, words if met else f"{words}, which the interval does not meet")


@criterion(Criterion.S5_MULTISTEP_TOKENS, statistic="m along tokens", gate=_MULTISTEP_GATE)
def _multistep_tokens(case: Case) -> Assessment:
    return _multistep(case, "time")


@criterion(Criterion.S5_MULTISTEP_DEPTH, statistic="m along layers", gate=_MULTISTEP_GATE)
def _multistep_depth(case: Case) -> Assessment:
    return _multistep(case, "depth")


def _multistep(case: Case, axis: str) -> Assessment:
    stem, slope = f"opt_m_{axis}", f"opt_r1_{axis}"
    value, ci, null_ci = case[stem], case.interval(stem), case.interval(f"{stem}_perm")
    # the null has no decay to fit, and a fit may give any m all the same; the slope is always available
    correlated = j.above(
        "the slope r_1", case.interval(slope), case.interval(f"{slope}_perm"), "the null has no slope to compare with"
    )
    clauses = [
        j.available(case, stem, value, ci),
        j.within("m", value, 1.0, _NEAR_ONE),
        j.narrow(ci),
        correlated,
    ]
    if not j.narrow(null_ci).met:
        return Assessment(value, ci, clauses)
    return Assessment(value, ci, clauses, case[f"{stem}_perm"], null_ci)
