"""S00: can this model be trusted in this instrument, and does the instrument give the known answers?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.canon import CANON, Adjacency, SliceRole
from critnb.criticality.avalanches import find_avalanches
from critnb.criticality.branching import branching_sums
from critnb.criticality.synthetic import bernoulli, toy_raster
from critnb.language import checks
from critnb.report.gates import Gate
from critnb.session import StageSession

_PROBE_WINDOWS = 4


def check_model(stage: StageSession) -> pd.DataFrame:
    """Run the identity check, the reading of u and the linearity check of every layer, and write their table."""
    tokens = stage.slice(SliceRole.A_cal).tokens[:_PROBE_WINDOWS]
    with stage.step("model checks"):
        identity = checks.identity_deviation(stage.model, tokens)
        reading = checks.unit_reading_deviation(stage.model, tokens)
        layers = checks.linearity(stage.model, tokens)
    rows: list[dict[str, object]] = [
        {"check": "identity", "layer": -1, "deviation": identity, "tolerance": 0.0, "passed": identity == 0.0},
        {
            "check": "u read at the projection",
            "layer": -1,
            "deviation": reading,
            "tolerance": CANON.CONST.U_HOOK_MATCH_TOL_ABS,
            "passed": reading <= CANON.CONST.U_HOOK_MATCH_TOL_ABS,
        },
    ]
    rows += [
        {
            "check": "linearity",
            "layer": layer.layer,
            "deviation": layer.deviation,
            "tolerance": layer.tolerance,
            "passed": layer.passed,
        }
        for layer in layers
    ]
    frame = pd.DataFrame(rows).astype({"layer": "int32", "passed": "bool"})
    stage.save_parquet(CANON.OUTPUT.MODEL_CHECKS_PARQUET_BASENAME, frame)
    return frame


def model_gates(frame: pd.DataFrame) -> list[Gate]:
    """Return one gate a check; of the linearity check the worst layer is named."""
    conditions = {
        "identity": "logits with g = 1 hooked in equal the plain logits bit for bit",
        "u read at the projection": f"projecting the u read gives the same output within {CANON.CONST.U_HOOK_MATCH_TOL_ABS:g}",
        "linearity": "a gain on one layer moves its block by (g - 1) x contribution, within rounding",
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


def known_answers() -> pd.DataFrame:
    """Return what the estimators give on inputs whose answer is known, beside that answer."""
    raster = toy_raster()
    toy = branching_sums(raster.counts[0]).pooled()
    component = find_avalanches(raster.counts[0], raster.seq_id, Adjacency.ADJ_4N).to_frame(0)
    rows = [
        ("toy raster: b_time", float(toy.b_time), 1 / 3, 1e-12),
        ("toy raster: b_depth", float(toy.b_depth), 1 / 2, 1e-12),
        ("toy raster: components", float(len(component)), 1.0, 0.0),
        ("toy raster: span in tokens", float(component["span_tokens"].iloc[0]), 2.0, 0.0),
        ("toy raster: span in layers", float(component["span_layers"].iloc[0]), 2.0, 0.0),
    ]
    for density in (0.05, 0.3):
        found = branching_sums(bernoulli(density, (200, 12, 128), seed=1337)).pooled()
        error = 4 * np.sqrt(density * (1 - density) / (density * 200 * 11 * 128))
        rows.append((f"independent sites of density {density:g}: b_time", float(found.b_time), density, float(error)))
        rows.append((f"independent sites of density {density:g}: b_depth", float(found.b_depth), density, float(error)))
    frame = pd.DataFrame(rows, columns=["input and estimator", "found", "known answer", "tolerance"])
    return frame.assign(passed=(frame["found"] - frame["known answer"]).abs() <= frame["tolerance"])


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
        "sha256 of the weights": facts.get("weights_sha256"),
    }
    return pd.DataFrame({"fact": rows.keys(), "value": [str(value) for value in rows.values()]})


def answers_gate(answers: pd.DataFrame) -> Gate:
    """Return the gate on the known answers."""
    wrong = answers.loc[~answers["passed"], "input and estimator"]
    return Gate.judge(
        "known answers",
        passed=wrong.empty,
        value=f"{len(answers) - len(wrong)} of {len(answers)}",
        condition="every estimator is within its tolerance",
        reason="" if wrong.empty else f"wrong: {', '.join(wrong)}",
    )
