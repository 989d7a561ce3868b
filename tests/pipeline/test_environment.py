"""A result follows from params, code and input alone: not from what else a user has set up."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from pipeline.test_pipeline import timeless

from critnb.canon import CANON, PACK_ROOT, Exit, Stage
from critnb.contract import spec_of
from critnb.runs import RunStore

MATPLOTLIBRC = "text.usetex: True\nfont.family: fantasy\naxes.facecolor: black\naxes.xmargin: 0.4\nlines.linewidth: 9\n"
STARTUP = """
import numpy, pandas
numpy.set_printoptions(precision=1)
numpy.seterr(all="raise")
pandas.options.display.precision = 1
pandas.options.future.infer_string = False
print("hello from my startup file")
"""
CONFIG = "c.InteractiveShellApp.exec_lines = ['import torch; torch.set_default_dtype(torch.float64)']\n"
TEMPLATE = "{%- block body -%}MY OWN TEMPLATE{%- endblock body -%}"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def of_a_user(home: Path) -> dict[str, str]:
    """The environment of somebody who has set up everything that can be."""
    profile = home / ".ipython" / "profile_default"
    write(profile / "startup" / "00.py", STARTUP)
    write(profile / "ipython_config.py", CONFIG)
    write(profile / "ipython_kernel_config.py", CONFIG)
    write(home / ".jupyter" / "jupyter_config.py", "raise SystemExit('read')\n")
    for folder in (home / ".local/share/jupyter/nbconvert/templates/classic", home / "classic"):
        write(folder / "base.html.j2", TEMPLATE)
        write(folder / "index.html.j2", TEMPLATE)
    write(home / "modules" / "critnb" / "__init__.py", "raise SystemExit('another critnb')\n")
    return {
        "HOME": str(home),
        "MATPLOTLIBRC": str(write(home / "matplotlibrc", MATPLOTLIBRC)),
        "MPLBACKEND": "module://no_such_backend",
        "MPLCONFIGDIR": "/proc/nowhere",
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_PATH": str(home / ".local/share/jupyter"),
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "nowhere",
        "PYTHONSTARTUP": str(write(home / "startup.py", STARTUP)),
        "PYTHONPATH": os.pathsep.join(["modules", "."]),
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "de_DE.ISO-8859-1",
        "LANG": "de_DE",
        "TZ": "Asia/Kathmandu",
        "COLUMNS": "20",
        "FORCE_COLOR": "1",
        "TORCH_LOGS": "+all",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "TRANSFORMERS_VERBOSITY": "debug",
        "HF_DEBUG": "1",
    }


def digests(runs: Path, stage: Stage) -> dict[str, str]:
    (run,) = RunStore(runs).runs(stage)
    log = f"{CANON.RUN_SUBDIR.LOGS}/{CANON.OUTPUT.EVENTS_JSONL_BASENAME}"
    return {path: hashlib.sha256(timeless(run.path / path)).hexdigest() for path in run.artifacts if path != log}


def test_nothing_of_a_users_settings_reaches_a_run(inputs, whole, tmp_path):
    """S00 has all kinds of output: results of a model, figures, and a notebook with tables."""
    environment = {**os.environ, **of_a_user(tmp_path / "home")}
    command = [sys.executable, str(PACK_ROOT / "runner.py"), spec_of(Stage.S00).command]
    options = ["--params", str(inputs / "params.yaml"), "--runs-dir", str(tmp_path / "runs"), "-q"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path / "home", env=environment, umask=0o077, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    theirs, ours = digests(tmp_path / "runs", Stage.S00), digests(whole, Stage.S00)
    assert {Path(path).suffix for path in ours} >= {".parquet", ".pdf", ".png", ".ipynb", ".html"}
    assert [path for path in ours if theirs[path] != ours[path]] == []
    assert theirs.keys() == ours.keys()
