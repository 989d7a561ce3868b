"""C1: event rates match their targets, at every gain, layer, rate and spike definition."""

from __future__ import annotations

from critnb.canon import CANON, Stage
from critnb.report.claims.gather import RoleEvidence
from critnb.report.claims.verdict import Judged

_REL = CANON.CONST.RATE_MATCH_TOL_REL

STATEMENT = "Event rates match their targets at every gain."
RULE = (
    f"On A_cal the events of every layer, setting, rate and spike definition miss the target count by at most "
    f"max(1, {_REL:g} of it), counted in the threshold table; and on A_raster, where nothing was fitted, no layer's rate is "
    "further from its target than rate_match_tol_abs of T01. The first part is exact counting, so nothing is tested and "
    "nothing corrected for; the second is an absolute bound, wide at low rates, and how far held-out rates drift is "
    "reported beside it."
)


def judge(evidence: RoleEvidence) -> Judged:
    """Return the verdict on C1 in one role."""
    thresholds, t01 = evidence.thresholds[Stage.S04], evidence.tables[CANON.TABLE.T01_SUMMARY]
    if thresholds.frame.empty or t01.frame.empty:
        return Judged.missing("no thresholds or no rows of the gain grid")
    target = thresholds.frame["target_events"]
    off = (thresholds.frame["events"] - target).abs()
    excess = off - (_REL * target).clip(lower=1)
    wide = t01.frame["achieved_rate_max_abs_err"] - t01.frame["rate_match_tol_abs"]
    missed, drifted = int((excess > 0).sum()), int((wide > 0).sum())
    rows = (
        thresholds.row(excess.idxmax(), "target_events", "events", "achieved_rate", "ties"),
        t01.row(
            wide.idxmax(),
            "achieved_rate_mean",
            "achieved_rate_max_abs_err",
            "rate_match_tol_abs",
            "opt_achieved_rate_max_rel_err",
        ),
    )
    reason = (
        f"{missed} of {len(excess)} thresholds miss the gate on A_cal; on A_raster {drifted} of {len(wide)} conditions "
        "leave the absolute bound"
    )
    return Judged.of(not missed and not drifted, reason, rows)
