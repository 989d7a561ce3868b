"""``import critnb`` costs next to nothing, every public name is there, and only what runs a model loads torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import critnb
from critnb.canon import PACK_ROOT

HEAVY = ("torch", "transformers", "matplotlib", "datasets", "IPython", "papermill")


def loaded_by(code: str) -> set[str]:
    lines = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_library_imports_nothing_but_itself():
    found = loaded_by("import critnb")
    assert {name for name in found if name.partition(".")[0] == "critnb"} == {"critnb"}
    assert not found & {*HEAVY, "numpy", "pandas", "pydantic", "yaml"}


@pytest.mark.parametrize(
    "code",
    [
        "critnb.branching(x); critnb.exponents(x); critnb.multistep(x); critnb.tail(critnb.avalanches(x))",
        "critnb.extract_activations(numpy.random.default_rng(0).normal(size=(3, 50, 2, 40)), target_rate=0.05, tau0=1.0)",
        "critnb.open_run, critnb.Calibration, critnb.load_model, critnb.calibrate, critnb.extract",
    ],
)
def test_arrays_and_runs_need_no_torch(code):
    found = loaded_by(f"import critnb, numpy\nx = numpy.eye(4, 9, dtype=int)\n{code}")
    assert not found & set(HEAVY)


def test_every_public_name_is_there_and_says_what_it_does():
    assert set(critnb.__all__) == set(critnb._HOMES) <= set(dir(critnb))
    for name in critnb.__all__:
        assert getattr(critnb, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        critnb.no_such  # noqa: B018 (the access is what is tested)


def test_what_a_type_checker_reads_is_what_is_imported():
    tree = ast.parse(Path(critnb.__file__).read_text(encoding="utf-8"))
    declared = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("critnb")
        for alias in node.names
    }
    assert declared == critnb._HOMES


@pytest.mark.slow
def test_the_readme_s_snippet_runs_as_it_stands():
    section = (PACK_ROOT / "README.md").read_text(encoding="utf-8").partition("\n## As a library\n")[2]
    snippet = re.findall(r"^```python\n(.*?)^```$", section.partition("\n## ")[0], flags=re.DOTALL | re.MULTILINE)
    assert len(snippet) == 1
    done = subprocess.run(
        [sys.executable, "-"], input=snippet[0], cwd=PACK_ROOT, capture_output=True, text=True, check=True
    )
    assert "b_tot_shift" in done.stdout
    assert "MLP_GLOBAL gain 1.2" in done.stdout
