"""A real headless Chromium for tests of pages: what it makes of a file, and what it complains about."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
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
