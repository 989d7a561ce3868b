"""Signatures S1 to S5: each a number, its interval, its null's number, a gate and a verdict.

A signature passes only where it also differs from its null. What a condition does not support is *not available*, with
the reason; that is no failure of the condition and no support for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from critnb.canon import CANON, Criterion
from critnb.criticality.falsifiers import FALSIFIERS
from critnb.criticality.judgement import Case, Judged, beside_null, both_nulls, overlap, significant, verdict

_CONST = CANON.CONST


def _branching(case: Case) -> Judged:
    near = abs(case["b_tot"] - 1) <= _CONST.BRANCHING_PROXIMITY_MAX
    return Judged(
        Criterion.S1_BRANCHING,
        "b_tot",
        case["b_tot"],
        case.interval("opt_b_tot"),
        f"within {_CONST.BRANCHING_PROXIMITY_MAX:g} of one, and above both raster nulls at p < {_CONST.SIGNIFICANCE_LEVEL:g}",
        verdict(near and significant(case), case["b_tot"], case["opt_delta_b_tot_p"], case["opt_delta_b_tot_shift_p"]),
        both_nulls(case),
        case["b_tot_perm"],
    )


def _susceptibility(case: Case) -> Judged:
    peak, limit = case.peak, _CONST.SIGNATURE_ALIGNMENT_G_DIFF_MAX
    # gains are decimal fractions: 1.2 - 1.0 must not miss 0.2 by a rounding error
    close = abs(peak.gain - case.gstar) <= limit + 1e-9
    low, high = case.interval("opt_chi")
    shuffled = case["opt_chi_token_shuffle"]
    apart = not low <= shuffled <= high
    where = "at the grid's edge, so no peak is seen; " if peak.at_grid_edge else ""
    return Judged(
        Criterion.S2_SUSCEPTIBILITY,
        "gain of the largest chi",
        peak.gain,
        (peak.ci_low, peak.ci_high),
        f"inside the grid, within {limit:g} of g*, and chi(g*) not that of shuffled tokens",
        verdict(close and apart and not peak.at_grid_edge, peak.gain, shuffled),
        f"{where}chi(g*) {case['chi']:.2f} [{low:.2f}, {high:.2f}], {shuffled:.2f} with shuffled tokens; "
        "raster nulls keep chi as it is",
    )


def _crackling(case: Case) -> Judged:
    value, null = case["crackling_gamma"], case["opt_crackling_gamma_perm"]
    ci, null_ci = case.interval("crackling"), case.interval("opt_crackling_gamma_perm")
    apart = not overlap(ci, null_ci)
    why = case.reasons.get("crackling_gamma") or beside_null(null, apart)
    return Judged(
        Criterion.S3_CRACKLING,
        "slope gamma of log E[S|D]",
        value,
        ci,
        f"{_CONST.CRACKLING_MIN_POINTS} durations or more, interval no wider than {_CONST.BOOTSTRAP_CI_WIDTH_MAX:g} and not of "
        "width zero, apart from its null's",
        verdict(case.crackling_passed and apart, value),
        why,
        null,
        null_ci,
    )


def _scaling(case: Case) -> Judged:
    value, null = case["opt_dcc"], case["opt_dcc_perm"]
    ci, null_ci = case.interval("opt_dcc"), case.interval("opt_dcc_perm")
    reference = case.interval("opt_dcc_ref")
    apart = not overlap(ci, null_ci)
    why = case.reasons.get("opt_dcc", "")
    if not why:
        why = (
            f"critical cascades on the same lattice and ranges: {case['opt_dcc_ref']:.3f} [{reference[0]:.3f}, "
            f"{reference[1]:.3f}]; {beside_null(null, apart)}"
        )
    return Judged(
        Criterion.S4_SCALING,
        "dcc = |gamma - (alpha_D - 1) / (tau_S - 1)|",
        value,
        ci,
        "interval meets that of critical cascades on the same lattice and ranges, and is apart from its null's",
        verdict(overlap(ci, reference) and apart, value, ci[0], reference[0]),
        why,
        null,
        null_ci,
    )


def _multistep(case: Case, criterion: Criterion, stem: str, statistic: str) -> Judged:
    value, null = case[stem], case[f"{stem}_perm"]
    ci, null_ci = case.interval(stem), case.interval(f"{stem}_perm")
    # without correlation there is nothing to fit, and m of a null may be anything: such an interval compares with nothing
    null_identified = _narrow(null_ci)
    apart = not (null_identified and overlap(ci, null_ci))
    near = abs(value - 1) <= _CONST.BRANCHING_PROXIMITY_MAX
    why = case.reasons.get(stem, "")
    if not why and null_identified:
        why = beside_null(null, apart)
    elif not why:
        why = "the permutation null has no correlation that would identify m"
    return Judged(
        criterion,
        statistic,
        value,
        ci,
        f"within {_CONST.BRANCHING_PROXIMITY_MAX:g} of one, interval no wider than {_CONST.BOOTSTRAP_CI_WIDTH_MAX:g} and apart "
        "from its null's",
        verdict(near and _narrow(ci) and apart, value, ci[0]),
        why,
        null,
        null_ci,
    )


def _narrow(interval: tuple[float, float]) -> bool:
    return interval[1] - interval[0] <= _CONST.BOOTSTRAP_CI_WIDTH_MAX


def _multistep_tokens(case: Case) -> Judged:
    return _multistep(case, Criterion.S5_MULTISTEP_TOKENS, "opt_m_time", "m along tokens")


def _multistep_depth(case: Case) -> Judged:
    return _multistep(case, Criterion.S5_MULTISTEP_DEPTH, "opt_m_depth", "m along layers")


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
