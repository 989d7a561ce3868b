"""Signatures S1 to S5: each a number, its interval, its null's number, a gate and a verdict.

A signature passes only where it also differs from its null, in the direction in which a critical process would. What a
condition does not support is *not available*, with the reason; that is no failure of the condition and no support.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from critnb.canon import CANON, Criterion
from critnb.criticality.verdicts.falsifiers import FALSIFIERS
from critnb.criticality.verdicts.judgement import (
    BRANCHING,
    NAN,
    ONE_GAIN,
    Case,
    Clause,
    Judged,
    above,
    available,
    below,
    decide,
    narrow,
    significant,
    within,
)
from critnb.lattice import ALL_NULLS

_CONST = CANON.CONST
_WIDTH = f"interval no wider than {_CONST.BOOTSTRAP_CI_WIDTH_MAX:g} and not of width zero"
_NO_NULL = "the permutation null has too few avalanches on the same durations and supports to compare with"


def _branching(case: Case) -> Judged:
    limit = _CONST.BRANCHING_PROXIMITY_MAX
    verdict, reason = decide(
        [within("b_tot", case["b_tot"], 1.0, limit, missing=case.reasons.get(BRANCHING, "")), *significant(case)]
    )
    return Judged(
        Criterion.S1_BRANCHING,
        "b_tot",
        case["b_tot"],
        case.interval("opt_b_tot"),
        f"within {limit:g} of one, and above {ALL_NULLS} at p < {_CONST.SIGNIFICANCE_LEVEL:g}",
        verdict,
        reason,
        case["b_tot_perm"],
    )


def _susceptibility(case: Case) -> Judged:
    ci, shuffled = case.interval("opt_chi"), case["opt_chi_token_shuffle"]
    limit = _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
    verdict, reason = decide(
        [
            above("chi(g*)", ci, (shuffled, shuffled), "there is no chi of shuffled tokens to compare with"),
            _aligned(case, limit),
        ]
    )
    return Judged(
        Criterion.S2_SUSCEPTIBILITY,
        "chi(g*)",
        case["chi"],
        ci,
        f"above that of shuffled tokens, and largest over g inside the grid, with an interval within {limit:g} of g*",
        verdict,
        reason,
        shuffled,
    )


def _aligned(case: Case, limit: float) -> Clause:
    """The clause that the largest chi of the grid lies near g*; a peak whose interval is the whole grid is none."""
    peak = case.peak
    words = f"the largest chi is at g = {peak.gain:g} [{peak.ci_low:g}, {peak.ci_high:g}]"
    if peak.one_gain:
        return Clause(None, ONE_GAIN)
    if peak.spans_grid:
        return Clause(None, f"{words}, anywhere in the grid")
    if peak.at_grid_edge:
        return Clause(False, f"{words}, at an end of the grid")
    ends = [within("", end, case.gstar, limit).met for end in (peak.ci_low, peak.ci_high)]
    return Clause(all(ends), words if all(ends) else f"{words}, not all within {limit:g} of g*")


def _crackling(case: Case) -> Judged:
    value, ci = case["crackling_gamma"], case.interval("crackling")
    null_ci = case.interval("opt_crackling_gamma_perm")
    verdict, reason = decide(
        [available(case, "crackling_gamma", value, ci), narrow(ci), above("gamma", ci, null_ci, _NO_NULL)]
    )
    return Judged(
        Criterion.S3_CRACKLING,
        "slope gamma of log E[S|D]",
        value,
        ci,
        f"{_CONST.CRACKLING_MIN_POINTS} durations or more, {_WIDTH}, above its null's on the same durations",
        verdict,
        reason,
        case["opt_crackling_gamma_perm"],
        null_ci,
    )


def _scaling(case: Case) -> Judged:
    value, ci = case["opt_dcc"], case.interval("opt_dcc")
    null_ci, reference = case.interval("opt_dcc_perm"), case.interval("opt_dcc_ref")
    verdict, reason = decide(
        [
            available(case, "opt_dcc", value, ci),
            narrow(ci),
            _meets(ci, reference),
            below("dcc", ci, null_ci, _NO_NULL),
        ]
    )
    return Judged(
        Criterion.S4_SCALING,
        "dcc = |gamma - (alpha_D - 1) / (tau_S - 1)|",
        value,
        ci,
        f"{_WIDTH}, meets that of critical cascades on the same lattice and ranges, below its null's",
        verdict,
        reason,
        case["opt_dcc_perm"],
        null_ci,
    )


def _meets(ci: tuple[float, float], reference: tuple[float, float]) -> Clause:
    if np.isnan([*ci, *reference]).any():
        return Clause(None, "there is no reference of critical cascades on these ranges")
    met = ci[0] <= reference[1] and reference[0] <= ci[1]
    words = f"critical cascades on the same lattice and ranges have [{reference[0]:.3f}, {reference[1]:.3f}]"
    return Clause(met, words if met else f"{words}, which the interval does not meet")


def _multistep(case: Case, criterion: Criterion, axis: str, along: str) -> Judged:
    stem, slope = f"opt_m_{axis}", f"opt_r1_{axis}"
    value, ci, null_ci = case[stem], case.interval(stem), case.interval(f"{stem}_perm")
    limit = _CONST.BRANCHING_PROXIMITY_MAX
    # under the null there is no decay to fit, and what is fitted all the same may be any m; the slope is always there
    correlated = above(
        "the slope r_1", case.interval(slope), case.interval(f"{slope}_perm"), "the null has no slope to compare with"
    )
    verdict, reason = decide([available(case, stem, value, ci), within("m", value, 1.0, limit), narrow(ci), correlated])
    identified = narrow(null_ci).met
    return Judged(
        criterion,
        f"m along {along}",
        value,
        ci,
        f"within {limit:g} of one, {_WIDTH}, and correlation r_1 above its null's",
        verdict,
        reason,
        case[f"{stem}_perm"] if identified else NAN,
        null_ci if identified else (NAN, NAN),
    )


def _multistep_tokens(case: Case) -> Judged:
    return _multistep(case, Criterion.S5_MULTISTEP_TOKENS, "time", "tokens")


def _multistep_depth(case: Case) -> Judged:
    return _multistep(case, Criterion.S5_MULTISTEP_DEPTH, "depth", "layers")


SIGNATURES = (_branching, _susceptibility, _crackling, _scaling, _multistep_tokens, _multistep_depth)


def judge_all(case: Case) -> list[Judged]:
    """Return every signature and falsifier of a case, in the registry's order."""
    return [judge(case) for judge in (*SIGNATURES, *FALSIFIERS)]


def judged_frame(cases: Mapping[tuple[str, float], Case]) -> pd.DataFrame:
    """Return all rows, keyed by (spike_def_id, target_rate) and the criterion, with the gain g*."""
    return pd.DataFrame(
        {"spike_def_id": spike_def, "target_rate": rate, "g": case.gstar, **judged.as_row()}
        for (spike_def, rate), case in cases.items()
        for judged in judge_all(case)
    )
