"""What people see: widgets in their state, still twins in an exported page, sentences in place of tracebacks."""

from __future__ import annotations

import asyncio
import html
import io
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from browser import CHROMIUM, REASON, Elements, look
from explore import chains
from IPython.display import HTML
from PIL import Image

from critnb.canon import CANON, PACK_ROOT, Intervention, NullId
from critnb.errors import DataError
from critnb.explore import Explorer, explorer, live_panel, raster_view, twin
from critnb.explore.inputs import Places
from critnb.explore.pictures import NULL_WORDS
from critnb.explore.raster import NOTHING
from critnb.explore.selection import Box
from critnb.runs import RunStore

NOTEBOOK = PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / "explore.ipynb"
HEAVY = ("torch", "transformers", "datasets")


@pytest.fixture
def updates(monkeypatch) -> list[str]:
    """What displayed HTML became, in order."""
    seen: list[str] = []
    monkeypatch.setattr(twin, "update_display", lambda value, *, display_id: seen.append(value.data))
    return seen


@pytest.fixture
def shown(monkeypatch, updates):
    """Call something that displays and return what it displayed, as bundles of media types."""
    seen: list[dict] = []

    def display(value, *, display_id=None, raw=False) -> None:
        seen.append({"text/html": value.data} if isinstance(value, HTML) else value)

    for module in (explorer, twin):
        monkeypatch.setattr(module, "display", display)

    def call(show, *words) -> list[dict]:
        seen.clear()
        show(*words)
        return list(seen)

    return call


def pictures(page: str) -> list[Image.Image]:
    import base64

    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.mark.slow
def test_exploring_needs_no_torch_until_somebody_asks_the_model(whole_chain):
    code = (
        "import sys; from critnb.explore import Explorer; from IPython.utils.capture import capture_output\n"
        f"explorer = Explorer({str(whole_chain.root)!r})\n"
        "with capture_output():\n    explorer.show(); explorer.live(); explorer.picture()\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_the_explorer_displays_widgets_and_their_twin(whole_chain, shown):
    looking = Explorer(whole_chain.root)
    widgets, still = shown(looking.show)
    assert "application/vnd.jupyter.widget-view+json" in widgets
    (attributes,) = Elements(still["text/html"]).of_class("critnb-twin")
    assert attributes["data-critnb-twin"] == looking._view.real.twin != ""
    assert len(pictures(still["text/html"])) == 4


@pytest.mark.slow
def test_controls_move_the_state_and_the_state_moves_what_is_shown(whole_chain):
    looking = Explorer(whole_chain.root)
    shows, state = looking._view, looking.state
    controls = shows.controls
    before, curves = shows.real.scene["title"], shows.branching.value
    controls["gain"].value = 0.8
    assert state.selection.condition.gain == 0.8
    assert (shows.real.scene["title"], shows.branching.value) != (before, curves)
    controls["intervention"].value = Intervention.ATTN_GLOBAL
    assert (controls["gain"].stops, controls["gain"].texts) == ([chains.GSTAR], [f"{chains.GSTAR:g} = g*"])
    controls["row"].value = 4
    counts = state.chain.raster.counts[state.cond_id, 4]
    on = {(layer, token): events for token, layer, _, events in shows.real.scene["sites"]}
    assert on == {site: counts[site] for site in zip(*(axis.tolist() for axis in np.nonzero(counts)), strict=True)}
    shows.real.picked = 1
    assert state.selection.picked == 1
    assert state.window.facts(1).words() in shows.facts.value
    shows.real.picked = NOTHING
    assert shows.facts.value == ""
    shows.null.picked = 0
    assert shows.facts.value.startswith("In the null, <b>avalanche 0:")
    controls["null_id"].value = NullId.NULL_TOKEN_SHUFFLE_INPUT
    assert shows.null.layout.display == "none"
    assert "No null raster here" in shows.message.value
    assert "The axis shows positions: " in shows.message.value


def test_the_picture_of_the_null_is_named_for_each_null():
    assert set(NULL_WORDS) == set(NullId) - {NullId.NULL_NONE}


def test_where_there_is_nothing_a_sentence_says_so(tmp_path, shown):
    nothing = Explorer(tmp_path)
    for show in (nothing.show, nothing.live):
        (sentence,) = shown(show)
        assert "holds no complete run of S03" in sentence["text/html"]


def test_a_damaged_run_is_a_sentence_too(rasters_only, shown):
    (run_id,) = rasters_only.ids()
    path = rasters_only.root / run_id / chains.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME)
    path.chmod(0o644)
    path.write_bytes(b"nothing")
    damaged = Explorer(rasters_only.root)
    _, still = shown(damaged.show)
    for words in (still["text/html"], damaged._view.message.value):
        assert "is not the file that its record names" in words
    assert damaged._view.real.layout.display == "none"


