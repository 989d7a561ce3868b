"""C2: the branching ratio of rasters varies with the gain, beyond what the nulls vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Claim, Criterion, GCondition, Intervention
from critnb.gates import Verdict
from critnb.lattice import ALL_NULLS
from critnb.paper.claims.evidence import Row, Sourced, plain
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import ClaimRule, Number, RoleVerdict
from critnb.report.schema.columns import BRANCHING_REASON
from critnb.report.words import agreeing, among, spelled

_CLOSE = CANON.CONST.BRANCHING_PROXIMITY_MAX
_BASELINE = CANON.CONST.GAIN_BASELINE
_KEY = ["spike_def_id", "target_rate"]
_PAIRED = "opt_delta_b_tot_vs_g1"
_X1 = Criterion.X1_NULL_EXPLAINS_BRANCHING

_STATEMENT = "The branching ratio b_tot varies with the gain beyond its nulls."
_RULE = (
    f"For every spike definition and rate whose g* is not g1: at g*, b_tot exceeds {ALL_NULLS}, as falsifier X1 asks "
    "(T08: it has not falsified, at the p adjusted by Holm), and the paired 95 % interval of delta_b_tot(g*) - delta_b_tot(g1) on "
    "A_raster leaves out zero (T06, g* on all MLPs). An excess scales with the density: thinning events "
    "at random shrinks delta_b_tot. Held-out rates are not matched, so a change of density is part of the contrast; the change "
    "of occupancy is shown beside it. One contrast per condition, fixed before A_raster was looked at; all must hold (an "
    "intersection-union test), which keeps the level without a correction. One that fails decides; else one that lacks a number "
    "makes the claim not available, as does having no contrast. The direction is not part of the rule and is counted. It is a "
    "claim on the statistics of rasters, not on propagation."
)


def _judge(evidence: RoleEvidence) -> RoleVerdict:
    """Return the verdict on C2 in one role."""
    t01, t06 = evidence.tables[CANON.TABLE.T01_SUMMARY], evidence.tables[CANON.TABLE.T06_ABLATIONS]
    t08 = evidence.tables[CANON.TABLE.T08_SIGNATURES]
    chosen = t06.where(g_condition=GCondition.gstar, intervention_id=Intervention.MLP_GLOBAL)
    found = _contrasts(t08, t06, chosen)
    holds, fails = found["beyond"].eq(1) & found["varies"].eq(1), found["beyond"].eq(0) | found["varies"].eq(0)
    unknown = int((~holds & ~fails).sum())
    rises = found[_PAIRED] * (found["g"] - _BASELINE) > 0
    numbers = {
        "contrasts": len(found),
        "hold": int(holds.sum()),
        "unknown": unknown,
        "rise": int((holds & rises).sum()),
        "fall": int((holds & ~rises).sum()),
        "occupancy_low": plain(found["occupancy"].min()),
        "occupancy_high": plain(found["occupancy"].max()),
        "near_one_at_g1": _near_one(t01.where(opt_is_g1=True)),
    }
    rows = (*_shown(t06, found), *_beyond(t08))
    reason = _reason(numbers, found[~holds & ~fails], failing=int(fails.sum()), without=len(chosen) - len(found))
    return RoleVerdict.of(reason, rows, numbers, failing=int(fails.sum()), missing=unknown or found.empty)


def _reason(numbers: Mapping[str, Number | None], lacking: pd.DataFrame, *, failing: int, without: int) -> str:
    n, hold = int(numbers["contrasts"] or 0), int(numbers["hold"] or 0)
    if not n:
        what = f"g* is g1 in {among(without, without, 'condition')}" if without else "no g* was chosen"
        return f"{what}, so there is no gain to compare with the unchanged model"
    parts = []
    if hold or failing:
        change = "change beyond their nulls" if hold > 1 else "changes beyond its nulls"
        none = "the one condition whose g* is not g1 does not change beyond its nulls"
        parts = [f"{among(hold, n, _WITH_CONTRAST, _WITH_CONTRASTS)} {change}" if hold or n > 1 else none]
        parts[0] += _ways(hold, int(numbers["rise"] or 0))
        if hold > 0 and failing:
            parts.append(
                f"{'the other ' if failing + hold == n else ''}{spelled(failing)} {agreeing(failing, 'does', 'do')} not"
            )
    if len(lacking):
        why = " or ".join(dict.fromkeys(filter(None, lacking["why"])))
        lacks = agreeing(len(lacking), "lacks", "lack")
        which = spelled(len(lacking)) if parts else among(n, n, _WITH_CONTRAST, _WITH_CONTRASTS)
        lacks = f"{which} {lacks} an interval or a null"
        parts.append(f"{lacks}: {why}" if why else lacks)
    if without:
        parts.append(f"in {spelled(without)} g* is g1, which leaves nothing to compare")
    return "; ".join(parts)


_WITH_CONTRAST, _WITH_CONTRASTS = "condition whose g* is not g1", "conditions whose g* is not g1"


def _ways(hold: int, rise: int) -> str:
    """Say in which direction delta_b_tot goes with the gain where it changes."""
    if not hold:
        return ""
    if rise in (0, hold):
        every = "" if hold == 1 else " in both" if hold == 2 else f" in all {spelled(hold)}"
        return f": delta_b_tot {'rises' if rise else 'falls'} with the gain{every}"
    return f": with the gain delta_b_tot rises in {spelled(rise)} and falls in {spelled(hold - rise)}"


def _contrasts(t08: Sourced, t06: Sourced, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of T06 whose g* is not g1 with each clause as 1, 0 or NaN, and the occupancy minus that at g1."""
    found = chosen[chosen["g"] != _BASELINE]
    low, high = found[f"{_PAIRED}_ci_low"], found[f"{_PAIRED}_ci_high"]
    by_condition = found.set_index(_KEY).index
    x1 = t08.where(criterion_id=_X1).set_index(_KEY)[["verdict", "reason"]].reindex(by_condition)
    baseline = t06.where(g_condition=GCondition.g1).set_index(_KEY)["opt_occupancy"].reindex(by_condition)
    return found.assign(
        varies=((low > 0) | (high < 0)).astype(float).where(low.notna() & high.notna()),
        beyond=x1["verdict"].map({Verdict.PASS: 1.0, Verdict.FAIL: 0.0}).to_numpy(dtype=float),
        why=x1["reason"].where(x1["verdict"] == Verdict.NOT_AVAILABLE, _reasons(found)).to_numpy(),
        occupancy=found["opt_occupancy"] - baseline.to_numpy(),
    )


