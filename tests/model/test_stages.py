"""Architectures of other forms than Llama in the stages' own notebooks, one of them found by the search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from kernel import run_here
from models import save, tiny, untrained_doge

import critnb
from critnb.canon import CANON, Intervention, Stage
from critnb.runs import RunStore
from critnb.stages.s00_validate.work import check_model

pytestmark = pytest.mark.slow

TEXT = "The {n}th line of a small corpus, said in its own words: {n} times {n} is {m}.\n"


def inputs(folder: Path, model: torch.nn.Module) -> Path:
    """Params that ask for little of a model."""
    save(folder / "model", model)
    (folder / "corpus.txt").write_text("".join(TEXT.format(n=n, m=n * n) for n in range(300)))
    params = {
        "models": {"BASE": {"source": "file", "path": "model"}},
        "data": {"A": {"source": "file", "path": "corpus.txt"}},
        "windows": {"seq_len": 32, "n_calibration": 12, "n_raster": 8},
        "events": {"tau0": 1.5, "target_rates": [0.02]},
        "gain": {"grid": [0.8, 1.0], "interventions": ["MLP_GLOBAL", "ATTN_GLOBAL"]},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder / "params.yaml"


def test_from_calibration_to_rasters(tmp_path):
    params, runs = inputs(tmp_path, tiny("gemma2")), tmp_path / "runs"
    for stage in (Stage.S01, Stage.S02, Stage.S02B, Stage.S03):
        run_here(stage, params, runs)
    (extracted,) = RunStore(runs).runs(Stage.S03)
    counts = extracted.npz(extracted.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))["A"]
    conditions = extracted.parquet(extracted.result(CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    assert counts.shape[1:] == (8, 3, 32)
    assert (counts.sum(axis=(1, 2, 3), dtype=np.int64) > 0).all()
    assert set(conditions["intervention_id"]) == {Intervention.MLP_GLOBAL, Intervention.ATTN_GLOBAL}


@pytest.mark.parametrize(("name", "source"), [("bloom", "row"), ("doge", "discovery")])
def test_the_model_checks_of_s00(tmp_path, name, source):
    params = inputs(tmp_path, untrained_doge() if name == "doge" else tiny(name))
    stage = critnb.begin(Stage.S00, params=str(params), overrides={"runs_dir": str(tmp_path / "runs")})
    table = check_model(stage)
    assert table["passed"].all()
    assert (table["check"] == "linearity").sum() == 3
    assert stage.run.record.model["taps"] == source
