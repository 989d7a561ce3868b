"""What S00 concludes from the numbers that it stores: verdicts of the model's checks, known answers, and gates. No torch."""

from __future__ import annotations

from functools import cache

import pandas as pd

from critnb.canon import CANON, CriterionKind
from critnb.criticality.control_rates import off_limits
from critnb.errors import IntegrityError
from critnb.gates import Gate
from critnb.pipeline.session import StageSession
from critnb.runs import Run
from critnb.stages.s00_validate.known_answers import KnownAnswers, known_answers
from critnb.stages.shared import token_shares
from critnb.stages.shared.controls import measured, stored_rates

IDENTITY = "identity"
READING = "u read at the projection"
LINEARITY = "linearity"
ATTENTION_LINEARITY = "attention linearity"
_OUT, _CONST = CANON.OUTPUT, CANON.CONST
# checks of the whole model with the deviation allowed; in the other checks each layer has its own, from rounding
_OF_THE_MODEL = {IDENTITY: 0.0, READING: _CONST.U_HOOK_MATCH_TOL_ABS}
_CONDITIONS = {
    IDENTITY: "logits with g = 1 hooked in equal the plain logits bit for bit",
    READING: f"projecting the u read gives the same output within {_CONST.U_HOOK_MATCH_TOL_ABS:g}",
    LINEARITY: "a gain on one layer moves its block by (g - 1) x contribution, within rounding",
    ATTENTION_LINEARITY: "the same of attention, with the MLP at gain 0",
}
_NO_LAYER = -1


def save_checks(stage: StageSession, measured: pd.DataFrame) -> pd.DataFrame:
    """Write and return the checks: of rows (check, layer, deviation, tolerance), whether each passed.

    A check of the whole model has layer -1, and its tolerance is known here.
    """
    tolerance = measured["check"].map(_OF_THE_MODEL).fillna(measured["tolerance"])
    frame = measured.assign(tolerance=tolerance, passed=measured["deviation"] <= tolerance)
    frame = frame.astype({"layer": "int32", "passed": "bool"})
    stage.save_parquet(_OUT.MODEL_CHECKS_PARQUET_BASENAME, frame)
    return frame


def save_answers(stage: StageSession, answers: KnownAnswers) -> None:
    """Write the table of known answers."""
    stage.save_parquet(_OUT.KNOWN_ANSWERS_PARQUET_BASENAME, answers.table)


def retabulate(stage: StageSession, run: Run) -> None:
    """Write again the verdicts of the stored deviations, the known answers, and the rates of the controls' counts.

    Raises IntegrityError where a check or a layer is missing.
    """
    deviations = run.parquet(run.result(_OUT.MODEL_CHECKS_PARQUET_BASENAME))
    layers = range(int((run.record.model or {})["n_layers"]))
    wanted = [(name, n) for name in _CONDITIONS for n in ([_NO_LAYER] if name in _OF_THE_MODEL else layers)]
    if list(zip(deviations["check"], deviations["layer"], strict=True)) != wanted:
        raise IntegrityError(
            f"{_OUT.MODEL_CHECKS_PARQUET_BASENAME} does not hold every check of {len(layers)} layers once"
        )
    save_checks(stage, deviations)
    save_answers(stage, _answers())
    measured.retabulate(stage, run)


@cache
def _answers() -> KnownAnswers:
    # the same for every model, and seconds of work
    return known_answers()


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S00: one per check of the model, what the tokenizer loses, the known answers, and the controls."""
    checks, answers = (
        stage.own.parquet(stage.own.result(name))
        for name in (_OUT.MODEL_CHECKS_PARQUET_BASENAME, _OUT.KNOWN_ANSWERS_PARQUET_BASENAME)
    )
    return [
        *(_check_gate(name, checks[checks["check"] == name]) for name in _CONDITIONS),
        *token_shares.gates(token_shares.load(stage.own)),
        _answers_gate(answers),
        _controls_gate(stored_rates.load(stage.own)),
    ]


def _check_gate(name: str, rows: pd.DataFrame) -> Gate:
    """Return the gate of one check; of the linearity checks the worst layer is named."""
    worst = rows.iloc[int((rows["deviation"] - rows["tolerance"]).argmax())]
    return Gate.judge(
        f"model check: {name}",
        passed=bool((rows["deviation"] <= rows["tolerance"]).all()),
        value=f"{worst['deviation']:.2g} (tolerance {worst['tolerance']:.2g})",
        condition=_CONDITIONS[name],
        reason="" if worst["layer"] == _NO_LAYER else f"worst: layer {worst['layer']}",
    )


def _answers_gate(table: pd.DataFrame) -> Gate:
    off = (table["found"] - table["known answer"]).abs()
    wrong = [f"{row.input}: {row.estimator}" for row in table[~(off <= table["tolerance"])].itertuples()]
    return Gate.judge(
        "known answers",
        passed=not wrong,
        value=f"{len(table) - len(wrong)} of {len(table)}",
        condition="every estimator is within its tolerance",
        reason=f"wrong: {', '.join(wrong)}" if wrong else "",
    )


def _controls_gate(rates: pd.DataFrame) -> Gate:
    """Return the gate that what is called a signature does not pass where nothing propagates, and does where it does."""
    found = rates[(rates["kind"] == str(CriterionKind.SIGNATURE)) & rates["rate"].notna()]
    off = off_limits(rates)
    missing = rates.loc[rates["kind"] == str(CriterionKind.SIGNATURE), "reason"]
    return Gate.judge(
        "controls",
        passed=not off if len(found) else None,
        value=f"{len(found) - len(off)} of {len(found)} rates" if len(found) else None,
        condition=f"signatures pass on at most {_CONST.CONTROL_FALSE_ALARM_MAX:.0%} of the rasters of every negative control and "
        f"on at least {_CONST.CONTROL_DETECTION_MIN:.0%} of every positive one, within the rate's 95 % interval",
        reason="; ".join(off) if off or len(found) else "; ".join(dict.fromkeys(missing)),
    )
