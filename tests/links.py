"""Links of pages on disk: which of them lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from browser import Elements


def pages_below(folder: Path) -> list[Path]:
    """Every HTML page of a folder."""
    return sorted(folder.rglob("*.html"))


def broken_links(folder: Path) -> list[str]:
    """Return each link of each page below a folder that leads to no file or place in it; a link out of it is broken, too."""
    places: dict[Path, set[str]] = {}
    return [found for page in pages_below(folder) for found in _broken(page, folder.resolve(), places)]


def _broken(page: Path, folder: Path, places: dict[Path, set[str]]) -> Iterator[str]:
    for target in Elements(page.read_text(encoding="utf-8")).targets():
        parts = urlsplit(target)
        if parts.scheme in {"http", "https", "data"}:
            continue
        path = (page.parent / parts.path).resolve() if parts.path else page.resolve()
        if parts.scheme or not path.is_relative_to(folder) or not path.is_file():
            yield f"{page.relative_to(folder)}: {target}"
        elif parts.fragment and path.suffix == ".html" and parts.fragment not in _places(path, places):
            yield f"{page.relative_to(folder)}: no place {target}"


def _places(path: Path, places: dict[Path, set[str]]) -> set[str]:
    if path not in places:
        found = Elements(path.read_text(encoding="utf-8")).found
        places[path] = {str(attributes["id"]) for _, attributes in found if attributes.get("id")}
    return places[path]
