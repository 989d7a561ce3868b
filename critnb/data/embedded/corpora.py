"""The text that every CPython carries, as documents.

Three corpora, all read from the running interpreter and none of them vendored:

* the language reference (``pydoc_data.topics``) is evaluation dataset A,
* the sources of ``EVALUATION_MODULES`` are evaluation dataset B,
* every other source of the standard library is what the embedded models were trained on.

The three are disjoint by construction. Another Python version carries other text; the sha256 of each slice in the
run record makes that visible.
"""

from __future__ import annotations

import importlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

EVALUATION_MODULES = (
    "argparse",
    "calendar",
    "cmd",
    "configparser",
    "csv",
    "difflib",
    "doctest",
    "fractions",
    "gettext",
    "heapq",
    "optparse",
    "pprint",
    "statistics",
    "textwrap",
    "timeit",
)

# Sources that hold evaluation text, belong to the machine rather than to Python, or are tables instead of prose and code.
_NOT_FOR_TRAINING = frozenset(
    {
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "idle_test",
        "__pycache__",
        "pydoc_data",
        "encodings",
        "ensurepip",
        "lib-dynload",
    }
)
_SHORTEST_SHARED_PARAGRAPH = 80  # characters; shorter repeats are headings and idioms, not leaked passages


def reference_documents() -> list[str]:
    """Return the topics of the language reference in alphabetical order, every longer paragraph once.

    Topics quote each other ("compound" holds "if" whole); a passage that stood twice could lie in two slices at once.
    """
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    seen: set[str] = set()
    documents = ("\n\n".join(_unseen_paragraphs(topics[name], seen)) for name in sorted(topics))
    return [document for document in documents if document.strip()]


def _unseen_paragraphs(text: str, seen: set[str]) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        key = " ".join(paragraph.split())
        if len(key) >= _SHORTEST_SHARED_PARAGRAPH and key in seen:
            continue
        seen.add(key)
        yield paragraph


def module_documents() -> list[str]:
    """Return the source text of each module in ``EVALUATION_MODULES``, in that order."""
    library = _library_root()
    return [(library / f"{name}.py").read_text(encoding="utf-8") for name in EVALUATION_MODULES]


def training_documents() -> list[str]:
    """Return every other source of the standard library, ordered by its path."""
    library = _library_root()
    held_out = {f"{name}.py" for name in EVALUATION_MODULES}
    sources = (
        path
        for path in library.rglob("*.py")
        if not _NOT_FOR_TRAINING.intersection(path.relative_to(library).parts)
        and path.relative_to(library).as_posix() not in held_out
        and not path.name.startswith("_sysconfigdata")
    )
    return [_read_source(path) for path in sorted(sources)]


def _read_source(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _library_root() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])
