"""Exploring real runs: the live model against the stored rasters, and explore.ipynb in a real JupyterLab."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import Notebook, lab, needs_lab

from critnb.canon import CANON, PACK_ROOT, Intervention
from critnb.errors import DataError, DependencyError
from critnb.explore.chain import Chain, find_chains
from critnb.explore.inputs import Places, model_files, window_texts
from critnb.explore.live import LiveModel
from critnb.explore.selection import Box
from critnb.explore.state import ExplorerState

REAL = ".critnb-real"
LIVE = ".critnb-live-raster"
TITLE = ".critnb-title"
SENTENCE = "A line of a small corpus, said by hand."


@pytest.fixture(scope="module")
def chain(whole) -> Chain:
    return find_chains(whole)[0]


@pytest.fixture(scope="module")
def places(inputs) -> Places:
    return Places(inputs)


@pytest.fixture(scope="module")
def live(chain, places) -> LiveModel:
    return LiveModel.load(chain, places)


def test_the_text_of_every_window_is_the_corpus_s(chain, places, inputs):
    texts = window_texts(chain, places)
    corpus = (inputs / "corpus.txt").read_text()
    assert texts.reason == ""
    for row in range(len(chain.raster.seq_id)):
        words = "".join(texts.of(row)).replace("·", " ").replace("⏎", "\n")
        assert words.strip("�<s>") in corpus


def test_a_corpus_that_was_changed_labels_nothing(chain, inputs, tmp_path):
    shutil.copytree(inputs, tmp_path / "params")
    (tmp_path / "params" / "corpus.txt").write_text("another text " * 2000)
    texts = window_texts(chain, Places(tmp_path / "params"))
    assert (texts.ids, texts.of(0)) == (None, None)
    assert "is not the text that this run's windows were cut from" in texts.reason


def test_without_its_params_folder_the_model_is_asked_for(chain):
    with pytest.raises(DependencyError, match=r"models\.BASE\.path: no directory.*Explorer\(\.\.\., params=FOLDER\)"):
        model_files(Places(), chain)


def test_another_model_in_its_place_is_refused(chain, inputs, tmp_path):
    shutil.copytree(inputs, tmp_path / "params")
    weights = tmp_path / "params" / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DependencyError, match=r"is not the model of this run \(weights_sha256 differs\)"):
        model_files(Places(tmp_path / "params"), chain)


def test_a_stored_window_gives_its_stored_raster(chain, live, places):
    """The stored raster came from a batch of many windows, this one from the window alone."""
    ids = window_texts(chain, places).ids
    for condition, row in zip(chain.raster.conditions, np.arange(1000) % len(ids), strict=False):
        answer = live.answer(ids[row], condition, condition.gain)
        stored = chain.raster.counts[chain.raster.conditions.index(condition), row]
        np.testing.assert_array_equal(answer.window.counts, stored)
        assert answer.tau_gain == condition.gain


def test_what_comes_next_is_the_model_s_own_expectation(chain, live):
    import torch

    condition = chain.raster.conditions[0]
    ids = live.ids(SENTENCE)
    with torch.inference_mode():
        logits = live.model.causal(input_ids=torch.from_numpy(ids[None]), use_cache=False).logits[0, -1]
    expected = torch.sort(logits.double().softmax(dim=-1), descending=True).values[:8].numpy()
    answer = live.answer(ids, condition, 1.0)
    np.testing.assert_allclose([token.at_one for token in answer.next_tokens], expected, rtol=1e-5)
    assert [token.at_gain for token in answer.next_tokens] == [token.at_one for token in answer.next_tokens]
    assert (answer.changed, answer.divergence) == (0, 0.0)
    strong = live.answer(ids, condition, 1.5)
    assert strong.divergence > 0
    assert [token.at_one for token in strong.next_tokens] != [token.at_gain for token in strong.next_tokens]


def test_every_intervention_answers_at_every_gain_and_at_gain_one_as_none(chain, live):
    ids = live.ids(SENTENCE)
    for condition in chain.raster.conditions:
        if condition.intervention_id is not Intervention.MLP_GLOBAL:
            baseline = live.answer(ids, replace(condition, intervention_id=Intervention.MLP_GLOBAL), 1.0)
            answers = [live.answer(ids, condition, gain) for gain in (0.5, 1.0, 1.5)]
            assert {answer.tau_gain for answer in answers} <= {1.0, condition.gain}
            np.testing.assert_array_equal(answers[1].window.counts, baseline.window.counts)


@pytest.mark.parametrize(("text", "says"), [("", "2 are the least"), ("word " * 100, "the model reads 64")])
def test_a_text_too_short_or_too_long_is_refused(live, text, says):
    with pytest.raises(DataError, match=says):
        live.ids(text)


@pytest.fixture
def site(whole, inputs, tmp_path) -> Path:
    """A pack's folders as somebody has them who works beside it: notebooks, params and runs."""
    notebooks = tmp_path / "site" / "notebooks"
    notebooks.mkdir(parents=True)
    shutil.copy(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / "explore.ipynb", notebooks)
    shutil.copytree(inputs, tmp_path / "site" / "params")
    shutil.copytree(whole, tmp_path / "site" / "runs")
    return notebooks