def two_models(raster, tmp_path, *, damage: str) -> tuple[RunStore, str]:
    """A folder with the rasters of two models, and the run of the newer one, of which an artifact is damaged."""
    store = RunStore(tmp_path / "runs")
    chains.make_s03(store, raster)
    newer = chains.make_s03(store, raster, params={"events": {"tau0": 9.0}})
    chains.flip_a_byte(store, chains.result(damage), newer.run_id)
    return store, newer.run_id


def test_a_damaged_raster_does_not_hide_the_other_runs(raster, tmp_path, shown):
    store, run_id = two_models(raster, tmp_path, damage=CANON.OUTPUT.RASTER_NPZ_BASENAME)
    looking = Explorer(store.root)
    sentence, widgets, still = shown(looking.show)
    assert f"{run_id} · " in sentence["text/html"]
    assert "is not the file that its record names" in sentence["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in widgets
    assert len(pictures(still["text/html"])) == 4
    menu = looking._view.controls["chain"]
    other = looking.state.chain
    menu.value = next(chain for chain in looking.chains if chain is not other)
    assert "is not the file that its record names" in looking._view.message.value
    assert (menu.value, looking.state.chain) == (other, other)


def test_from_a_run_with_damaged_numbers_one_can_go_to_another(raster, tmp_path):
    store, run_id = two_models(raster, tmp_path, damage=CANON.OUTPUT.METRICS_PARQUET_BASENAME)
    shows = Explorer(store.root, run=run_id)._view
    assert shows.real.layout.display == "none"
    menu = shows.controls["chain"]
    menu.value = next(chain for chain in shows._chains if chain.end.run_id != run_id)
    assert shows.real.layout.display is None
    assert "is not the file" not in shows.message.value


@pytest.mark.slow
def test_a_page_shows_the_views_as_they_were_left(whole_chain, shown, updates):
    looking = Explorer(whole_chain.root)
    _, still = shown(looking.show)
    assert updates == []
    looking._view.controls["gain"].value = 0.8
    assert "g = 0.8<" in updates[-1]
    assert pictures(updates[-1])[0].tobytes() != pictures(still["text/html"])[0].tobytes()
    looking._view.real.picked = 1
    assert looking.state.window.facts(1).words() in updates[-1]
    viewed = raster_view(np.eye(4, 6, dtype=bool))
    (_, still) = shown(viewed._ipython_display_)
    updates.clear()
    viewed.widget.picked = 2
    assert pictures(updates[-1])[0].tobytes() != pictures(still["text/html"])[0].tobytes()


def test_in_a_kernel_many_changes_renew_the_picture_once(updates, shown, monkeypatch):
    monkeypatch.setattr(twin, "_IDLE_SECONDS", 0.02)
    now = ["first"]
    still = twin.Twin(lambda: now[-1])

    async def changes() -> list[int]:
        shown(still.display)
        for word in ("second", "third", "last"):
            now.append(word)
            still.renew()
        early = len(updates)
        await asyncio.sleep(0.2)
        return [early, len(updates)]

    assert asyncio.run(changes()) == [0, 1]
    assert ">last<" in updates[0]


def test_a_saved_page_holds_all_that_it_shows(whole_chain, tmp_path):
    looking = Explorer(whole_chain.root)
    looking.state.choose(gain=0.8, beside="difference", view=Box((2, 9), (0, 3)), brush=Box((3, 4), (1, 1)))
    page = looking.save(tmp_path / "shown.html").read_text(encoding="utf-8")
    assert len(pictures(page)) == 5
    found = Elements(page)
    assert {target.partition(",")[0] for target in found.targets()} == {"data:image/png;base64"}
    assert str(looking.state) in found.text
    alts = [attributes["alt"] for tag, attributes in found.found if tag == "img"]
    curves = looking._view.branching.value
    assert f"b_tot {looking.state.branching.b_tot:.3f}" in alts[3]
    assert alts[3] in html.unescape(curves)
    assert alts[4].startswith("Sizes of all windows' avalanches, P(S ≥ s) on logarithmic axes: ")
    assert all(looking.state.window.words() in alt or "null" in alt or "difference" in alt for alt in alts[:3])


def test_a_model_that_is_not_there_is_said_in_the_panel(whole_chain, shown):
    panel = live_panel.LivePanel(Explorer(whole_chain.root).state, Places())
    panel.ask("a text")
    assert "models.BASE.path: no directory" in panel._said.value
    assert panel.answer is None
    unused = Explorer(whole_chain.root).live
    _, still = shown(unused)
    assert "had not been used" in still["text/html"]
    _, still = shown(unused, "a text")
    assert "had not been used" not in still["text/html"]
    assert "models.BASE.path: no directory" in still["text/html"]


def test_any_array_can_be_viewed_and_picked(shown):
    looked = raster_view(np.eye(4, 6, dtype=bool), tokens=list("abcdef"))
    widget, still = shown(looked._ipython_display_)
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert len(pictures(still["text/html"])) == 1
    heard = []
    looked.on_pick(heard.append)
    looked.widget.picked = 2
    assert looked.picked == heard[-1]
    assert (looked.picked.tokens, looked.picked.text) == ((2, 2), ("c",))
    with pytest.raises(DataError, match="one window"):
        raster_view(np.zeros((2, 3, 4), dtype=bool))


def test_text_of_tokens_cannot_become_markup_or_a_formula():
    looked = raster_view(np.ones((1, 3), dtype=bool), tokens=["<b>", r"$\frac$", "$"], title="<i>")
    looked.widget.picked = 0
    page = looked.picture().data
    assert "<i>" not in page
    assert len(pictures(page)) == 1


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=REASON)
def test_the_exported_notebook_shows_pictures_without_network_and_kernel(whole_chain, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # what is left changed by the last cell is what the page shows
    last = "explorer.state.choose(gain=0.8, picked=None)"
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    nbformat.write(notebook, folder / NOTEBOOK.name)
    shutil.copytree(whole_chain.root, tmp_path / "runs")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", str(folder / NOTEBOOK.name)]
    environment = {**os.environ, "PYTHONPATH": str(PACK_ROOT), "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    subprocess.run(command, capture_output=True, check=True, env=environment, timeout=120)
    page = folder / "explore.html"
    seen = look(page, tmp_path / "profile")
    assert len(Elements(seen.dom).of_class("critnb-twin")) == 3
    assert "g = 0.8<" in seen.dom
    # nbconvert would ask the network for the scripts of any widget that is stored in the page, and print the others
    for trace in ("VBox(", "RasterWidget(", "widget-view", "widget-state", "html-manager"):
        assert trace not in seen.dom
    assert "state</i>: <code>run=RUN_S05_" in seen.dom
    for picture in pictures(page.read_text(encoding="utf-8")):
        colours = picture.convert("RGB").getcolors(1 << 24)
        assert len(colours) > 20
    screenshot = tmp_path / "page.png"
    look(page, tmp_path / "profile", screenshot=screenshot)
    # the muted and strong colours of avalanches are on the page as the browser paints it, not only in its source
    painted = {colour for _, colour in Image.open(screenshot).convert("RGB").getcolors(1 << 24)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0xC4, 0xC4, 0xC4)} <= painted
