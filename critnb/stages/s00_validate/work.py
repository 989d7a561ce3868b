"""S00: can this model be trusted in this instrument, and does the instrument give the known answers?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, SliceRole
from critnb.model import checks
from critnb.model.blocks import LayerLinearity
from critnb.model.forward import ForwardPasses
from critnb.pipeline.session import StageSession
from critnb.report.figures import known_answers as figures
from critnb.report.provenance import Provenance
from critnb.report.style import Drawing, Rendered, save_figure
from critnb.stages.s00_validate import tables
from critnb.stages.s00_validate.known_answers import KnownAnswers, from_arrays, known_answers, to_arrays

_PROBE_WINDOWS = 4
_SHOWN_PARAMETER = 0.9


def check_model(stage: StageSession) -> pd.DataFrame:
    """Run the identity check, the reading of u and both linearity checks of every layer, and write their table."""
    tokens = stage.slice(SliceRole.A_cal).tokens[:_PROBE_WINDOWS]
    with stage.step("model checks"):
        (found,) = stage.engine.iter_passes(ModelChecks(tokens), [None], passes=stage.forward_passes())
    deviations, branches = found
    rows: list[dict[str, object]] = [
        {"check": name, "layer": -1, "deviation": deviation, "tolerance": np.nan}
        for name, deviation in deviations.items()
    ]
    rows += [
        {"check": name, "layer": layer.layer, "deviation": layer.deviation, "tolerance": layer.tolerance}
        for name, layers in branches.items()
        for layer in layers
    ]
    return tables.save_checks(stage, pd.DataFrame(rows))


@dataclass(frozen=True, eq=False)
class ModelChecks:
    """The checks of a model on ``tokens`` [N, T], by name: one deviation each of the first, those of every layer of the others."""

    tokens: NDArray[np.int64]

    def __call__(
        self, passes: ForwardPasses, _shard: object
    ) -> tuple[dict[str, float], dict[str, list[LayerLinearity]]]:
        """Return what the checks of the passes' model find."""
        model = passes.model
        deviations = {
            tables.IDENTITY: checks.identity_deviation(model, self.tokens),
            tables.READING: checks.unit_reading_deviation(model, self.tokens),
        }
        branches = {
            tables.LINEARITY: checks.linearity(model, self.tokens),
            tables.ATTENTION_LINEARITY: checks.attention_linearity(model, self.tokens),
        }
        return deviations, branches


def answers(stage: StageSession) -> KnownAnswers:
    """Return the known answers and write their table; nothing in them is the model's, so the runs of a folder share them."""
    found = from_arrays(stage.shared("known_answers", lambda: to_arrays(known_answers())))
    tables.save_answers(stage, found)
    return found


def model_table(stage: StageSession) -> pd.DataFrame:
    """Return what the record says about the model, one row per fact."""
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
