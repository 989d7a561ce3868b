"""The notebook that a run by hand keeps, made from cells that were executed in whatever order."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.errors import IntegrityError
from critnb.pipeline.by_hand.notebook_outputs import strange_cells, with_outputs
from critnb.pipeline.by_hand.recorder import Execution

BEGIN, MIDDLE, END = "stage = critnb.begin('S01')", "work(stage)", "stage.finish()"
ARGUMENTS = {"params": "mine.yaml", "overrides": {"role": "INSTRUCT"}, "run_dir": None}


def source(*cells: str) -> nbformat.NotebookNode:
    code = [nbformat.v4.new_code_cell(cell) for cell in (BEGIN, *cells, END)]
    parameters = nbformat.v4.new_code_cell("params = 'base.yaml'", metadata={"tags": ["parameters"]})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Title"), parameters, *code])


def ran(code: str, *texts: str) -> Execution:
    return Execution(code, [{"output_type": "stream", "name": "stdout", "text": text} for text in texts])


def kept(notebook: nbformat.NotebookNode, *executions: Execution) -> list[tuple[str, list[str]]]:
    made = with_outputs(notebook, executions, ARGUMENTS, "done")
    nbformat.validate(made)
    return [(cell.source, [_text(output) for output in cell.outputs]) for cell in made.cells if "outputs" in cell]


def _text(output: Any) -> str:
    return output.get("text") or output["data"]["text/plain"]


def test_each_cell_has_what_it_showed_last_and_the_end_has_its_line():
    found = kept(source(MIDDLE), ran(BEGIN), ran(MIDDLE, "once"), ran("own"), ran(MIDDLE, "twice"), ran(END, "ending"))
    assert found[1:] == [
        ("# Parameters\nparams = 'mine.yaml'\noverrides = {'role': 'INSTRUCT'}\nrun_dir = None", []),
        (BEGIN, []),
        (MIDDLE, ["twice"]),
        (END, ["ending", "'done'"]),
    ]


@given(st.lists(st.sampled_from(["a", "b"]), max_size=6))
def test_cells_with_the_same_text_have_their_own_outputs(texts):
    executions = [ran(text, str(place)) for place, text in enumerate(texts)]
    found = kept(source(*texts), ran(BEGIN), *executions, ran(END))
    assert found[3:-1] == [(text, [str(place)]) for place, text in enumerate(texts)]


def test_the_cell_that_begins_may_be_a_person_s_own():
    assert kept(source(), ran("stage = critnb.begin('S01', params='mine.yaml')"), ran(END))[-1] == (END, ["'done'"])


@pytest.mark.parametrize("executed", [[], ["work(stage) # changed"], [f"{MIDDLE}\nmore()"]])
def test_a_cell_that_was_not_run_as_it_stands_is_named(executed):
    with pytest.raises(IntegrityError, match=r"'work\(stage\)' was not run as the notebook file has it"):
        kept(source(MIDDLE), ran(BEGIN), *map(ran, executed), ran(END))


def test_cells_are_numbered_as_they_stand():
    made = with_outputs(source(MIDDLE), [ran(BEGIN), ran(MIDDLE), ran(END)], ARGUMENTS, "done")
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert code[-1].outputs[-1].execution_count == 5


def test_cells_of_one_s_own_are_counted():
    own = [ran("x = 1"), ran("x = 1"), ran(MIDDLE)]
    assert strange_cells(source(MIDDLE), [ran(BEGIN), *own, ran(END)]) == 2
    assert strange_cells(source(MIDDLE), [ran("stage = critnb.begin('S02')"), ran(MIDDLE), ran(END)]) == 0


def test_the_source_is_left_as_it_was():
    notebook = source(MIDDLE)
    before = nbformat.writes(notebook)
    kept(notebook, ran(BEGIN), ran(MIDDLE, "x"), ran(END))
    assert nbformat.writes(notebook) == before


def test_cells_in_another_order_than_the_notebook_s_are_refused():
    first, second = ran("first(stage)", "1"), ran("second(stage)", "2")
    notebook = source(first.code, second.code)
    with pytest.raises(IntegrityError, match=r"'second\(stage\)' was run after it.*\n.*those below it again"):
        kept(notebook, ran(BEGIN), second, first, ran(END))
    # looked at once more, and then gone on from there
    assert kept(notebook, ran(BEGIN), second, first, second, ran(END))[3:5] == [
        (first.code, ["1"]),
        (second.code, ["2"]),
    ]
