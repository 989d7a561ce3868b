"""C4: g* and the nulls' verdict do not depend on what counts as an event."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

import pandas as pd

from critnb.canon import CANON, Claim, Criterion, SpikeDef
from critnb.gates import Verdict
from critnb.paper.claims.evidence import plain
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import ClaimRule, Number, RoleVerdict
from critnb.report.words import SPIKE_NAMES, among, spelled

_X1, _X5 = Criterion.X1_NULL_EXPLAINS_BRANCHING, Criterion.X5_DEPENDS_ON_SPIKE_DEF
_OVERLAP, _APART = "opt_spike_def_overlap", "opt_spike_def_sites_apart"

_STATEMENT = "g* and the nulls' verdict agree between the two definitions of an event."
_RULE = (
    "At every target rate falsifier X5 (g* of the two definitions further apart than allowed) has not falsified, and falsifier "
    "X1 (the nulls explain branching) has one and the same verdict under both definitions; all verdicts are those of T08. Where "
    "g* is not identified under both definitions (one of the two confidence sets of gains holds more than g*), its distance could "
    "be chance and X5 counts as not available. A rate at which both "
    f"definitions give the same raster at every gain (T01, {_APART}) is no comparison and is left out. All other rates must hold "
    "(an intersection-union rule): one that fails decides, else one that is not available. Where no rate is left, or one "
    "definition alone was measured, the claim is not available. Nothing else is compared between the definitions."
)


class _Rate(Enum):
    """What comes of one target rate."""

    AGREES = auto()
    DISAGREES = auto()
    UNKNOWN = auto()
    SAME_EVENTS = auto()


def _judge(evidence: RoleEvidence) -> RoleVerdict:
    """Return the verdict on C4 in one role."""
    t01, t08 = evidence.tables[CANON.TABLE.T01_SUMMARY], evidence.tables[CANON.TABLE.T08_SIGNATURES]
    choices = evidence.choices
    asked = t08.frame[t08.frame["criterion_id"].isin([_X1, _X5])]
    rows = (
        *t08.rows(asked, "g", "value", "verdict", "reason"),
        *choices.rows(choices.frame, "gstar", "identified", "at_grid_edge"),
        *(t01.rows(t01.frame, _OVERLAP, _APART) if _APART in t01.frame else ()),
    )
    identified = choices.frame.groupby("target_rate")["identified"].all()
    same = _same_events(t01.frame)
    rates = [
        _Rate.SAME_EVENTS if rate in same else _at_rate(group, known=bool(identified.get(rate, False)))
        for rate, group in asked.groupby("target_rate")
    ]
    shared, apart = (t01.frame.get(name, pd.Series(dtype="float64")) for name in (_OVERLAP, _APART))
    numbers = {
        "rates": len(rates),
        "agree": rates.count(_Rate.AGREES),
        "disagree": rates.count(_Rate.DISAGREES),
        "unknown": rates.count(_Rate.UNKNOWN),
        "same": rates.count(_Rate.SAME_EVENTS),
        "definitions": asked["spike_def_id"].nunique(),
        "overlap_low": plain(shared.min()),
        "overlap_high": plain(shared.max()),
        "apart_low": plain(apart.min()),
        "apart_high": plain(apart.max()),
    }
    nothing = numbers["same"] == len(rates)
    reason = _reason(numbers, [SPIKE_NAMES[SpikeDef(name)] for name in asked["spike_def_id"].unique()])
    return RoleVerdict.of(reason, rows, numbers, failing=numbers["disagree"], missing=numbers["unknown"] or nothing)


def _same_events(t01: pd.DataFrame) -> set[float]:
    """Return the rates at which both definitions have the same counts at every site and gain."""
    if _APART not in t01:
        return set()
    same = t01[_APART].eq(0).groupby(t01["target_rate"]).all()
    return set(same.index[same])


def _reason(numbers: Mapping[str, Number | None], measured: list[str]) -> str:
    n, same = int(numbers["rates"] or 0), int(numbers["same"] or 0)
    if len(measured) < len(SpikeDef):
        return f"only {measured[0]} events were measured" if measured else "no verdict of T08 is there"
    if same == n:
        return "both definitions give the same events at every rate and gain, so there is nothing to compare"
    agree, disagree, unknown = (int(numbers[name] or 0) for name in ("agree", "disagree", "unknown"))
    parts = []
    if disagree == n:
        parts.append(f"g* and the nulls' verdict disagree at {among(n, n, 'rate')}")
    elif agree or disagree:
        parts.append(f"g* and the nulls' verdict agree at {among(agree, n, 'rate')}")
        parts[0] += f" and disagree at {spelled(disagree)}" if disagree else ""
    if unknown:
        unclear = "g* is not identified under both definitions, or a verdict is not available"
        parts.append(f"at {among(n, n, 'rate') if unknown == n else spelled(unknown)} {unclear}")
    if same:
        parts.append(f"at {spelled(same)} both definitions give the same events, so there is nothing to compare")
    if numbers["apart_high"]:
        parts.append(
            f"their events differ at {_ends(numbers['apart_low'], numbers['apart_high'])} sites of a condition"
        )
    return "; ".join(parts)


def _ends(low: Number | None, high: Number | None) -> str:
    return " to ".join(dict.fromkeys(f"{value:.0f}" for value in (low or 0, high or 0)))


def _at_rate(rows: pd.DataFrame, *, known: bool) -> _Rate:
    """Return whether both definitions agree at a rate; ``known`` is whether g* is identified under both."""
    x1 = set(rows.loc[rows["criterion_id"] == _X1, "verdict"])
    x5 = set(rows.loc[rows["criterion_id"] == _X5, "verdict"]) if known else {Verdict.NOT_AVAILABLE}
    if Verdict.FAIL in x5 or {Verdict.PASS, Verdict.FAIL} <= x1:
        return _Rate.DISAGREES
    both = rows["spike_def_id"].nunique() > 1
    agrees = both and x5 == {Verdict.PASS} and Verdict.NOT_AVAILABLE not in x1
    return _Rate.AGREES if agrees else _Rate.UNKNOWN


CLAIM = ClaimRule(Claim.C4_ROBUST_TO_SPIKE_DEF, _STATEMENT, _RULE, _judge)
