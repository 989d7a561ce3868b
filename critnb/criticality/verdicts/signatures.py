"""Descriptions S1 to S5: each a number, its interval, its null's number, and the clauses that its gate asks for.

A description passes only where it also differs from its null, in the direction in which a critical process would; a lattice
in which nothing spreads can do that too. What a condition does not support is *not available*, with the reason; that is no
failure of the condition and no support.
"""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON, Criterion
from critnb.criticality.gain_set import ONE_GAIN
from critnb.criticality.sizes.pooling import SURVIVAL_AT
from critnb.criticality.verdicts import judgement as j
from critnb.criticality.verdicts.criteria import Assessment, criterion
from critnb.criticality.verdicts.family import NullTest
from critnb.criticality.verdicts.judgement import Case, Clause, Ends
from critnb.lattice import ALL_NULLS

_CONST = CANON.CONST
_NEAR_ONE, _NEAR_GSTAR = _CONST.BRANCHING_PROXIMITY_MAX, _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
_WIDTH = f"interval no wider than {_CONST.BOOTSTRAP_CI_WIDTH_MAX:g} and not of width zero"
_LENGTH_GATE = (
    "the whole interval at least the extent of the lattice, and the slope r_1 above that of the permutation and of the "
    "fixed-margins null"
)
_MARGIN = _CONST.SCALING_EQUIVALENCE_MARGIN
_NO_NULL = "the permutation null has too few avalanches on the same durations and supports to compare with"
_EXTENT_WORDS = {"time": "tokens", "depth": "layers"}


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
    missing = (
        "there is no chi of shuffled tokens to compare with" if np.isnan(shuffled) else "there is no interval of chi"
    )
    exceeds = j.above("chi(g*)", ci, (shuffled, shuffled), missing)
    return Assessment(case["chi"], ci, [exceeds, _aligned(case)], shuffled)


def _aligned(case: Case) -> Clause:
    """Return the clause that the largest chi lies near g*; unknown where its interval is the whole grid."""
    peak = case.peak
    words = f"the largest chi is at g = {peak.gain:g} [{peak.ci_low:g}, {peak.ci_high:g}]"
    if peak.one_gain:
        return Clause(None, ONE_GAIN)
    if peak.spans_grid:
        return Clause(None, f"{words}, anywhere in the grid")
    if peak.at_grid_edge:
        return Clause(False, f"{words}, at an end of the grid")
    met = all(j.within("", end, case.gstar, _NEAR_GSTAR).met for end in (peak.ci_low, peak.ci_high))
    return Clause(met, words if met else f"{words}, not all within {_NEAR_GSTAR:g} of g*")


@criterion(
    Criterion.S3_CRACKLING,
    statistic="slope gamma of log E[S|D]",
    gate=f"{_CONST.CRACKLING_MIN_POINTS} durations or more, {_WIDTH}, above its null's on the same durations; where all "
    "replicates of the null are too sparse for a slope, avalanches longer and larger than theirs at adjusted "
    f"p < {_CONST.SIGNIFICANCE_LEVEL:g}",
)
def _crackling(case: Case) -> Assessment:
    value, ci = case["crackling_gamma"], case.interval("crackling")
    null_ci = case.interval("opt_crackling_gamma_perm")
    clauses = [j.available(case, "crackling_gamma", value, ci), j.narrow(ci)]
    if np.isnan(null_ci).any() and not np.isnan(case["opt_survival_p"]):
        return Assessment(value, ci, clauses, test=_survival(case))
    clauses.append(j.above("gamma", ci, null_ci, _NO_NULL))
    return Assessment(value, ci, clauses, case["opt_crackling_gamma_perm"], null_ci)


