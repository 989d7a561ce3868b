"""What Python code says, as a digest: its syntax tree without comments, docstrings, formatting and positions.

The walk is written out here, since what ``ast.dump`` and ``ast.unparse`` give differs between versions of Python.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from critnb.runs.files import sha256_hex

# where a name stands, and how a literal is spelled
_UNSAID = frozenset({"ctx", "type_comment", "type_ignores", "kind"})
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_DOCSTRINGS = "__doc__"
_NOTHING = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)


def syntax_tree(code: bytes | str) -> ast.Module | None:
    """Return the syntax tree of code, None where it is no Python that can be read."""
    with warnings.catch_warnings():
        # such as of an escape in a string that Python will refuse one day
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def code_digest(code: bytes, tree: ast.Module | None) -> str:
    """Return the sha256 of what a file of code says, ``tree`` being its syntax tree; of its text with LF where it has none.

    Statements that are only a literal, docstrings among them, and ``pass`` do nothing and are left out. In a file that
    names ``__doc__`` they count.
    """
    return text_digest(code) if tree is None else _tree_digest(tree, docstrings=_names_docstrings(code, tree))


def cell_digest(source: str) -> str:
    """Return the sha256 of what a notebook's cell says; of its text where it is more than Python, as with a magic.

    Its last expression is shown, unless a semicolon follows, so both count; a literal that stands alone does, too.
    """
    tree = syntax_tree(source)
    text = source.encode("utf-8", "surrogatepass")
    if tree is None:
        return text_digest(text)
    docstrings = _names_docstrings(text, tree)
    try:
        said = [_tree_digest(statement, docstrings=docstrings) for statement in tree.body]
    except RecursionError:
        return text_digest(text)
    return sha256_hex(" ".join([*said, *([";"] if _is_silent(source) else [])]).encode("ascii"))


def text_digest(text: bytes) -> str:
    """Return the sha256 of a text with LF."""
    return sha256_hex(text.replace(b"\r\n", b"\n"))


def _tree_digest(tree: ast.AST, *, docstrings: bool) -> str:
    parts: list[str] = []
    _write(tree, parts, docstrings)
    return sha256_hex("".join(parts).encode("ascii"))


def _names_docstrings(code: bytes, tree: ast.AST) -> bool:
    fields = ("attr", "id", "value")
    return _DOCSTRINGS.encode() in code and any(
        getattr(node, name, None) == _DOCSTRINGS for node in ast.walk(tree) for name in fields
    )


def _is_silent(source: str) -> bool:
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    return next((token.string == ";" for token in reversed(tokens) if token.type not in _NOTHING), False)


def _write(node: Any, parts: list[str], docstrings: bool) -> None:
    kind = type(node)
    if kind is ast.Constant:
        parts.append(f"(Constant{_value(node.value)})")
        return
    parts.append(f"({kind.__name__}")
    for name in _FIELDS.get(kind) or _fields(kind):
        value = getattr(node, name, None)
        if value is None:
            continue
        if isinstance(value, ast.AST):
            if not _is_plain_format(value):
                parts.append(f" {name}=")
                _write(value, parts, docstrings)
        elif isinstance(value, list):
            if value:
                _write_list(name, _joined(value) if kind is ast.JoinedStr else value, parts, docstrings)
        else:
            parts.append(f" {name}={_value(value)}")
    parts.append(")")


def _write_list(name: str, items: Sequence[Any], parts: list[str], docstrings: bool) -> None:
    said = items if docstrings else [item for item in items if not _does_nothing(item)]
    if not said:
        return
    parts.append(f" {name}=[")
    for item in said:
        if isinstance(item, ast.AST):
            _write(item, parts, docstrings)
        else:
            parts.append(f"{_value(item)},")
    parts.append("]")


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(name for name in kind._fields if name not in _UNSAID)
    return _FIELDS[kind]


def _does_nothing(item: Any) -> bool:
    kind = type(item)
    return kind is ast.Pass or (kind is ast.Expr and type(item.value) is ast.Constant)


def _value(value: Any) -> str:
    """Return a literal or a name as ASCII: one text for each value and type, whatever Unicode a Python knows."""
    kind = type(value)
    if kind is int:
        return hex(value)
    if kind is complex:
        return f"{value.real!r}+{value.imag!r}j"
    return ascii(value)


def _joined(values: Iterable[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string, texts that stand side by side as one, since Pythons split them differently."""
    found: list[ast.expr] = []
    for value in values:
        if not isinstance(value, ast.Constant):
            found.append(value)
        elif found and isinstance(found[-1], ast.Constant):
            found[-1] = ast.Constant(str(found[-1].value) + str(value.value))
        elif value.value:
            found.append(value)
    return found


def _is_plain_format(value: ast.AST) -> bool:
    return type(value) is ast.JoinedStr and not _joined(value.values)
