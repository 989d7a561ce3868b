"""C5: putting out the events of a layer takes events of the next layer away, beyond what as many random units take."""

from __future__ import annotations

from collections.abc import Mapping

from critnb.canon import CANON, Claim, Criterion
from critnb.gates import Verdict
from critnb.paper.claims.evidence import plain
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import ClaimRule, Number, RoleVerdict
from critnb.report.words import counted

_S6 = Criterion.S6_KNOCK_OUT
_SHOWN = ("g", "events_out", "sigma_depth", "sigma_depth_ci_low", "sigma_depth_ci_high", "causal_share")

_STATEMENT = "Putting out a layer's events takes events of the next layer away, beyond the control."
_RULE = (
    "For every spike definition and rate, at g*, signature S6 passes (T08): the 95 % interval of sigma_depth, events of the next "
    "layer lost minus new for each event put out, minus what as many random units do, lies above zero, and its p, adjusted by "
    "Holm, is below the level. All must hold (an intersection-union test); one that fails decides, else one that is not "
    "available. The rule "
    "asks whether there is propagation from a layer to the next, not how much: what a sigma_depth below one sets off dies out, and "
    "nothing here is a claim on criticality."
)


def _judge(evidence: RoleEvidence) -> RoleVerdict:
    """Return the verdict on C5 in one role."""
    t08, t10 = (evidence.tables[name] for name in (CANON.TABLE.T08_SIGNATURES, CANON.TABLE.T10_KNOCKOUTS))
    found = t08.where(criterion_id=_S6)
    numbers: dict[str, Number | None] = {
        "conditions": len(found),
        **{name: int((found["verdict"] == verdict).sum()) for name, verdict in _VERDICTS.items()},
        "sigma_low": plain(found["value"].min()),
        "sigma_high": plain(found["value"].max()),
        "ci_low": plain(found["ci_low"].min()),
        "ci_high": plain(found["ci_high"].max()),
        "below": int((found["ci_high"] < 0).sum()),
    }
    rows = (*t08.rows(found, "g", "value", "ci_low", "ci_high", "verdict", "reason"), *t10.rows(t10.frame, *_SHOWN))
    why = list(dict.fromkeys(found.loc[found["verdict"] == Verdict.NOT_AVAILABLE, "reason"]))
    failing, missing = (bool(numbers[name]) for name in ("fail", "unknown"))
    return RoleVerdict.of(_reason(numbers, why), rows, numbers, failing=failing, missing=missing or found.empty)


_VERDICTS = {"hold": Verdict.PASS, "fail": Verdict.FAIL, "unknown": Verdict.NOT_AVAILABLE}


def _reason(numbers: Mapping[str, Number | None], why: list[str]) -> str:
    if not numbers["conditions"]:
        return "no knock-out is in T08"
    parts = [
        f"in {numbers['hold']} of {counted(int(numbers['conditions']), 'condition')} it is shown that knocked-out "
        "events take events of the next layer with them, beyond the control"
    ]
    if numbers["sigma_low"] is not None and numbers["sigma_high"] is not None:
        low, high = (f"{numbers[name]:.3f}".replace("-", "−") for name in ("sigma_low", "sigma_high"))
        parts[0] += f" (sigma_depth {low} to {high} an event)"
    if numbers["fail"]:
        below = f" (the interval lies below zero in {numbers['below']})" if numbers["below"] else ""
        parts.append(f"in {numbers['fail']} it is not shown{below}")
    if numbers["unknown"]:
        more = ", and the like" if len(why) > 1 else ""
        parts.append(f"in {numbers['unknown']} it is not available: {why[0]}{more}")
    return "; ".join(parts)


CLAIM = ClaimRule(Claim.C5_PROPAGATION, _STATEMENT, _RULE, _judge)
