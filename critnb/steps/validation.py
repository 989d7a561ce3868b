"""S00: can this model be trusted in this instrument, and does the instrument give the known answers?"""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, SliceRole
from critnb.gates import Gate
from critnb.language import checks
from critnb.report.figures import known_answers as figures
from critnb.report.provenance import Provenance
from critnb.report.style import Drawing, Rendered, save_figure
from critnb.session import StageSession
from critnb.steps.known_answers import KnownAnswers

_PROBE_WINDOWS = 4
_IDENTITY = "identity"
_READING = "u read at the projection"
_LINEARITY = "linearity"
_ATTENTION_LINEARITY = "attention linearity"
_SHOWN_PARAMETER = 0.9


def check_model(stage: StageSession) -> pd.DataFrame:
    """Run the identity check, the reading of u and both linearity checks of every layer, and write their table."""
    tokens = stage.slice(SliceRole.A_cal).tokens[:_PROBE_WINDOWS]
    with stage.step("model checks"):
        identity = checks.identity_deviation(stage.model, tokens)
        reading = checks.unit_reading_deviation(stage.model, tokens)
        branches = {
            _LINEARITY: checks.linearity(stage.model, tokens),
            _ATTENTION_LINEARITY: checks.attention_linearity(stage.model, tokens),
        }
    rows: list[dict[str, object]] = [
        {"check": _IDENTITY, "layer": -1, "deviation": identity, "tolerance": 0.0, "passed": identity == 0.0},
        {
            "check": _READING,
            "layer": -1,
            "deviation": reading,
            "tolerance": CANON.CONST.U_HOOK_MATCH_TOL_ABS,
            "passed": reading <= CANON.CONST.U_HOOK_MATCH_TOL_ABS,
        },
    ]
    rows += [
        {
            "check": name,
            "layer": layer.layer,
            "deviation": layer.deviation,
            "tolerance": layer.tolerance,
            "passed": layer.passed,
        }
        for name, layers in branches.items()
        for layer in layers
    ]
    frame = pd.DataFrame(rows).astype({"layer": "int32", "passed": "bool"})
    stage.save_parquet(CANON.OUTPUT.MODEL_CHECKS_PARQUET_BASENAME, frame)
    return frame


def model_gates(frame: pd.DataFrame) -> list[Gate]:
    """Return one gate a check; of the linearity checks the worst layer is named."""
    conditions = {
        _IDENTITY: "logits with g = 1 hooked in equal the plain logits bit for bit",
        _READING: f"projecting the u read gives the same output within {CANON.CONST.U_HOOK_MATCH_TOL_ABS:g}",
        _LINEARITY: "a gain on one layer moves its block by (g - 1) x contribution, within rounding",
        _ATTENTION_LINEARITY: "the same of attention, with the MLP at gain 0",
    }
    gates = []
    for name, rows in frame.groupby("check", sort=False):
        worst = rows.iloc[int((rows["deviation"] - rows["tolerance"]).argmax())]
        where = "" if worst["layer"] < 0 else f"worst: layer {worst['layer']}"
        gates.append(
            Gate.judge(
                f"model check: {name}",
                passed=bool(rows["passed"].all()),
                value=f"{worst['deviation']:.2g} (tolerance {worst['tolerance']:.2g})",
                condition=conditions[str(name)],
                reason=where,
            )
        )
    return gates


def model_table(stage: StageSession) -> pd.DataFrame:
    """Return what the record says about the model, one row a fact."""
    model = stage.model
    facts = stage.run.record.model or {}
    rows = {
        "model": facts.get("id"),
        "class": facts.get("class"),
        "layers L": model.n_layers,
        "MLP units F of a layer": model.n_units,
        "computed in": facts.get("dtype"),
        "context in tokens": model.context_length,
        "taps from": facts.get("taps"),
        "attention computed by": facts.get("attention"),
        "sha256 of the weights": facts.get("weights_sha256"),
    }
    return pd.DataFrame({"fact": rows.keys(), "value": [str(value) for value in rows.values()]})


def answers_gate(answers: KnownAnswers) -> Gate:
    """Return the gate on the known answers."""
    table = answers.table
    wrong = [f"{row.input}: {row.estimator}" for row in table[~table["passed"]].itertuples()]
    return Gate.judge(
        "known answers",
        passed=not wrong,
        value=f"{len(table) - len(wrong)} of {len(table)}",
        condition="every estimator is within its tolerance",
        reason=f"wrong: {', '.join(wrong)}" if wrong else "",
    )


def save_answers(stage: StageSession, answers: KnownAnswers) -> None:
    """Write the table of known answers."""
    stage.save_parquet(CANON.OUTPUT.KNOWN_ANSWERS_PARQUET_BASENAME, answers.table)


def cluster_numbers(stage: StageSession, answers: KnownAnswers) -> Rendered:
    """Draw and write K01."""
    return _save(stage, CANON.FIGURE.K01_CLUSTER_NUMBERS, figures.cluster_numbers(answers.clusters))


def critical_branching(stage: StageSession, answers: KnownAnswers) -> Rendered:
    """Draw and write K02."""
    return _save(stage, CANON.FIGURE.K02_CRITICAL_BRANCHING, figures.critical_branching(answers.runs))


def subsampling(stage: StageSession, answers: KnownAnswers) -> Rendered:
    """Draw and write K03."""
    return _save(stage, CANON.FIGURE.K03_SUBSAMPLING, figures.subsampling(answers.subsampled, m=_SHOWN_PARAMETER))


def _save(stage: StageSession, name: str, drawing: Drawing) -> Rendered:
    with stage.step(f"figure {name}"):
        return save_figure(stage.run, name, drawing, Provenance.of(stage.run, stage.run.record.model), appendix=True)
