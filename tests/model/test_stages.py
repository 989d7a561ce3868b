"""Architectures of other forms than Llama through the real runner, one of them found by the search."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import yaml
from models import save, tiny, untrained_doge

from critnb.canon import CANON, Exit, Intervention, Stage
from critnb.cli.command_line import main
from critnb.runs import RunStore

pytestmark = pytest.mark.slow

TEXT = "The {n}th line of a small corpus, said in its own words: {n} times {n} is {m}.\n"


@pytest.fixture
def run(tmp_path):
    """Run a command on a model; returns the runs."""

    def begin(model: torch.nn.Module, command: str) -> RunStore:
        save(tmp_path / "model", model)
        (tmp_path / "corpus.txt").write_text("".join(TEXT.format(n=n, m=n * n) for n in range(300)))
        params = {
            "models": {"BASE": {"source": "file", "path": "model"}},
            "data": {"A": {"source": "file", "path": "corpus.txt"}},
            "windows": {"seq_len": 32, "n_calibration": 12, "n_raster": 8},
            "events": {"tau0": 1.5, "target_rates": [0.02]},
            "gain": {"grid": [0.8, 1.0], "interventions": ["MLP_GLOBAL", "ATTN_GLOBAL"]},
            "analysis": {"control_rasters": 0},
        }
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        options = ("--params", str(tmp_path / "params.yaml"), "--runs-dir", str(tmp_path / "runs"), "-q")
        assert main([command, *options]) == Exit.DONE
        return RunStore(tmp_path / "runs")

    return begin


def test_from_calibration_to_rasters(run):
    (extracted,) = run(tiny("gemma2"), "phase3").runs(Stage.S03)
    counts = extracted.npz(extracted.result(CANON.OUTPUT.RASTER_NPZ_BASENAME))["A"]
    conditions = extracted.parquet(extracted.result(CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME))
    assert counts.shape[1:] == (8, 3, 32)
    assert (counts.sum(axis=(1, 2, 3), dtype=np.int64) > 0).all()
    assert set(conditions["intervention_id"]) == {Intervention.MLP_GLOBAL, Intervention.ATTN_GLOBAL}


@pytest.mark.parametrize(("name", "source"), [("bloom", "row"), ("doge", "discovery")])
def test_the_model_checks_of_s00(run, name, source):
    (checked,) = run(untrained_doge() if name == "doge" else tiny(name), "phase0").runs(Stage.S00)
    table = checked.parquet(checked.result(CANON.OUTPUT.MODEL_CHECKS_PARQUET_BASENAME))
    assert table["passed"].all()
    assert (table["check"] == "linearity").sum() == 3
    record = json.loads((checked.path / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    assert record["model"]["taps"] == source
