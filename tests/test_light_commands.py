"""Commands that compute nothing import nothing of what computes, draws or runs notebooks: that is what one would wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *("torch", "transformers", "tokenizers", "datasets", "numba", "scipy", "pandas", "pyarrow", "matplotlib"),
    *(
        "papermill",
        "nbformat",
        "nbconvert",
        "nbclient",
        "jupyter_client",
        "IPython",
        "zmq",
        "jsonschema",
        "jinja2",
        "tqdm",
    ),
}


def loaded_by(*words: str) -> set[str]:
    """The top-level packages that a command has imported when it is done."""
    code = (
        "import sys\nfrom critnb.cli.command_line import main\n"
        f"try:\n    code = main({list(words)})\nexcept SystemExit as end:\n    code = end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["all", "--help"], ["schema"], ["params", "base.yaml"]])
def test_words_about_commands_and_params_import_no_library_of_numbers(words):
    assert not loaded_by(*words) & {*HEAVY, "numpy", "safetensors"}


def test_a_plan_imports_nothing_that_computes_draws_or_runs(tmp_path):
    # numpy comes with what reads the names of a model's tensors
    found = loaded_by("all", "--dry-run", "--runs-dir", str(tmp_path))
    assert not found & HEAVY
    assert "safetensors" in found


def test_a_list_of_runs_needs_no_library_of_numbers(tmp_path):
    code = (
        "import sys\nfrom critnb.runs import RunStore\nfrom pathlib import Path\n"
        f"RunStore(Path({str(tmp_path)!r})).entries()\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*HEAVY, "numpy", "safetensors"}
