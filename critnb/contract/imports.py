"""What a file of the pack's code says: its digest, the modules of the pack that it imports, the constants that it names.

Sources are parsed and never imported, so that the code in an unpacked release can be read like this one's.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from critnb.runs.meaning import code_digest, syntax_tree, text_digest

PACKAGE = "critnb"
_CONSTANTS = "CONST"
_FOR_CHECKERS = "TYPE_CHECKING"
_MOST_FILES = 4096


@dataclass(frozen=True)
class Import:
    """``from module import name``; ``module`` as a whole where ``name`` is "". ``bound`` is what the file calls it.

    ``lazy``: it stands in a function. ``typing``: it stands under ``if TYPE_CHECKING`` and never runs.
    """

    module: str
    name: str
    bound: str
    lazy: bool = False
    typing: bool = False


@dataclass(frozen=True)
class Code:
    """One file: the digest of what it says, its imports out of the pack, and the names of the registry's constants in it.

    ``only_imports``: it does nothing but hand on names that it imports, as the ``__init__`` of most packages.
    """

    digest: str
    imports: tuple[Import, ...] = ()
    constants: frozenset[str] = frozenset()
    only_imports: bool = False

    def running(self, *, lazy: bool = True) -> Iterator[Import]:
        """Yield the imports that run, those in functions among them unless ``lazy`` is false."""
        return (each for each in self.imports if not each.typing and (lazy or not each.lazy))

    def handed_on(self) -> dict[str, Import]:
        """Return what the file has from elsewhere, by the name that others take it under."""
        return {each.bound: each for each in self.imports if each.name and not each.lazy}


@lru_cache(maxsize=_MOST_FILES)
def read_code(code: bytes, package: str = "") -> Code:
    """Return what a file of code says; ``package`` is the one that its relative imports are meant from.

    A file that is no Python, or is nested too deeply to be read, counts by its text and imports nothing.
    """
    tree = syntax_tree(code)
    found = _Reader(package)
    try:
        digest = code_digest(code, tree)
        found.visit(tree or ast.Module([], []))
    except RecursionError:
        return Code(text_digest(code))
    only_imports = tree is not None and all(map(_only_imports, tree.body))
    return Code(digest, tuple(dict.fromkeys(found.imports)), frozenset(found.constants), only_imports)


def _only_imports(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


class _Reader:
    def __init__(self, package: str) -> None:
        self.imports: list[Import] = []
        self.constants: set[str] = set()
        self._package = package
        self._lazy = self._typing = False

    def visit(self, node: ast.AST) -> None:
        """Read a node and all below it."""
        kind = type(node)
        if (read := _READERS.get(kind)) is not None:
            read(self, node)
        elif kind not in _LEAVES:
            self._below(node)

    def _below(self, node: ast.AST) -> None:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        self.visit(each)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if _is_ours(alias.name):
                self._add(alias.name, "", alias.asname or PACKAGE)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = self._absolute(node)
        if _is_ours(module):
            for alias in node.names:
                self._add(module, "" if alias.name == "*" else alias.name, alias.asname or alias.name)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outside, self._lazy = self._lazy, True
        self._below(node)
        self._lazy = outside

    def _if(self, node: ast.If) -> None:
        outside, self._typing = self._typing, self._typing or _last(node.test) == _FOR_CHECKERS
        for statement in node.body:
            self.visit(statement)
        self._typing = outside
        self.visit(node.test)
        for statement in node.orelse:
            self.visit(statement)

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr.isupper() and _last(node.value).endswith(_CONSTANTS):
            self.constants.add(node.attr)
        if isinstance(node.value, ast.Name) and node.value.id == PACKAGE:
            self._add(PACKAGE, node.attr, node.attr)
        self.visit(node.value)

    def _add(self, module: str, name: str, bound: str) -> None:
        self.imports.append(Import(module, name, bound, self._lazy, self._typing))

    def _absolute(self, node: ast.ImportFrom) -> str:
        above = self._package.split(".")[: len(self._package.split(".")) + 1 - node.level] if node.level else []
        return ".".join([*above, *filter(None, [node.module])])


_READERS: dict[type[ast.AST], Callable[[_Reader, Any], None]] = {
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import_from,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda), _Reader._function),
    ast.If: _Reader._if,
    ast.Attribute: _Reader._attribute,
}
# what most of a tree is made of, and says nothing here
_LEAVES = frozenset({ast.Name, ast.Constant, ast.Load, ast.Store, ast.Pass})


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def _last(node: ast.expr) -> str:
    """Return the last word of a dotted name, "" for another expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
