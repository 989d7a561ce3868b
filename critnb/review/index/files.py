"""A run's files on the page: thumbnails of figures, tables and results to open, and the digest of each."""

from __future__ import annotations

from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.review.index.facts import RunFacts
from critnb.review.index.markup import Markup, image, joined, link, spaced, tag
from critnb.runs import Artifact

_DIR = CANON.RUN_SUBDIR
_SHOWN_APART = frozenset({_DIR.NOTEBOOK, _DIR.FIGS, _DIR.TABLES, _DIR.LOGS})
_READABLE = frozenset({".html", ".pdf"})


def at(facts: RunFacts, path: str) -> str:
    """Return where a file of the run lies, seen from the page."""
    return f"{facts.folder}/{path}"


def under(facts: RunFacts, folder: str) -> list[Artifact]:
    """Return the run's files below one of its folders."""
    return [artifact for artifact in facts.artifacts if artifact.path.startswith(f"{folder}/")]


def figures(facts: RunFacts) -> Markup:
    """Return thumbnails that open the figure, those of the appendix last."""
    drawn = [artifact.path for artifact in under(facts, _DIR.FIGS) if artifact.path.endswith(".png")]
    indexed = {artifact.path for artifact in facts.artifacts}
    shown = sorted(drawn, key=lambda path: (path.startswith(f"{_DIR.FIGS_APPENDIX}/"), path))
    return tag("div", [_thumbnail(facts, path, indexed) for path in shown], class_="figures") if shown else joined()


def _thumbnail(facts: RunFacts, path: str, indexed: set[str]) -> Markup:
    name = _spoken(path)
    vector = f"{path.removesuffix('.png')}.pdf"
    pdf = joined(" ", link(at(facts, vector), "pdf")) if vector in indexed else joined()
    return tag("figure", link(at(facts, path), image(at(facts, path), name)), tag("figcaption", name, pdf))


def _spoken(path: str) -> str:
    """``figs/fig_F01_RASTER_EXAMPLE.png`` as ``F01 raster example``."""
    words = PurePosixPath(path).stem.split("_")[1:] or [PurePosixPath(path).stem]
    return " ".join([words[0], *(word.lower() for word in words[1:])])


def tables(facts: RunFacts) -> Markup:
    """Return the names of the tables with a link to each of their files."""
    by_stem: dict[str, list[str]] = {}
    for artifact in under(facts, _DIR.TABLES):
        by_stem.setdefault(artifact.path.rpartition(".")[0], []).append(artifact.path)
    ordered = sorted(by_stem, key=lambda stem: (stem.startswith(f"{_DIR.TABLES_APPENDIX}/"), stem))
    return spaced(
        [
            tag(
                "span",
                f"{_spoken(stem)} ",
                spaced([link(at(facts, path), path.rpartition(".")[2]) for path in sorted(by_stem[stem])]),
                class_="file",
            )
            for stem in ordered
        ]
    )


def documents(facts: RunFacts) -> list[Artifact]:
    """Return the pages to read that are neither the notebook nor a figure: a paper, for instance."""
    return [each for each in _others(facts) if PurePosixPath(each.path).suffix in _READABLE]


def results(facts: RunFacts) -> Markup:
    """Return links to the files under results/, and to whatever has no other place on the page, with their sizes."""
    return spaced(
        tag("span", link(at(facts, each.path), _name(each.path)), f" {size(each.bytes)}", class_="file")
        for each in _others(facts)
        if PurePosixPath(each.path).suffix not in _READABLE
    )


def _others(facts: RunFacts) -> list[Artifact]:
    return [each for each in facts.artifacts if "/" in each.path and each.path.partition("/")[0] not in _SHOWN_APART]


def _name(path: str) -> str:
    return path.removeprefix(f"{_DIR.RESULTS}/")


def size(n_bytes: int) -> str:
    """Return a file's size in the unit that fits."""
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"


def hashes(facts: RunFacts) -> Markup:
    """Return the digests of what the run was made from and of each file, folded away."""
    if not facts.digests:
        return joined()
    made_of = [
        tag("tr", tag("td", words), tag("td", ""), tag("td", tag("code", value)))
        for words, value in facts.digests.items()
    ]
    files = [
        tag(
            "tr",
            tag("td", link(at(facts, each.path), each.path)),
            tag("td", size(each.bytes), class_="value"),
            tag("td", tag("code", each.sha256)),
        )
        for each in facts.artifacts
    ]
    return tag(
        "details",
        tag("summary", f"sha256 of {len(files)} files and of what the run was made from"),
        tag("table", tag("tbody", made_of, files), class_="hashes"),
    )