def sites(notebook: Notebook, raster: str) -> int:
    """How many sites are drawn: every square of every path."""
    paths = notebook.page.locator(f"{raster} [data-avalanche]")
    return sum(paths.evaluate_all("paths => paths.map(path => path.getAttribute('d').split('M').length - 1)"))


def drawn(notebook: Notebook, *, layers: int) -> set[tuple[int, int]]:
    """The (layer, token) of every square of the real raster; layer 0 lies lowest on the screen."""
    paths = notebook.page.locator(f"{REAL} [data-avalanche]").evaluate_all("ps => ps.map(p => p.getAttribute('d'))")
    corners = re.findall(r"M([\d.]+) ([\d.]+)", "".join(paths))
    return {(layers - 1 - int(float(y)), int(float(x))) for x, y in corners}


def labels(notebook: Notebook, raster: str) -> list[str]:
    return notebook.page.locator(f"{raster} [data-token]").all_text_contents()


def picture(notebook: Notebook, name: str) -> str:
    return str(notebook.page.locator(f"{name} img").get_attribute("src"))


def wait_for_picture(notebook: Notebook, name: str, before: str) -> None:
    """Curves follow rasters a moment later."""
    notebook.page.wait_for_function(
        "([name, before]) => document.querySelector(`${name} img`).src !== before", arg=[name, before], timeout=30_000
    )


def line(notebook: Notebook) -> Any:
    return notebook.page.locator(".critnb-state input")


def wait_for_line(notebook: Notebook, words: str) -> None:
    notebook.page.wait_for_function(
        "words => document.querySelector('.critnb-state input').value.includes(words)", arg=words, timeout=30_000
    )
    notebook.wait_until_idle()


def by_keyboard(notebook: Notebook, state: ExplorerState) -> None:
    """Avalanches by size, one kept, brushed and zoomed to, without a pointer."""
    page, stage, said = (
        notebook.page,
        notebook.page.locator(f"{REAL} .critnb-stage"),
        notebook.page.locator(f"{REAL} [aria-live]"),
    )
    stage.focus()
    order = state.window.by_size
    for key, place in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        stage.press(key)
        assert f"{state.window.facts(order[place]).words()} · {place + 1} of {len(order)} by size" in said.inner_text()
        assert page.locator(f"{REAL} .critnb-lit").get_attribute("data-avalanche") == str(order[place])
    facts = state.window.facts(order[1])
    stage.press("Enter")
    wait_for_line(notebook, f"avalanche={order[1]}")
    stage.press("b")
    box = Box(facts.tokens, facts.layers)
    wait_for_line(notebook, f"brush={box}")
    (first, last), (low, high) = facts.tokens, facts.layers
    inside = state.window.counts[low : high + 1, first : last + 1]
    assert f": {inside.sum()} event" in said.inner_text()
    assert f" on {np.count_nonzero(inside)} of {inside.size} site" in said.inner_text()
    stage.press("+")
    wait_for_line(notebook, f"view={box}")
    assert labels(notebook, REAL) == list(state.window.tokens[first : last + 1])
    stage.press("0")
    page.wait_for_function(
        "() => !document.querySelector('.critnb-state input').value.includes('view=')", timeout=30_000
    )
    stage.press("Escape")
    page.wait_for_function(
        "() => !document.querySelector('.critnb-state input').value.includes('brush=')", timeout=30_000
    )
    assert labels(notebook, REAL) == list(state.window.tokens)


