"""``make study``: a params file that cannot be used is refused before the set-up, and the page is shown at the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT, Exit
from critnb.cli.command_line import main
from critnb.system import desktop

MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="no make")


def study(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(MAKE), "--silent", "study", *words]
    return subprocess.run(command, cwd=PACK_ROOT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def done(tmp_path) -> tuple[str, str]:
    """What is set up is no point here: new files stand for it."""
    names = ("PARAMS_READY", "READY")
    for name in names:
        (tmp_path / name).touch()
    params, everything = (f"{name}={tmp_path / name}" for name in names)
    return params, everything


@needs_make
def test_a_study_without_params_or_with_wrong_ones_sets_nothing_up(tmp_path, done):
    venv = f"VENV={tmp_path / 'venv'}"
    none = study(venv)
    assert (none.returncode, none.stderr.splitlines()[0]) == (2, "name a params file: make study PARAMS=mine.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("gain: {gird: [1.0]}")
    ready = tmp_path / "ready"
    wrong = study(f"PARAMS={bad}", done[0], f"READY={ready}", f"BIN={Path(sys.executable).parent}")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[0] == "error: bad.yaml: line 1: gain.gird: unknown key; did you mean grid?"
    assert not (tmp_path / "venv").exists()


@needs_make
@pytest.mark.parametrize(("code", "commands"), [(0, 3), (4, 2), (1, 2)])
def test_a_study_runs_all_and_shows_the_page(tmp_path, done, code, commands):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/log\n[ "$2" != all ] || exit {code}\n')
    python.chmod(0o755)
    ended = study("PARAMS=my own.yaml", *done, f"BIN={tmp_path}")
    assert (ended.returncode == 0) == (commands == 3)
    assert (tmp_path / "log").read_text().splitlines() == [
        "runner.py params my own.yaml",
        "runner.py all --params my own.yaml",
        "runner.py index --open",
    ][:commands]


@pytest.mark.parametrize(("screen", "opened"), [(":0", 1), ("", 0)])
def test_the_page_is_opened_where_somebody_can_see_it(tmp_path, monkeypatch, capsys, screen, opened):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, screen)
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or True)
    assert main(["index", "--open", "--runs-dir", str(tmp_path)]) == Exit.DONE
    page = tmp_path / "index.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert asked == [page.as_uri()] * opened


def test_without_a_browser_nothing_is_wrong(tmp_path, monkeypatch):
    def none(_: str) -> bool:
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(desktop, "has_desktop", lambda: True)
    monkeypatch.setattr(webbrowser, "open", none)
    assert desktop.show(tmp_path) is False
