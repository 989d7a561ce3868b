"""C1: under MLP_GLOBAL, event rates match their targets on A_cal, at every gain, layer, rate and spike definition."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Claim, Intervention, Stage
from critnb.lattice.thresholds import judged
from critnb.paper.claims.evidence import plain
from critnb.paper.claims.gather import CONDITION, RoleEvidence, grid_rows, uncovered
from critnb.paper.claims.verdict import ClaimRule, RoleVerdict
from critnb.report.words import agreeing, among, spelled

_REL = CANON.CONST.RATE_MATCH_TOL_REL

_STATEMENT = "On calibration text, event rates match their targets at every gain, as far as equal values allow."
_RULE = (
    f"Under {Intervention.MLP_GLOBAL} the events of every layer, gain, rate and spike definition on A_cal miss the target k by "
    f"at most max(1, {_REL:g} of it), counted in the threshold table, which has a row for each; or the miss is all ties: at most "
    "k values lie above the threshold and more than k at or above it, so no threshold lets exactly k pass. And every one of these "
    "conditions has events on A_raster. This is exact counting, so nothing is tested and nothing corrected for. How many "
    "thresholds miss by ties, how other interventions are matched, and how far the rates of layers on A_raster, where nothing was "
    "fitted, are from their targets, is reported beside the verdict and has no part in it."
)


def _judge(evidence: RoleEvidence) -> RoleVerdict:
    """Return the verdict on C1 in one role."""
    thresholds = evidence.thresholds[Stage.S04]
    everything = judged(thresholds.frame)
    is_global = everything["intervention_id"] == Intervention.MLP_GLOBAL
    frame, others = everything[is_global], everything[~is_global]
    ratio = frame["achieved_rate_raster"] / frame["target_layer_rate"]
    tied, tied_elsewhere = frame[frame["by_ties"]], others[others["by_ties"]]
    numbers = {
        "held_out_low": plain(ratio.min()),
        "held_out_high": plain(ratio.max()),
        "missed_by_ties": len(tied),
        "largest_miss_by_ties": plain(tied["off"].max()) if len(tied) else None,
        "missed_by_ties_elsewhere": len(tied_elsewhere),
    }
    absent = uncovered(evidence, Stage.S04, grid_rows(evidence.grid))
    misses = ~frame["passed"] & frame["off"].notna()
    missed, silent = int(misses.sum()), _silent(frame)
    unknown = absent + int((frame["off"].isna() | ratio.isna()).sum())
    on_a_cal = _of_thresholds(len(frame), missed, unknown, tied)
    reason = "; ".join(filter(None, (on_a_cal, _of_raster(ratio, silent), _elsewhere(others))))
    shown = ("target_events", "events", "achieved_rate", "ties", "target_layer_rate", "achieved_rate_raster")
    # what fails is shown before what misses farther by ties alone
    excess = (frame["off"] - frame["tolerance"]).where(misses | (missed == 0))
    places = [each.idxmax() for each in (excess, -ratio, ratio) if each.notna().any()]
    rows = [thresholds.row(place, *shown) for place in dict.fromkeys(places)]
    return RoleVerdict.of(reason, rows, numbers, failing=missed + silent, missing=unknown)


def _of_thresholds(n: int, missed: int, unknown: int, tied: pd.DataFrame) -> str:
    """Say how many thresholds miss the gate on A_cal, how many have no number, and how many miss by ties alone."""
    if not n:
        return f"no threshold is there, and {spelled(unknown)} {agreeing(unknown, 'is', 'are')} missing"
    said = [f"{among(missed, n, 'threshold')} {agreeing(missed, 'misses', 'miss')} the gate on A_cal"] if missed else []
    if unknown:
        said.append(f"{spelled(unknown)} {agreeing(unknown, 'lacks', 'lack')} a number")
    if not said:
        said = [f"{among(n, n, 'threshold')} {agreeing(n, 'passes', 'pass')} the gate on A_cal"]
    if len(tied):
        worst = tied.iloc[int(tied["off"].argmax())]
        most = f"by at most {worst['off']:g} events (of {worst['target_events']:g})"
        said.append(
            f"{spelled(len(tied))} {agreeing(len(tied), 'lies', 'lie')} beyond its tolerance by ties alone, {most}"
        )
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _of_raster(ratio: pd.Series[float], silent: int) -> str:
    """Say how far the rates of layers on A_raster are from their targets, and how many conditions have no event there."""
    if not ratio.notna().any():
        return "rates on A_raster are not available"
    ends = f"the rates of layers on A_raster are {ratio.min():.3g} to {ratio.max():.3g} times their targets"
    return (
        f"{ends}, where {spelled(silent)} {agreeing(silent, 'condition has', 'conditions have')} no event"
        if silent
        else ends
    )


def _elsewhere(others: pd.DataFrame) -> str:
    """Say how thresholds of other interventions were matched where any of them misses."""
    tied, missed = int(others["by_ties"].sum()), int((~others["passed"]).sum())
    found = [
        f"{spelled(n)} {agreeing(n, one, several)}"
        for n, one, several in (
            (missed, "misses the gate", "miss the gate"),
            (tied, "lies beyond its tolerance by ties alone", "lie beyond its tolerance by ties alone"),
        )
        if n
    ]
    return f"of {len(others)} thresholds of other interventions, {' and '.join(found)}" if found else ""


def _silent(frame: pd.DataFrame) -> int:
    """Return how many conditions have no event in any layer of A_raster."""
    events = frame.groupby(CONDITION)["events_raster"].sum(min_count=1)
    return int((events == 0).sum())


CLAIM = ClaimRule(Claim.C1_RATES_MATCH, _STATEMENT, _RULE, _judge)
