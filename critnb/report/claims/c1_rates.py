"""C1: event rates match their targets on A_cal, at every gain, layer, rate and spike definition."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Stage
from critnb.report.claims.coverage import grid_rows, uncovered
from critnb.report.claims.evidence import plain
from critnb.report.claims.gather import RoleEvidence
from critnb.report.claims.verdict import Judged

_REL = CANON.CONST.RATE_MATCH_TOL_REL

STATEMENT = "On calibration text, event rates match their targets at every gain."
RULE = (
    f"On A_cal the events of every layer, setting, rate and spike definition miss the target count by at most "
    f"max(1, {_REL:g} of it), counted in the threshold table, which has a row for each; and every one of these conditions has "
    "events on A_raster. This is exact counting, so nothing is tested and nothing corrected for. On A_raster nothing was fitted: "
    "how far its layers' rates are from their targets is reported beside the verdict and has no part in it."
)


def judge(evidence: RoleEvidence) -> Judged:
    """Return the verdict on C1 in one role."""
    thresholds = evidence.thresholds[Stage.S04]
    frame = thresholds.frame
    ratio = frame["achieved_rate_raster"] / frame["target_layer_rate"]
    numbers = {"held_out_low": plain(ratio.min()), "held_out_high": plain(ratio.max())}
    absent = uncovered(evidence, Stage.S04, grid_rows(evidence.grid))
    excess = (frame["events"] - frame["target_events"]).abs() - (_REL * frame["target_events"]).clip(lower=1)
    missed, silent = int((excess > 0).sum()), _silent(frame)
    unknown = absent + int((excess.isna() | ratio.isna()).sum())
    reason = (
        f"{missed} of {len(frame)} thresholds miss the gate on A_cal and {unknown} lack a number; {silent} conditions are without "
        f"an event on A_raster, where the layers' rates are {ratio.min():.3g} to {ratio.max():.3g} times their targets"
    )
    shown = ("target_events", "events", "achieved_rate", "ties", "target_layer_rate", "achieved_rate_raster")
    places = [each.idxmax() for each in (excess, -ratio, ratio) if each.notna().any()]
    rows = [thresholds.row(place, *shown) for place in dict.fromkeys(places)]
    return Judged.of(reason, rows, numbers, failing=missed + silent, missing=unknown)


def _silent(frame: pd.DataFrame) -> int:
    """Return how many conditions have no event in any layer of A_raster."""
    condition = ["intervention_id", "spike_def_id", "target_rate", "gain"]
    events = frame.groupby(condition)["events_raster"].sum(min_count=1)
    return int((events == 0).sum())
