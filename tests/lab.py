"""A real JupyterLab in a real headless Chromium, for tests of what somebody sees who runs a notebook by hand.

    with lab(tmp_path, notebooks=folder) as server, server.opened("explore.ipynb") as notebook:
        notebook.run_all()
        assert notebook.errors() == []
        notebook.page.get_by_text("...").click()

The server gets configuration, data and runtime folders of its own below ``home`` and a kernel that is this very
interpreter with this very pack, so that nothing of the user's own Jupyter takes part.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, REASON

from critnb.canon import PACK_ROOT

WIDTH, HEIGHT = 1500, 1100
_MISSING = [name for name in ("jupyterlab", "playwright") if importlib.util.find_spec(name) is None]
needs_lab = pytest.mark.skipif(
    CHROMIUM is None or bool(_MISSING), reason=REASON if CHROMIUM is None else f"not installed: {', '.join(_MISSING)}"
)

_START_SECONDS = 90.0
_ATTEMPTS = 3
_KERNEL = "python3"
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    # every cell is in the page, not only those on the screen, and nothing asks the network or the user anything
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
_CHROMIUM_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class LabError(AssertionError):
    """JupyterLab did not do what every JupyterLab does; the message has the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running JupyterLab; ``notebooks`` is the folder that it shows, ``log`` what it printed."""

    url: str
    token: str
    notebooks: Path
    log: Path

    @contextmanager
    def opened(self, path: str, *, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Notebook]:
        """Open a notebook of the folder in a fresh browser and wait until its kernel is idle."""
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_CHROMIUM_FLAGS))
            try:
                page = browser.new_page(viewport={"width": width, "height": height})
                console: list[str] = []
                page.on("console", lambda line: console.append(line.text) if line.type == "error" else None)
                page.on("pageerror", lambda error: console.append(str(error)))
                page.goto(f"{self.url}doc/tree/{path}?token={self.token}&reset", wait_until="domcontentloaded")
                notebook = Notebook(page, console)
                notebook.wait_until_idle()
                yield notebook
            finally:
                browser.close()


@dataclass(frozen=True)
class Notebook:
    """A notebook in the browser: ``page`` is Playwright's, ``console`` holds the browser's errors so far."""

    page: Any
    console: list[str]

    def wait_until_idle(self, *, seconds: float = 120) -> None:
        """Wait until the notebook is there and its kernel is idle."""
        self.page.wait_for_function(_IS_IDLE, timeout=seconds * 1000, polling=100)

    def run_all(self, *, seconds: float = 300) -> None:
        """Run all cells, as Run > Run All Cells does, and wait for the last one, or the first that fails."""
        self.page.evaluate(_RUN_ALL)
        self.page.wait_for_function("window.ranAll === true", timeout=seconds * 1000, polling=100)
        self.wait_until_idle(seconds=seconds)

    def outputs(self) -> list[list[dict[str, Any]]]:
        """The outputs of every code cell, in the notebook format."""
        cells = self.page.evaluate("window.jupyterapp.shell.currentWidget.content.model.toJSON().cells")
        return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]

    def errors(self) -> list[str]:
        """What cells raised, as ``NameError: ...``."""
        found = (output for outputs in self.outputs() for output in outputs if output["output_type"] == "error")
        return [f"{output['ename']}: {output['evalue']}" for output in found]

    def screenshot(self, path: Path) -> Path:
        """Take a picture of the window."""
        self.page.screenshot(path=str(path))
        return path


# a notebook that names no kernel makes JupyterLab ask; the answer is its only kernel
_IS_IDLE = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget;
  if (!widget?.context?.isReady) return false;
  const dialog = document.querySelector(".jp-Dialog");
  if (dialog?.querySelector("select")) dialog.querySelector("button.jp-mod-accept").click();
  return widget.sessionContext?.session?.kernel?.status === "idle";
}"""
_RUN_ALL = """() => {
  window.ranAll = false;
  const done = () => { window.ranAll = true; };
  window.jupyterapp.commands.execute("notebook:run-all-cells").then(done, done);
}"""


@contextmanager
def lab(home: Path, *, notebooks: Path, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a JupyterLab that shows ``notebooks``; ``environment`` is added to that of its kernels.

    Raises LabError where it does not come up in three attempts.
    """
    server, process = _started(home, notebooks, environment or {})
    try:
        yield server
    finally:
        _stop(process)


def _started(home: Path, notebooks: Path, environment: Mapping[str, str]) -> tuple[Server, subprocess.Popen[bytes]]:
    for attempt in range(_ATTEMPTS):
        here = home / f"jupyter{attempt}"
        _prepare(here)
        token, log = secrets.token_hex(16), here / "lab.log"
        process = _launch(here, notebooks, token, log, environment)
        url = _url(here / "runtime", process, token)
        if url is not None:
            return Server(url, token, notebooks, log), process
        _stop(process)
    raise LabError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _prepare(here: Path) -> None:
    kernel = here / "data" / "kernels" / _KERNEL
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    for name, values in _SETTINGS.items():
        path = here / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _launch(
    here: Path, notebooks: Path, token: str, log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={notebooks}"),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
    ]
    variables = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(here / "config"),
        "JUPYTER_DATA_DIR": str(here / "data"),
        "JUPYTER_RUNTIME_DIR": str(here / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(here / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(here / "workspaces"),
        "IPYTHONDIR": str(here / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(PACK_ROOT), os.environ.get("PYTHONPATH")])),
        "TOKENIZERS_PARALLELISM": "false",
        **environment,
    }
    with log.open("wb") as stream:
        return subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=variables, cwd=notebooks, start_new_session=True
        )


def _url(runtime: Path, process: subprocess.Popen[bytes], token: str) -> str | None:
    """Wait for the server's own note of where it listens, and for its first answer."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for note in runtime.glob("jpserver-*.json"):
            with suppress(OSError, ValueError, KeyError):
                url = str(json.loads(note.read_text())["url"])
                if _answers(f"{url}api/status?token={token}"):
                    return url
        time.sleep(0.1)
    return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels: politely, then, as a group that only it leads, for good."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=15)
