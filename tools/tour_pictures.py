"""Take the pictures of docs/TOUR.md from finished runs: ``python tools/tour_pictures.py RUNS_DIR [ONLY ...]``.

A real JupyterLab, real commands and the pages that lie beside the runs, as headless Chromium shows them. RUNS_DIR is to hold the
demo's runs, whose model and text the pack carries. ONLY names some of the pictures. They have few colours, to stay small.
"""

from __future__ import annotations

import html
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from critnb.canon import DOCS_DIR, PACK_ROOT, Stage
from critnb.explore import Explorer
from critnb.runs import Run, RunStore

sys.path.insert(0, str(PACK_ROOT / "tests"))

from browser import CHROMIUM
from lab import lab

_WIDTH, _HEIGHT, _COLOURS = 1280, 900, 128
_LARGEST = 200_000
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
_TERMINAL = """<!DOCTYPE html><meta charset="utf-8"><style>
body { margin: 0; background: #16191d; } pre { margin: 0; padding: 18px 22px; color: #d8dde3; width: 1080px; white-space: pre-wrap;
font: 14px/1.45 "DejaVu Sans Mono", monospace; } b { color: #8fd18f; font-weight: 600; }</style><pre>"""


def main(runs: Path, only: list[str]) -> None:
    """Take all pictures, or those named."""
    with tempfile.TemporaryDirectory() as folder:
        # a picture shows paths as a reader has them
        here = Path(folder)
        (here / "runs").symlink_to(runs.resolve())
        for name, take in _PICTURES.items():
            if not only or name in only:
                written(name, take(here))


def written(name: str, data: bytes) -> None:
    """Write a picture with few colours."""
    path = DOCS_DIR / "img" / f"tour_{name}.png"
    Image.open(io.BytesIO(data)).convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size / 1000:.0f} kB{' - too large' if size > _LARGEST else ''}")


def newest(runs: Path, stage: Stage) -> Run:
    """Return the newest run of a stage."""
    return max(RunStore(runs).runs(stage), key=lambda run: run.record.created_utc)


def explorer(here: Path) -> bytes:
    """The explorer at g*, beside what differs at gain 1, its second largest avalanche kept."""
    state = Explorer(here / "runs", run=newest(here / "runs", Stage.S05).run_id).state
    gains = [gain for gain in state.gains if gain != 1.0]
    state.choose(gain=state.gstar() if state.gstar() in gains else gains[-1], beside="difference")
    state.choose(picked=state.window.by_size[1])
    code = f'from critnb.explore import Explorer\n\nexplorer = Explorer("runs", state="{state}")\nexplorer.show()'
    with in_lab(here, code) as notebook:
        notebook.page.locator(".critnb-sizes img").wait_for(timeout=60_000)
        notebook.page.locator(".critnb-real [data-avalanche]").first.wait_for(timeout=60_000)
        return shot(notebook.page, ".critnb-explorer")


def live(here: Path) -> bytes:
    """The live mode's answer, with a site put out: of the largest avalanches the first where that changes anything."""
    run_id = newest(here / "runs", Stage.S05).run_id
    code = f'from critnb.explore import Explorer\n\nExplorer("runs", run="{run_id}").live("{_SENTENCE}")'
    with in_lab(here, code) as notebook:
        page = notebook.page
        stage = page.locator(".critnb-live-raster .critnb-stage")
        page.locator(".critnb-live-raster [data-avalanche]").first.wait_for(timeout=120_000)
        stage.press("Home")
        for _ in range(_TRIES):
            before = page.locator(".critnb-live-knocked-out").inner_text()
            stage.press("Enter")
            # the click on a button follows the choice of a site to the kernel
            page.wait_for_timeout(1_500)
            page.locator(".critnb-live-knock-out:not([disabled])").click()
            page.wait_for_function(_PUT_OUT, arg=before, timeout=30_000)
            if ": 0 lost and 0 new in" not in page.locator(".critnb-live-knocked-out").inner_text():
                break
            stage.press("ArrowRight")
        return shot(page, ".critnb-live")


_TRIES = 6
_PUT_OUT = """before => {
  const said = document.querySelector('.critnb-live-knocked-out').innerText;
  return said !== before && said.includes('put out at');
}"""
_SENTENCE = "The function returns the first item of the list that is not"


@contextmanager
def in_lab(here: Path, code: str) -> Iterator[Any]:
    """Run a cell in JupyterLab and yield the notebook once it has run."""
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), here / "tour.ipynb")
    with (
        tempfile.TemporaryDirectory() as home,
        lab(Path(home), notebooks=here) as server,
        server.opened("tour.ipynb", width=_WIDTH, height=1600) as notebook,
    ):
        notebook.run_all()
        if notebook.errors():
            raise SystemExit(f"the notebook failed: {notebook.errors()[0]}")
        yield notebook


def shot(page: Any, selector: str) -> bytes:
    """Return a picture of one part of a page, once it has come to rest."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(2_000)
    return bytes(page.locator(selector).screenshot())


def terminal(here: Path) -> bytes:
    """What is there, what would run, and whether what is there is whole."""
    run_id = newest(here / "runs", Stage.S05).run_id
    commands = (("list",), ("phase5", "--dry-run"), ("verify", run_id))
    said = "\n\n".join(
        f"<b>$ python runner.py {' '.join(words)}</b>\n{html.escape(output(here, *words))}" for words in commands
    )
    page_file = here / "terminal.html"
    page_file.write_text(_TERMINAL + said + "</pre>", encoding="utf-8")
    with browsing() as page:
        page.goto(page_file.as_uri())
        return bytes(page.locator("pre").screenshot())


def output(here: Path, *words: str) -> str:
    """Return what a command says, with the paths of a reader who has his runs in ``runs``."""
    command = [sys.executable, str(PACK_ROOT / "runner.py"), *words, "--runs-dir", "runs"]
    done = subprocess.run(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.replace(f"{here.resolve()}/", "").rstrip()


def index(here: Path) -> bytes:
    """The first screen of the page of runs."""
    return page_of(here / "runs" / "index.html")


def notebook(here: Path) -> bytes:
    """The first screen of the page of the tables' stage."""
    return page_of(next((newest(here / "runs", Stage.S05).path / "notebook").glob("*.html")))


def page_of(path: Path) -> bytes:
    """Return a picture of a page's first screen."""
    with browsing() as page:
        page.goto(path.resolve().as_uri())
        page.wait_for_timeout(1_000)
        return bytes(page.screenshot())


@contextmanager
def browsing() -> Iterator[Any]:
    """Yield a page of headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        finally:
            browser.close()


_PICTURES: dict[str, Callable[[Path], bytes]] = {
    "explorer": explorer, "live": live, "terminal": terminal, "index": index, "notebook": notebook,
}  # fmt: skip

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
