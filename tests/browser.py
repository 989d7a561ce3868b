"""A real headless Chromium for tests of pages: what it makes of a file, and what it complains about."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
REASON = "no Chromium on the PATH (Debian: apt-get install chromium)"
WIDTH, HEIGHT = 1300, 4000
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"),
    *("--enable-logging=stderr", "--v=0", "--no-first-run", "--disable-dev-shm-usage"),
)


@dataclass(frozen=True)
class Seen:
    """A page as the browser holds it after loading, and the lines of its console."""

    dom: str
    console: tuple[str, ...]


def look(page: Path, profile: Path, *, screenshot: Path | None = None) -> Seen:
    """Load a file and return its DOM; with ``screenshot``, a picture of it is written instead."""
    task = f"--screenshot={screenshot}" if screenshot else "--dump-dom"
    size = f"--window-size={WIDTH},{HEIGHT}"
    command = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", size, task, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return Seen(done.stdout, tuple(line for line in done.stderr.splitlines() if ":CONSOLE" in line))


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.found if name in (attributes.get("class") or "").split()]

    def targets(self) -> list[str]:
        """Where links, images and anything else lead, unquoted."""
        named = (attributes.get(key) for _, attributes in self.found for key in ("href", "src", "data", "action"))
        return [unquote(target) for target in named if target is not None]


# what a page must not have at any width, as a browser lays it out: each a list of words, empty where all is well
_FAULTS = """
() => {
  const say = (e) => `${e.tagName.toLowerCase()}.${e.className} ${(e.textContent || e.alt || "").trim().slice(0, 60)}`;
  const width = document.documentElement.clientWidth;
  const shown = [...document.querySelectorAll("body *")].filter((e) => e.getClientRects().length);
  const held = (e) => e.parentElement.closest(".scroll, .chain, svg, pre");
  const wide = shown.filter((e) => !held(e) && e.getBoundingClientRect().right > width + 1).map(say);
  const cut = shown.filter((e) => ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)
    && e.scrollWidth > e.clientWidth + 1 && !(e.tabIndex === 0 && e.getAttribute("role") === "region"
    && e.getAttribute("aria-label"))).map(say);
  const levels = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].map((e) => +e.tagName[1]);
  const skips = levels.filter((level, at) => at ? level > levels[at - 1] + 1 : level !== 1);
  return {
    wide, cut, headings: [...skips, ...levels.slice(1).filter((level) => level === 1)],
    images: [...document.images].filter((e) => !(e.alt || "").trim()).map((e) => e.src.slice(0, 80)),
    ids: [...document.querySelectorAll("[id]")].map((e) => e.id).filter((id, at, all) => all.indexOf(id) !== at),
    lost: [...document.querySelectorAll('a[href^="#"]')].map((e) => e.getAttribute("href").slice(1))
      .filter((id) => !document.getElementById(decodeURIComponent(id))),
  };
}
"""
# the ratio of contrast, by WCAG 2.1, of every text with the nearest ground behind it that is not see-through
_PALE = """
() => {
  const numbers = (css) => (css.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    const seen = [];
    for (let at = e; at; at = at.parentElement) seen.push(numbers(getComputedStyle(at).backgroundColor));
    return seen.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const texts = [...document.querySelectorAll("body *")].filter((e) => !e.closest("svg") && e.getClientRects().length
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
  return texts.map((e) => {
    const behind = ground(e), [a, b] = [light(over(numbers(getComputedStyle(e).color), behind)), light(behind)];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5).map(([ratio, words]) => `${ratio.toFixed(2)} ${words}`);
}
"""
_BOXES = """() => [...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth + 1).length"""
_HERE = (
    """() => { const e = document.activeElement; return e.matches(".scroll") ? e.getAttribute("aria-label") : null; }"""
)


@contextmanager
def visiting(page: Path, *, width: int, dark: bool = False) -> Iterator[Any]:
    """Show a file in a fresh browser as a playwright page; ``page.asked`` collects every request but that for the file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            shown = browser.new_page(
                viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light"
            )
            shown.asked = []
            shown.on("request", lambda request: shown.asked.append(request.url))
            shown.goto(page.as_uri())
            shown.wait_for_load_state()
            shown.asked = [url for url in shown.asked if url != page.as_uri() and not url.startswith("data:")]
            yield shown
        finally:
            browser.close()


def faults(page: Path, *, width: int, dark: bool) -> dict[str, list[str]]:
    """Return what is wrong with a page at a width: wider than the window, cut, pale, misordered, unnamed, asked of others."""
    with visiting(page, width=width, dark=dark) as shown:
        found = shown.evaluate(_FAULTS) | {"pale": shown.evaluate(_PALE)}
        found["asked"] = [url for url in shown.asked if not url.startswith("file:")]
        found["unreached"] = _unreached(shown)
    return {what: words for what, words in found.items() if words}


def _unreached(shown: Any) -> list[str]:
    """Say which share of the boxes that scroll the keyboard neither reaches nor scrolls."""
    there, reached = shown.evaluate(_BOXES), 0
    stops = shown.evaluate("() => document.querySelectorAll('a[href], summary, [tabindex], input, button').length")
    for _ in range(stops + 1):
        shown.keyboard.press("Tab")
        if shown.evaluate(_HERE) is not None:
            wide = shown.evaluate(
                "() => { const e = document.activeElement; return e.scrollWidth > e.clientWidth + 1; }"
            )
            reached += bool(wide)
        if reached == there:
            return []
    return [f"{there - reached} of {there} boxes"]
