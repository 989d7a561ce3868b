"""The house as CONTRIBUTING describes it: rooms on floors, imports that lead downwards only, and what an addition touches."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from sourcecode import modules

from critnb.canon import PACK_ROOT

PAGE = (PACK_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LOOSE = {"__init__", "__main__", "errors", "gates"}
MOST_FILES = 4


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


FLOORS = {room: floor for floor, row in enumerate(reversed(table("Rooms"))) for room in code(row[0])}
ADDITIONS = {row[0]: row for row in table("Adding things")}


def room(path: Path) -> str:
    return path.relative_to(PACK_ROOT / "critnb").parts[0].removesuffix(".py")


def own_modules() -> list[Path]:
    return [path for path in modules() if path.is_relative_to(PACK_ROOT / "critnb")]


def arrows() -> dict[tuple[str, str], list[str]]:
    """The imports between rooms, those inside functions too, and the files that have them; for types alone, none."""
    found = defaultdict(list)
    for path in own_modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ]
        only_types = {id(inner) for node in typing for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if id(node) in only_types or not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            for parts in (name.split(".") for name in names):
                if parts[0] == "critnb" and len(parts) > 1 and parts[1] != room(path):
                    found[room(path), parts[1]].append(path.name)
    return found


def test_every_room_has_its_floor():
    assert {room(path) for path in own_modules()} - {"__init__", "__main__"} == set(FLOORS)
    assert {path.stem for path in (PACK_ROOT / "critnb").glob("*.py")} == LOOSE


def test_imports_lead_to_lower_floors():
    upward = {
        (above, below): files
        for (above, below), files in arrows().items()
        if above not in ("__init__", "__main__") and below in FLOORS and FLOORS[below] >= FLOORS[above]
    }
    assert upward == {}


@pytest.mark.parametrize("kind", ADDITIONS)
def test_what_an_addition_touches_is_what_the_page_says(kind):
    """Each row has an example that exists; no source file but the row's names it."""
    _, files, example = ADDITIONS[kind]
    listed = code(files)
    assert 0 < len(listed) <= MOST_FILES
    (name,) = code(example)
    named = {path.relative_to(PACK_ROOT).as_posix() for path in own_modules() if name in path.read_text()}
    assert named
    assert {path for path in named if not any(path.startswith(one) for one in listed)} == set()


def test_forward_passes_rest_on_nothing_that_draws():
    """What a run adopts of another may differ in figures and views only because of this."""
    below = defaultdict(set)
    for above, lower in arrows():
        below[above].add(lower)
    reached, waiting = set(), {"model", "events"}
    while waiting:
        reached.add(each := waiting.pop())
        waiting |= below[each] - reached
    assert {"lattice", "data"} < reached
    assert not reached & {"report", "stages", "paper"}


DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If)


def only_defines(node: ast.stmt, own: set[str]) -> bool:
    """Whether a statement of a module defines names, is prose, or calls a method of a class that the module defines."""
    if isinstance(node, ast.For):
        return all(only_defines(each, own) for each in node.body)
    if not isinstance(node, ast.Expr):
        return isinstance(node, DEFINES)
    call = node.value.func if isinstance(node.value, ast.Call) else None
    return isinstance(node.value, ast.Constant) or (isinstance(call, ast.Attribute) and ast.unparse(call.value) in own)


def test_importing_a_module_does_nothing_but_define_names():
    """A run's id covers a module only where a name is taken from it: one that registers itself would be missed."""
    at_work = []
    for path in own_modules():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        own = {node.name for node in body if isinstance(node, ast.ClassDef)}
        at_work += [f"{path.relative_to(PACK_ROOT)}:{node.lineno}" for node in body if not only_defines(node, own)]
    assert at_work == []
