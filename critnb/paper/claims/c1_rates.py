"""C1: under MLP_GLOBAL, event rates match their targets on A_cal, at every gain, layer, rate and spike definition."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Claim, Intervention, Stage
from critnb.lattice.thresholds import judged
from critnb.paper.claims.evidence import plain
from critnb.paper.claims.gather import CONDITION, RoleEvidence, grid_rows, uncovered
from critnb.paper.claims.verdict import ClaimRule, RoleVerdict

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
    reason = (
        f"{missed} of {len(frame)} thresholds miss the gate on A_cal and {unknown} lack a number{_of_ties(tied)}; {silent} "
        f"conditions are without an event on A_raster, where the layers' rates are {ratio.min():.3g} to {ratio.max():.3g} times "
        f"their targets{_elsewhere(others)}"
    )
    shown = ("target_events", "events", "achieved_rate", "ties", "target_layer_rate", "achieved_rate_raster")
    # what fails is shown before what misses farther by ties alone
    excess = (frame["off"] - frame["tolerance"]).where(misses | (missed == 0))
    places = [each.idxmax() for each in (excess, -ratio, ratio) if each.notna().any()]
    rows = [thresholds.row(place, *shown) for place in dict.fromkeys(places)]
    return RoleVerdict.of(reason, rows, numbers, failing=missed + silent, missing=unknown)


def _of_ties(tied: pd.DataFrame) -> str:
    if not len(tied):
        return ""
    worst = tied.iloc[int(tied["off"].argmax())]
    most = f"by at most {worst['off']:g} events (of {worst['target_events']:g})"
    return f", {len(tied)} lie beyond its tolerance by ties alone, {most}"


def _elsewhere(others: pd.DataFrame) -> str:
    """Say how thresholds of other interventions were matched where any of them misses."""
    tied, missed = int(others["by_ties"].sum()), int((~others["passed"]).sum())
    if not missed + tied:
        return ""
    beyond = f"{missed} miss the gate and {tied} lie beyond its tolerance by ties alone"
    return f"; of {len(others)} thresholds of other interventions, {beyond}"


def _silent(frame: pd.DataFrame) -> int:
    """Return how many conditions have no event in any layer of A_raster."""
    events = frame.groupby(CONDITION)["events_raster"].sum(min_count=1)
    return int((events == 0).sum())


CLAIM = ClaimRule(Claim.C1_RATES_MATCH, _STATEMENT, _RULE, _judge)