def _reasons(found: pd.DataFrame) -> NDArray[Any]:
    """Return why branching is not available in rows of T06, empty where it is."""
    return found.get(BRANCHING_REASON.name, pd.Series("", index=found.index)).to_numpy()


def _near_one(rows: pd.DataFrame) -> int:
    """Return in how many rows b_tot is as close to one as S1 asks."""
    return int(((rows["b_tot"] - 1).abs() <= _CLOSE).sum())


def _shown(t06: Sourced, contrasts: pd.DataFrame) -> tuple[Row, ...]:
    cells = ("g", "opt_occupancy", "delta_b_tot", _PAIRED, f"{_PAIRED}_ci_low", f"{_PAIRED}_ci_high")
    baseline = t06.where(g_condition=GCondition.g1)
    return (*t06.rows(contrasts, *cells), *t06.rows(baseline, "g", "opt_occupancy", "delta_b_tot"))


def _beyond(t08: Sourced) -> tuple[Row, ...]:
    cells = ("g", "value", "ci_low", "ci_high", "opt_p", "opt_p_holm", "verdict", "reason")
    return t08.rows(t08.where(criterion_id=_X1), *cells)


CLAIM = ClaimRule(Claim.C2_BRANCHING_VARIES, _STATEMENT, _RULE, _judge)
