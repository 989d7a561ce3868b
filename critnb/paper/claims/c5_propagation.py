"""C5: putting out the events of a layer takes events of the next layer away, beyond what as many random units take."""

from __future__ import annotations

from collections.abc import Mapping

from critnb.canon import CANON, Claim, Criterion
from critnb.gates import Verdict
from critnb.paper.claims.evidence import plain
from critnb.paper.claims.gather import RoleEvidence
from critnb.paper.claims.verdict import ClaimRule, Number, RoleVerdict
from critnb.report.words import among, spelled

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
    n, hold, fail, unknown, below = (
        int(numbers[name] or 0) for name in ("conditions", "hold", "fail", "unknown", "below")
    )
    if not n:
        return "no knock-out is in T08"
    for_what = f"{why[0]}{', and the like' if len(why) > 1 else ''}" if unknown else ""
    if unknown == n:
        where = "in the one condition it cannot" if n == 1 else f"in {among(0, n, 'condition')} can it"
        return f"{where} be told whether {_WHAT}: {for_what}"
    parts = [f"{_shown(hold, n)} that {_WHAT}{_sigma(numbers)}"]
    if hold and fail:
        parts.append(f"in {'the other ' if hold + fail == n else ''}{spelled(fail)} it is not")
    if below:
        where = "there" if n == 1 else f"in {among(below, n, 'condition') if below == n else spelled(below)}"
        parts.append(f"{where} the interval lies below zero")
    if unknown:
        parts.append(f"in {spelled(unknown)} it is not available: {for_what}")
    return "; ".join(parts)


_WHAT = "knocked-out events take events of the next layer with them, beyond the control"


def _shown(hold: int, n: int) -> str:
    if hold:
        return f"in {among(hold, n, 'condition')} it is shown"
    return "in the one condition it is not shown" if n == 1 else f"in {among(0, n, 'condition')} is it shown"


def _sigma(numbers: Mapping[str, Number | None]) -> str:
    if numbers["sigma_low"] is None or numbers["sigma_high"] is None:
        return ""
    ends = dict.fromkeys(f"{numbers[name]:.3f}".replace("-", "−") for name in ("sigma_low", "sigma_high"))
    return f" (sigma_depth {' to '.join(ends)} an event)"


CLAIM = ClaimRule(Claim.C5_PROPAGATION, _STATEMENT, _RULE, _judge)
