"""Notebook files: what a run's id covers of them, and what the pack keeps."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from sourcecode import saved

from critnb.canon import CANON, PACK_ROOT
from critnb.errors import DataError
from critnb.runs import notebook_source, pack_digests
from critnb.runs.notebook_files import code_of, pack_notebook

NOTEBOOKS = sorted((PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR).glob("*.ipynb"))


def written(path: Path, *cells: dict) -> Path:
    path.write_text(json.dumps({"cells": cells, "metadata": {"kernelspec": {"name": "k"}}, "nbformat": 4}))
    return path


def cell(source: str | list[str] = "x = 1\nx", **changes: object) -> dict:
    return {"cell_type": "code", "source": source, "outputs": [], "id": "a", "metadata": {}} | changes


def source(folder: Path, *cells: dict) -> bytes:
    return notebook_source(written(folder / "n.ipynb", *cells))


def test_the_source_is_what_code_cells_say(tmp_path):
    plain = source(tmp_path, cell())
    noise = {"outputs": [{"text": "1"}], "execution_count": 3, "id": "b", "metadata": {"tags": ["t"], "editor": 1}}
    assert source(tmp_path, cell(**noise)) == plain
    assert source(tmp_path, cell(["x = 1\n", "x"])) == plain
    assert source(tmp_path, cell("x=1  # one\r\nx")) == plain
    assert source(tmp_path, cell(cell_type="markdown", source="words"), cell()) == plain
    for other in (cell("x = 2\nx"), cell("x = 1\nx;"), cell(metadata={"tags": ["skip-execution"]})):
        assert source(tmp_path, other) != plain
    assert source(tmp_path, cell(), cell("")) != plain
    assert source(tmp_path, cell("x = 1"), cell("x")) != plain
    assert source(tmp_path, cell("x"), cell("y")) != source(tmp_path, cell("y"), cell("x"))


def test_a_parameters_cell_counts_without_its_text(tmp_path):
    tagged = {"metadata": {"tags": ["parameters"]}}
    defaults = source(tmp_path, cell("overrides = {}", **tagged))
    assert source(tmp_path, cell("overrides = {'a': 1}", **tagged)) == defaults
    assert source(tmp_path, cell("overrides = {'a': 1}")) != defaults


@pytest.mark.parametrize("text", ["", "[]", '{"cells": [{}]}', '{"cells": [{"cell_type": "code", "source": 3}]}'])
def test_no_notebook_is_one_line(tmp_path, text):
    (tmp_path / "broken.ipynb").write_text(text)
    with pytest.raises(DataError, match="not a readable notebook") as caught:
        notebook_source(tmp_path / "broken.ipynb")
    assert "\n" not in str(caught.value)


def test_imports_are_found_beside_magics(tmp_path):
    path = written(tmp_path / "n.ipynb", cell("import a"), cell("%%time\nfrom b import c\nd()"), cell("!ls"))
    assert code_of(path) == b"import a\nfrom b import c\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_that_was_run_and_saved_is_the_packs_notebook(path, tmp_path):
    copy = tmp_path / CANON.PATH.NOTEBOOKS_DIR / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    before = pack_digests([CANON.PATH.NOTEBOOKS_DIR], root=tmp_path), notebook_source(copy)
    saved(copy)
    assert copy.read_bytes() != path.read_bytes() == pack_notebook(copy.read_bytes())
    assert (pack_digests([CANON.PATH.NOTEBOOKS_DIR], root=tmp_path), notebook_source(copy)) == before
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[0].source += " And more."
    nbformat.write(notebook, copy)
    # what is released has another text, and no run of the stage is another for it
    assert pack_digests([CANON.PATH.NOTEBOOKS_DIR], root=tmp_path) != before[0]
    assert notebook_source(copy) == before[1]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"nbformat": 3, "worksheets": []}', b'{"nbformat": 4, "cells": [1]}', b"\xff"]
)
def test_what_is_no_notebook_is_kept_as_it_is(data):
    assert pack_notebook(data) == data


def test_pictures_in_prose_and_tags_are_the_packs(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("![](attachment:a.png)")])
    notebook.cells[0].attachments = {"a.png": {"image/png": "iVBORw0KGgo="}}
    notebook.cells[0].metadata.tags = ["wide"]
    kept = nbformat.reads(pack_notebook(nbformat.writes(notebook).encode()).decode(), as_version=4)
    nbformat.validate(kept)
    assert kept.cells[0].attachments == notebook.cells[0].attachments
    assert kept.cells[0].metadata.tags == ["wide"]
