"""Weights and text that are at hand are hashed again; of others a release says that it knows their digest only."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest
import yaml
from made import made

from critnb import data
from critnb.canon import PACK_ROOT, DatasetRole, ModelRole, Stage
from critnb.params import load
from critnb.runs import Run, RunStore
from critnb.verify.chain import roots_of

PYTHON = f"python-{platform.python_version()}"
EMBEDDED = {"models": {"BASE": {"source": "embedded"}}, "data": {"B": {"source": "embedded"}}}


def calibrated(folder: Path, *, config: dict = EMBEDDED, revision: str = PYTHON, **identity: dict) -> Run:
    loaded = load("base.yaml")
    real = {
        "model": data.model_files(loaded, ModelRole.BASE).identity(),
        "data": {"B": data.corpus(loaded, DatasetRole.B).identity()},
    }
    facts = {
        "source": "embedded",
        "revision": revision,
        "split": None,
        "n_windows": 1,
        "seq_len": 2,
        "slice_sha256": "a" * 64,
    }
    return made(
        RunStore(folder / "runs"), Stage.S01, config=yaml.safe_dump(config).encode(), identity={**real, **identity},
        datasets={"B_eval": facts},
    )  # fmt: skip


def told(run: Run, folder: Path = PACK_ROOT) -> dict[str, tuple[str, int]]:
    return {" ".join(root.name.split()[:3]): (root.status, len(root.findings)) for root in roots_of(run, folder)}


def test_what_the_pack_carries_is_hashed_and_made_again(tmp_path):
    assert told(calibrated(tmp_path)) == {"weights of BASE": ("hashed again", 0), "text of B": ("made again", 0)}


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_other_weights_in_the_zip_are_found(file, tmp_path):
    inside = Path("critnb/data/embedded/weights/base")
    shutil.copytree(PACK_ROOT / inside, tmp_path / inside)
    (tmp_path / inside / file).write_bytes((PACK_ROOT / inside / file).read_bytes()[:-1] + b" ")
    run = calibrated(tmp_path)
    (finding,) = next(root.findings for root in roots_of(run, tmp_path) if root.name.startswith("weights"))
    assert finding.startswith(f"{inside.as_posix()}: ")
    assert finding.endswith(f"is not what {run.run_id} was made from")


def test_weights_in_the_zip_that_are_no_safetensors_are_a_finding(tmp_path):
    inside = Path("critnb/data/embedded/weights/base")
    shutil.copytree(PACK_ROOT / inside, tmp_path / inside)
    (tmp_path / inside / "model.safetensors").write_bytes(b"no weights at all")
    root = next(root for root in roots_of(calibrated(tmp_path), tmp_path) if root.name.startswith("weights"))
    assert root.status == "not readable"
    (finding,) = root.findings
    assert finding.startswith(f"{inside.as_posix()}: ")
    assert "is no whole safetensors file" in finding


def test_other_text_than_this_python_carries_is_found(tmp_path):
    run = calibrated(tmp_path, data={"B": {"content_sha256": "7" * 64}})
    assert told(run)["text of B"] == ("made again", 1)


def test_text_of_another_python_cannot_be_made_again(tmp_path):
    run = calibrated(tmp_path, revision="python-3.9.0", data={"B": {"content_sha256": "7" * 64}})
    said, findings = told(run)["text of B"]
    assert said == f"of python-3.9.0, which this {PYTHON} does not carry"
    assert not findings


def test_weights_and_text_of_others_are_known_by_digest(tmp_path):
    config = {"models": {"BASE": {"source": "hub", "id": "x/y"}}, "data": {"B": {"source": "file", "path": "b.txt"}}}
    assert set(told(calibrated(tmp_path, config=config)).values()) == {("known by its digest, not in the zip", 0)}
