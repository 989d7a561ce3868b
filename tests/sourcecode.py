"""The pack's own source as tests read it: string literals, and which critnb modules a piece of code imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat

from critnb.canon import PACK_ROOT

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> list[Path]:
    return [PACK_ROOT / "runner.py", *sorted((PACK_ROOT / "critnb").rglob("*.py"))]


def code_cells(notebook: Path) -> ast.Module:
    cells = nbformat.read(notebook, as_version=4).cells
    return ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def saved(path: Path) -> None:
    """Run and save a notebook as JupyterLab does."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {
        "kernelspec": {"name": "own", "display_name": "My own"},
        "language_info": {"version": "3.13.1"},
    }
    for place, each in enumerate(notebook.cells):
        each.id = f"other-{place}"
        each.metadata["collapsed"] = True
        if each.cell_type == "code":
            each.execution_count = place
            each.outputs = [nbformat.v4.new_output("stream", text="shown")]
    nbformat.write(notebook, path)


def literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of every string in code, f-strings' fixed parts too; docstrings are prose and left out."""
    prose = {
        id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED) and _opens_with_text(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def _opens_with_text(node: ast.AST) -> bool:
    body = getattr(node, "body", [])
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def imported(tree: ast.AST) -> set[str]:
    """Names of the critnb modules that code imports, at its top or inside functions, seen through re-exports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node.module):
            found |= {_home(str(node.module), alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if _ours(alias.name)}
    return found


@cache
def imported_by(module: str) -> frozenset[str]:
    return frozenset(imported(ast.parse(_file(module).read_text())))


def _ours(name: str | None) -> bool:
    return name is not None and name.partition(".")[0] == "critnb"


@cache
def _home(package: str, name: str) -> str:
    """The module where a name imported from a package lives."""
    if _file(f"{package}.{name}").is_file():
        return f"{package}.{name}"
    for node in ast.walk(ast.parse(_file(package).read_text())):
        if isinstance(node, ast.ImportFrom) and _ours(node.module) and _file(package).name == "__init__.py":
            for alias in node.names:
                if name in (alias.asname, alias.name):
                    return _home(str(node.module), alias.name)
    return package


def _file(module: str) -> Path:
    base = PACK_ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