def by_brush(notebook: Notebook, state: ExplorerState) -> None:
    """A part brushed with the pointer is counted in the real raster and in the null."""
    page = notebook.page
    page.locator(f"{REAL} .critnb-stage").scroll_into_view_if_needed()
    at = page.locator(f"{REAL} .critnb-empty").bounding_box()
    n_layers, n_tokens = state.window.counts.shape
    box = Box((4, 20), (1, n_layers - 1))
    cell, row = at["width"] / n_tokens, at["height"] / n_layers

    def move(token: int, layer: int) -> None:
        page.mouse.move(at["x"] + cell * (token + 0.5), at["y"] + row * (n_layers - layer - 0.5), steps=3)

    move(4, n_layers - 1)
    page.mouse.down()
    move(12, 2)
    move(20, 1)
    page.mouse.up()
    wait_for_line(notebook, f"brush={box}")
    for raster, window in ((REAL, state.window), (".critnb-null", state.null_window)):
        events = window.counts[1:, 4:21].sum()
        assert f": {events} event" in page.locator(f"{raster} .critnb-brushed").inner_text()


def as_text(notebook: Notebook, state: ExplorerState) -> None:
    """The line in the box is the state; another is refused by a sentence; the first brings everything back."""
    page, kept = notebook.page, line(notebook).input_value()
    state.restore(kept, [state.chain])
    assert str(state) == kept
    line(notebook).fill("gian=1")
    line(notebook).press("Enter")
    page.locator(".critnb-message .critnb-sentence", has_text="did you mean gain=?").wait_for(timeout=30_000)
    press(notebook, ".critnb-gain", "Home")
    wait_for_line(notebook, f"gain={state.gains[0]}")
    line(notebook).fill(kept)
    line(notebook).press("Enter")
    page.wait_for_function("kept => document.querySelector('.critnb-real .critnb-brushed').textContent !== ''"
                           " && document.querySelector('.critnb-gain [role=slider]').ariaValueNow === kept",
                           arg=f"{state.selection.condition.gain:g}", timeout=30_000)  # fmt: skip
    assert line(notebook).input_value() == kept


def in_the_dark(notebook: Notebook) -> None:
    """Words and ticks of the rasters can be read in the dark theme: a contrast of 4.5 at least (WCAG 2.1, 1.4.3)."""
    notebook.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    notebook.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'", timeout=30_000)
    notebook.page.wait_for_timeout(500)
    paper = colour(notebook, f"{REAL} .critnb-raster", "backgroundColor")
    assert luminance(paper) < 0.05
    for part, name in (
        (TITLE, "color"),
        (".critnb-tick", "fill"),
        (".critnb-token", "fill"),
        (".critnb-brushed", "color"),
    ):
        lighter = luminance(colour(notebook, f"{REAL} {part}", name))
        assert (lighter + 0.05) / (luminance(paper) + 0.05) >= 4.5, part


def colour(notebook: Notebook, selector: str, name: str) -> list[float]:
    found = notebook.page.locator(selector).first.evaluate("(e, name) => getComputedStyle(e)[name]", name)
    return [float(number) for number in re.findall(r"[\d.]+", found)[:3]]