def _survival(case: Case) -> NullTest:
    """Return the test that more avalanches than those of every permuted raster live long and grow large."""
    compared = ", ".join(
        f"P({name} >= {SURVIVAL_AT}) is {case[f'opt_survival_{name}']:.2g}, permuted {case[f'opt_survival_{name}_perm']:.2g}"
        for name in "DS"
    )
    words = (
        f"{case['opt_survival_replicates']:.0f} permuted rasters together lack {_CONST.CRACKLING_MIN_POINTS} of the durations "
        f"with {_CONST.CRACKLING_MIN_AVALANCHES_PER_POINT} avalanches each; {compared}"
    )
    n = int(case["opt_survival_replicates"])
    return NullTest("survival of avalanches", case["opt_survival_p"], words, j.least_p(n), f"{n} permuted rasters")


@criterion(
    Criterion.S4_SCALING,
    statistic="dcc = |gamma - (alpha_D - 1) / (tau_S - 1)|",
    gate=f"whole interval within {_MARGIN:g} of the median of critical cascades on the same lattice and ranges, not of width "
    "zero, and below its null's",
)
def _scaling(case: Case) -> Assessment:
    value, ci, null_ci = case["opt_dcc"], case.interval("opt_dcc"), case.interval("opt_dcc_perm")
    clauses = [
        j.available(case, "opt_dcc", value, ci),
        j.narrow(ci),
        _equivalent(ci, case["opt_dcc_ref"]),
        j.below("dcc", ci, null_ci, _NO_NULL),
    ]
    return Assessment(value, ci, clauses, case["opt_dcc_perm"], null_ci)


def _equivalent(ci: Ends, reference: float) -> Clause:
    """Return the clause that the interval lies within the margin of the reference's median: equivalence, not overlap.

    A wide interval overlaps with anything; that it lies within a margin it can only do by being narrow and near.
    """
    if np.isnan([*ci, reference]).any():
        return Clause(None, "there is no reference of critical cascades on these ranges")
    met = all(j.within("", end, reference, _MARGIN).met for end in ci)
    words = f"dcc {j.interval_words(ci)} is {'' if met else 'not '}within {_MARGIN:g} of the critical cascades' {reference:.3f}"
    return Clause(met, words)


@criterion(Criterion.S5_MULTISTEP_TOKENS, statistic="correlation length along tokens, -1 / ln m", gate=_LENGTH_GATE)
def _multistep_tokens(case: Case) -> Assessment:
    return _multistep(case, "time")


@criterion(Criterion.S5_MULTISTEP_DEPTH, statistic="correlation length along layers, -1 / ln m", gate=_LENGTH_GATE)
def _multistep_depth(case: Case) -> Assessment:
    return _multistep(case, "depth")


def _multistep(case: Case, axis: str) -> Assessment:
    stem, length = f"opt_m_{axis}", f"opt_xi_{axis}"
    value, ci = case[length], case.interval(length)
    # the null has no decay to fit, and a fit may give any m all the same; the slope is always available
    clauses = [
        j.available(case, stem, case[stem], case.interval(stem)),
        _spans(ci, case.n_tokens if axis == "time" else case.n_layers, _EXTENT_WORDS[axis]),
        _correlated(case, axis, "perm", "permutation null"),
        _correlated(case, axis, "margins", "fixed-margins null"),
    ]
    return Assessment(value, ci, clauses)


def _spans(ci: Ends, extent: int, what: str) -> Clause:
    """Return the clause that a correlation length's whole interval reaches at least the extent of the lattice."""
    if np.isnan(ci).any():
        return Clause(None, "there is no interval of the correlation length")
    met = ci[0] >= extent and ci[0] < ci[1]
    words = f"correlation length [{ci[0]:.3g}, {ci[1]:.3g}]"
    return Clause(met, f"{words} {'reaches' if met else 'does not reach'} {extent} {what}")


def _correlated(case: Case, axis: str, short: str, noun: str) -> Clause:
    """Return the clause that the slope r_1 lies above a null's."""
    slope = f"opt_r1_{axis}"
    null_ci = case.interval(f"{slope}_{short}")
    clause = j.above("r_1", case.interval(slope), null_ci, f"the {noun} has no slope r_1 to compare with")
    about = f"{clause.words} of the {noun}" if clause.met is not None else clause.words
    if axis == "time" and short == "margins" and clause.met is False:
        about += ", which keeps how many layers are active at each token"
    return Clause(clause.met, about)
