"""Notebook files: what their code cells say, which a run's id covers, and the form in which the pack keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from critnb.canon import CANON
from critnb.errors import DataError
from critnb.runs.encoding import canonical_json
from critnb.runs.meaning import cell_digest, syntax_tree

_PARAMETERS = "parameters"
# tags of a cell that decide whether it runs and what becomes of its errors
_DECIDING = frozenset({"skip-execution", "raises-exception"})
_IMPORTING = ("import ", "from ")
_MAJOR, _MINOR = 4, 5
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
Cell = Mapping[str, Any]


def notebook_source(path: Path) -> bytes:
    """Return canonical bytes of what a notebook's code cells say: nothing of its prose, nor what a run or an editor adds.

    The cell tagged ``parameters`` counts without its text: what it says is in the resolved params. Raises DataError for a
    file that is no notebook.
    """
    return canonical_json([_said(cell) for cell in _code_cells(path)])


def code_of(path: Path) -> bytes:
    """Return the code of a notebook's cells, in their order, to look for imports in it.

    Of a cell that is more than Python, as with a magic, the lines that import. Raises DataError for a file that is no
    notebook.
    """
    return "\n".join(_python(_text(cell)) for cell in _code_cells(path)).encode("utf-8", "replace")


def _python(source: str) -> str:
    if syntax_tree(source) is not None:
        return source
    lines = [line.strip() for line in source.splitlines()]
    return "\n".join(line for line in lines if line.startswith(_IMPORTING) and syntax_tree(line) is not None)


def _code_cells(path: Path) -> list[Cell]:
    try:
        return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if _is_code(cell)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a readable notebook ({type(error).__name__}: {error})") from error


def _is_code(cell: Cell) -> bool:
    return bool(cell["cell_type"] == "code") and isinstance(_text(cell), str)


def _said(cell: Cell) -> list[str]:
    tags = _tags(cell)
    return [*sorted(_DECIDING & tags), "" if _PARAMETERS in tags else cell_digest(_text(cell))]


def _text(cell: Cell) -> str:
    return "".join(cell["source"]).replace("\r\n", "\n")


def _tags(cell: Cell) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", ()))


def is_notebook(name: str) -> bool:
    """Tell whether a file of the pack, by its POSIX path, is one of its notebooks."""
    return name.startswith(f"{CANON.PATH.NOTEBOOKS_DIR}/") and name.endswith(".ipynb")


def pack_notebook(data: bytes) -> bytes:
    """Return the bytes of a notebook as the pack keeps and releases it: cells with their tags, in the order of the file.

    Outputs, execution counts, ids and what an editor notes of itself are not the pack's. A file that is no notebook of
    nbformat 4 is returned as it is.
    """
    try:
        notebook = json.loads(data)
        if notebook["nbformat"] != _MAJOR:
            return data
        cells = [_kept(cell, place) for place, cell in enumerate(notebook["cells"])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return data
    kept = {"cells": cells, "metadata": _METADATA, "nbformat": _MAJOR, "nbformat_minor": _MINOR}
    return f"{json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()


def _kept(cell: Cell, place: int) -> dict[str, Any]:
    tags = cell["metadata"].get("tags")
    kept: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{place:02}",
        "metadata": {"tags": tags} if tags else {},
        "source": _text(cell).splitlines(keepends=True),
    }
    if cell.get("attachments"):
        kept["attachments"] = cell["attachments"]
    return {**kept, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else kept