def luminance(colour: list[float]) -> float:
    """The relative luminance of sRGB (WCAG 2.1)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def wait_for_change(notebook: Notebook, selector: str, before: str) -> None:
    notebook.page.wait_for_function(
        "([selector, before]) => document.querySelector(selector)?.textContent !== before",
        arg=[selector, before],
        timeout=30_000,
    )
    notebook.wait_until_idle()


def press(notebook: Notebook, slider: str, key: str) -> None:
    handle = notebook.page.locator(f"{slider} [role=slider]")
    handle.focus()
    handle.press(key)


def click_avalanche(notebook: Notebook, avalanche: int) -> None:
    """Click on the first site of an avalanche, where its path has ink."""
    path = notebook.page.locator(f'{REAL} [data-avalanche="{avalanche}"]')
    path.scroll_into_view_if_needed()
    x, y = path.evaluate(
        "path => { const [, x, y] = path.getAttribute('d').match(/M([\\d.]+) ([\\d.]+)/).map(Number);"
        " const m = path.getScreenCTM(); return [m.a * (x + 0.4) + m.e, m.d * (y + 0.4) + m.f]; }"
    )
    notebook.page.mouse.click(x, y)


@pytest.mark.slow
@needs_lab
def test_explore_by_hand(site, tmp_path):
    state = ExplorerState(find_chains(site.parent / "runs")[0], lambda chain: window_texts(chain, Places()))
    with (
        lab(tmp_path / "home", notebooks=site) as server,
        server.opened("explore.ipynb") as notebook,
    ):
        page = notebook.page
        notebook.run_all()
        assert notebook.errors() == []
        page.locator(f"{REAL} [data-avalanche]").first.wait_for(timeout=20_000)
        occupied = set(zip(*(axis.tolist() for axis in np.nonzero(state.window.counts)), strict=True))
        assert drawn(notebook, layers=len(state.window.counts)) == occupied
        assert labels(notebook, REAL) == list(state.window.tokens)
        assert not page.locator("[data-critnb-twin]").first.is_visible()

        before, curves = page.locator(f"{REAL} {TITLE}").text_content(), picture(notebook, ".critnb-branching")
        press(notebook, ".critnb-gain", "ArrowRight")
        state.choose(gain=1.2)
        wait_for_change(notebook, f"{REAL} {TITLE}", before)
        assert sites(notebook, REAL) == np.count_nonzero(state.window.counts)
        wait_for_picture(notebook, ".critnb-branching", curves)
        handle = page.locator(".critnb-gain [role=slider]")
        assert [handle.get_attribute(f"aria-value{end}") for end in ("min", "now", "max")] == ["0.8", "1.2", "1.2"]
        alt = page.locator(".critnb-branching img").get_attribute("alt")
        assert f"At the selected gain 1.2: b_time {state.branching.b_time:.3f} (null " in alt

        before = page.locator(f"{REAL} {TITLE}").text_content()
        page.locator(".critnb-forward").click()
        state.choose(row=(state.selection.row + 1) % state.n_windows)
        wait_for_change(notebook, f"{REAL} {TITLE}", before)
        assert f"window {state.seq_id} " in page.locator(f"{REAL} {TITLE}").text_content()
        assert labels(notebook, REAL) == list(state.window.tokens)

        largest = int(np.argmax(state.window.avalanches.size))
        sizes = picture(notebook, ".critnb-sizes")
        facts = page.locator(".critnb-facts").text_content()
        click_avalanche(notebook, largest)
        wait_for_change(notebook, ".critnb-facts", facts)
        words = state.window.facts(largest).words()
        assert words in page.locator(".critnb-facts").text_content()
        assert page.locator(f"{REAL} .critnb-picked").get_attribute("data-avalanche") == str(largest)
        wait_for_picture(notebook, ".critnb-sizes", sizes)
        notebook.screenshot(tmp_path / "explorer.png")
        # the picture that an exported page will show has followed, though nobody sees it here
        page.wait_for_function(
            "words => document.querySelector('.critnb-twin').textContent.includes(words)", arg=words, timeout=20_000
        )
        assert words in json.dumps(notebook.outputs(), ensure_ascii=False)

        by_keyboard(notebook, state)
        by_brush(notebook, state)
        as_text(notebook, state)
        in_the_dark(notebook)

        page.locator(".critnb-live-text textarea").fill(SENTENCE)
        page.locator("button.critnb-live-run").click()
        page.locator(f"{LIVE} [data-token]").first.wait_for(timeout=60_000)
        notebook.wait_until_idle()
        assert "".join(labels(notebook, LIVE)).replace("·", " ").endswith(SENTENCE)
        before = page.locator(".critnb-live-next").text_content()
        assert re.search(r"at g = 1\.?\d*\s+at g = 1", before)
        press(notebook, ".critnb-live-gain", "ArrowLeft")
        wait_for_change(notebook, ".critnb-live-next", before)
        assert "never interpolated" in page.locator(".critnb-live-said").text_content()
        page.locator(".critnb-live").scroll_into_view_if_needed()
        notebook.screenshot(tmp_path / "live.png")
        assert notebook.errors() == []
        assert notebook.console == []
