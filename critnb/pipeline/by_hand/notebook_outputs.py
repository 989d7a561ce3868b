"""The notebook that a run by hand keeps: the file's cells with the outputs that the kernel showed."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

from critnb.errors import IntegrityError
from critnb.pipeline.by_hand.recorder import Execution

_BEGINS = "critnb.begin("
_FINISHES = ".finish()"
_PARAMETERS = "parameters"
_INJECTED = "injected-parameters"


def with_outputs(
    source: nbformat.NotebookNode, executions: Sequence[Execution], arguments: Mapping[str, Any], last_line: str
) -> nbformat.NotebookNode:
    """Return the notebook ``source`` with what its cells showed when they were last executed, the running one last.

    ``arguments`` are what the stage was begun with and stand in a cell of their own, as papermill writes them;
    ``last_line`` is what the running cell, which ends the stage, is about to return. Raises IntegrityError where a cell
    behind the one that begins the stage was not executed as the source has it, or not in its order.
    """
    notebook = copy.deepcopy(source)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begins = next((place for place, cell in enumerate(code) if _BEGINS in cell.source), -1)
    found, latest = _executed(code, executions), -1
    for place, cell in enumerate(code):
        when = found.get(place)
        if when is not None:
            cell.outputs = [nbformat.from_dict(output) for output in executions[when].outputs]
        if place > begins:
            if when is None:
                raise IntegrityError(_not_run(cell.source))
            if when < latest:
                raise IntegrityError(_out_of_order(cell.source))
            latest = when
    _add_result(code[-1], last_line)
    _inject(notebook, arguments)
    _number(notebook)
    return notebook


def strange_cells(source: nbformat.NotebookNode, executions: Sequence[Execution]) -> int:
    """Return how many executed cells are not in the notebook: they may have changed what its cells computed."""
    known = {cell.source.strip() for cell in source.cells}
    return sum(execution.code.strip() not in known and _BEGINS not in execution.code for execution in executions)


def _executed(code: Sequence[nbformat.NotebookNode], executions: Sequence[Execution]) -> dict[int, int]:
    """Return cell index -> index of its last execution; of cells with the same text, the last one gets the last execution."""
    by_text: dict[str, list[int]] = defaultdict(list)
    for when, execution in enumerate(executions):
        by_text[execution.code.strip()].append(when)
    found: dict[int, int] = {}
    for place in reversed(range(len(code))):
        same = by_text[code[place].source.strip()]
        if same:
            found[place] = same.pop()
    return found


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if line.strip()), "")


def _out_of_order(source: str) -> str:
    return (
        f"a cell above the one that begins with {_first_line(source)!r} was run after it, so the notebook would not say how this "
        "run came about\nrun that cell and those below it again"
    )


def _not_run(source: str) -> str:
    return (
        f"the cell that begins with {_first_line(source)!r} was not run as the notebook file has it, so nobody could make this run "
        "again\n"
        "save the notebook if it was changed, and run it from the top"
    )


def _add_result(cell: nbformat.NotebookNode, line: str) -> None:
    if cell.source.rstrip().endswith(_FINISHES):
        data = {"text/plain": repr(line)}
        cell.outputs.append(nbformat.v4.new_output("execute_result", data=data))


def _inject(notebook: nbformat.NotebookNode, arguments: Mapping[str, Any]) -> None:
    lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in arguments.items())]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [_INJECTED]})
    places = [n for n, each in enumerate(notebook.cells) if _PARAMETERS in each.metadata.get("tags", ())]
    notebook.cells.insert(places[0] + 1 if places else 0, cell)


def _number(notebook: nbformat.NotebookNode) -> None:
    """Number the code cells from the top, as a run from the top does; the counts of a person's kernel are arbitrary."""
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
