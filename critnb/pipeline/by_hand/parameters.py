"""The parameters of a notebook that a person runs: names and values that no stage takes are refused, not passed over.

papermill writes every parameter that it is given into a cell of its own, known to the notebook or not, and only warns.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import Any

from critnb.errors import ParamsError
from critnb.params.core_schema import named
from critnb.runs.meaning import syntax_tree
from critnb.system.terminal import plain

KNOWN = ("params", "overrides", "run_dir")
# how papermill begins the cell that it writes
_INJECTED = "# Parameters"
_SHOWN = 60


def refuse_unknown_parameters() -> None:
    """Raise ParamsError where this kernel's notebook was given a parameter that it does not have; see ``unknown_parameters``."""
    if "ipykernel" not in sys.modules:
        return
    from IPython import get_ipython

    shell = get_ipython()
    cells = () if shell is None else shell.user_ns.get("In", ())
    for name, meant in unknown_parameters(list(map(str, cells))):
        known = f"did you mean {meant}?" if meant else f"a stage's notebook takes {', '.join(KNOWN)}"
        raise ParamsError(
            f"parameter {plain(name, _SHOWN)} is not known; {known}\n"
            "keys of the params stand in overrides, such as overrides = {'gain.grid': [0.9, 1.0]}"
        )


def unknown_parameters(cells: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield name and, if one is like it, the parameter that was meant, by the ``cells`` executed so far, the latest last.

    In papermill's cell every other name is one; in the notebook's own, which may hold helpers of a person's, a name that is
    like a parameter's.
    """
    injected = next((cell for cell in reversed(cells) if cell.lstrip().startswith(_INJECTED)), "")
    own = next((cell for cell in reversed(cells) if cell is not injected and {*KNOWN} & {*_assigned(cell)}), "")
    for cell in (injected, own):
        for name in _assigned(cell):
            meant = next(iter(get_close_matches(name, KNOWN, n=1)), None)
            if name not in KNOWN and (cell is injected or meant):
                yield name, meant


def _assigned(cell: str) -> list[str]:
    tree = syntax_tree(cell)
    statements = [] if tree is None else tree.body
    targets = [each for statement in statements if isinstance(statement, ast.Assign) for each in statement.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def refuse_unfit(params: Any, overrides: Any) -> None:
    """Raise ParamsError for values of ``params`` and ``overrides`` that cannot be what they stand for."""
    if not isinstance(params, str | PathLike):
        raise ParamsError(f"params: must be the path of a params file, found {named(params)}")
    if not isinstance(overrides, Mapping):
        raise ParamsError(
            f"overrides: must be a mapping of keys, found {named(overrides)}\n"
            "with papermill: -y '{overrides: {gain.grid: [0.9, 1.0]}}'"
        )
