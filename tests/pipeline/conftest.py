from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import forks
import pytest
import yaml
from models import save, tiny_llama
from once import once

from critnb.canon import PACK_ROOT
from critnb.cli import stages

# the third is longer than the model's context of 64 tokens
QUESTIONS = [
    ("short", "1+1?", "ABC", ["2", "3", "4"], "A"),
    ("digits", "2*3?", "123", ["6", "5", "é"], "3"),
    ("long", "Which of these numbers is the largest one?", "ABCDE", ["1", "2", "3", "4", "5"], "E"),
    ("tie", "a?", "ABC", ["b", "b", "c"], "B"),
]
TEXT = "The {n}th line of a small corpus, said in its own words: {n} times {n} is {m}.\n"
OTHER_TEXT = "Another text ({n}) that goes on about {m} in another way!\n"


def write_questions(path: Path, questions: list[tuple[str, str, str, list[str], str]]) -> Path:
    """Write questions in the schema of ARC."""
    keys = ("id", "question", "choices", "answerKey")
    rows = [
        (name, text, {"text": choices, "label": list(labels)}, key) for name, text, labels, choices, key in questions
    ]
    path.write_text("".join(json.dumps(dict(zip(keys, row, strict=True))) + "\n" for row in rows))
    return path


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> Path:
    """A folder with a tiny model, a corpus and params that every stage runs on in seconds; all workers share it."""
    return once(tmp_path_factory, "inputs", _write_inputs)


def _write_inputs(folder: Path) -> None:
    save(folder / "model", tiny_llama(n_layers=3, width=16, units=24, context=64))
    (folder / "corpus.txt").write_text("".join(TEXT.format(n=n, m=n * n) for n in range(400)))
    write_questions(folder / "questions.jsonl", QUESTIONS)
    (folder / "other.txt").write_text("".join(OTHER_TEXT.format(n=n, m=n % 7) for n in range(200)))
    params = {
        "models": {"BASE": {"source": "file", "path": "model"}},
        "data": {
            "A": {"source": "file", "path": "corpus.txt"},
            "B": {"source": "file", "path": "other.txt"},
            "ARC_MCQ": {"source": "file", "path": "questions.jsonl"},
        },
        "windows": {"seq_len": 32, "n_calibration": 24, "n_raster": 24, "n_eval_b": 20},
        "events": {"tau0": 1.5, "target_rates": [0.01, 0.02]},
        "gain": {"grid": [0.8, 1.0, 1.2], "interventions": ["MLP_GLOBAL", "ATTN_GLOBAL"]},
        "nulls": {"replicates": 40, "verdict_replicates": 99},
        "knock_outs": {"windows": 2, "directions": 1},
        "analysis": {"bootstrap_reps": 50, "control_rasters": 1},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def runner(*words: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """What runner.py does with these words."""
    return forks.python(PACK_ROOT / "runner.py", *words, timeout=timeout)


@pytest.fixture(autouse=True)
def forked(monkeypatch) -> None:
    """A command that is called in this process gets its kernels from the server that all such commands share."""
    if forks.POSSIBLE:
        monkeypatch.setattr(stages, "_kernels", forks.kernels_of_command)


@pytest.fixture(scope="session")
def run_stages(inputs) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(word: str, runs: Path, *options: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return runner(word, "--params", inputs / "params.yaml", "--runs-dir", runs, *options, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def whole(inputs, tmp_path_factory) -> Path:
    """A runs folder with every stage done once as a user does it, two at a time; all workers share it and change copies."""

    def make(runs: Path) -> None:
        command = [sys.executable, PACK_ROOT / "runner.py", "all", "--jobs", "2", "--runs-dir", runs]
        command += ["--params", inputs / "params.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=PACK_ROOT)
        assert done.returncode == 0, done.stderr

    return once(tmp_path_factory, "whole", make)
