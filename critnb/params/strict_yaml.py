"""YAML as params files may use it: the core schema of YAML 1.2 without tags, anchors and repeated keys, within limits.

A plain scalar is null, true or false, a number, or else the text as it is written. What versions of YAML read as
different numbers (010 is 8 to one and 10 to another) is refused. PyYAML's own constructors see nothing of a file.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from critnb.errors import ParamsError
from critnb.params.core_schema import DECIMAL, WHOLE, named, scalar
from critnb.system.paths import kind
from critnb.system.terminal import is_half, plain

Place = tuple[str | int, ...]

# far above any params file, and read in half a second
MOST_BYTES = 100_000
MOST_NODES = 10_000
DEEPEST = 16
_SHOWN = 40


class _ProblemError(Exception):
    """A value that cannot be used, at a place and line of the text."""

    def __init__(self, problem: str, place: Place, mark: yaml.Mark) -> None:
        super().__init__(problem)
        self.problem, self.place, self.mark = problem, place, mark


@dataclass(frozen=True)
class Document:
    """What a YAML text holds, and the line at which each key and item of it stands."""

    value: Any
    lines: Mapping[Place, int] = field(default_factory=dict)


class _StrictLoader(yaml.SafeLoader):
    """Composes nodes, bounded in number and depth; refuses tags, anchors and aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if refused := self._refused(event):
            raise yaml.MarkedYAMLError(problem=refused, problem_mark=event.start_mark)
        self._nodes += 1
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refused(self, event: Any) -> str | None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            return f"anchors and aliases (& and *) are not allowed, found {plain(event.anchor, _SHOWN)}; write the value out"
        if event.tag is not None:
            return f"the tag {plain(event.tag, _SHOWN)} is not allowed"
        if self._nodes >= MOST_NODES:
            return f"more than {MOST_NODES} keys and values"
        return f"more than {DEEPEST} levels" if self._depth >= DEEPEST else None


class _StrictDumper(yaml.SafeDumper):
    """Quotes text that the loader, or one of YAML 1.1, would read as something else, and escapes folded line breaks."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if _FOLDED & set(data) else None)


_FOLDED = frozenset("\x85\u2028\u2029")
_StrictDumper.add_representer(str, _StrictDumper.represent_str)
for _kind, _pattern in (("int", WHOLE), ("float", DECIMAL)):
    _StrictDumper.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern.pattern})$"), list("-+.0123456789")
    )


def dump_yaml(value: Any) -> str:
    """Return plain values as YAML that ``parse_yaml`` reads back as they were; keys keep their order.

    Where a text holds a character that could steer a terminal, all that are not ASCII are escaped.
    """
    text: str = yaml.dump(value, Dumper=_StrictDumper, sort_keys=False, allow_unicode=True)
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return yaml.dump(value, Dumper=_StrictDumper, sort_keys=False, allow_unicode=False)


def parse_yaml(text: str, *, origin: str) -> Any:
    """Parse YAML text strictly; raises ParamsError with ``origin``, the line and the key or column of a mistake."""
    return _document(text, origin).value


def read_yaml(path: Path) -> Document:
    """Return a params file's mapping with its lines; raises ParamsError where it cannot be read or holds something else."""
    document = read_document(path)
    if document.value is None:
        return Document({})
    if not isinstance(document.value, dict):
        raise ParamsError(f"{plain(path.name)}: must be a mapping of sections, found {named(document.value)}")
    return document


def read_document(path: Path) -> Document:
    """Return whatever value a YAML file holds, with its lines; raises ParamsError where it cannot be read."""
    name = plain(path.name)
    try:
        return _document(_bytes(path).removeprefix(codecs.BOM_UTF8).decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise ParamsError(f"{name}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ParamsError(f"{plain(path)}: cannot be read: {error.strerror}") from None


def _bytes(path: Path) -> bytes:
    # not blocking: a pipe may have taken the file's place since it was found
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
        if kind(path) != "file":
            raise ParamsError(f"{plain(path)}: is {kind(path) or 'gone'}; give the path of a params file")
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ParamsError(f"{plain(path.name)}: longer than {MOST_BYTES} bytes, so it is no params file")
    return content


def _document(text: str, origin: str) -> Document:
    if len(text) > MOST_BYTES:
        raise ParamsError(f"{origin}: longer than {MOST_BYTES} characters")
    lines: dict[Place, int] = {}
    loader = None
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        return Document(None if node is None else _value(node, (), lines), lines)
    except yaml.reader.ReaderError as error:
        where = f"line {text.count(chr(10), 0, error.position) + 1}"
        what = "bytes that are not UTF-8" if is_half(chr(error.character)) else f"the character U+{error.character:04X}"
        raise ParamsError(f"{origin}: {where}: not YAML: {what}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise ParamsError(f"{origin}:{where} {plain(_words(error), 200)}") from None
    except _ProblemError as error:
        key = f" {dotted(error.place)}:" if error.place else ""
        raise ParamsError(f"{origin}: line {error.mark.line + 1}:{key} {error.problem}") from None
    except (ValueError, OverflowError):
        # the scanner makes a character of any escape, of \UFFFFFFFF too
        where = f" line {loader.get_mark().line + 1}:" if loader else ""
        raise ParamsError(f"{origin}:{where} an escape that stands for no character") from None


def _words(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, yaml.composer.ComposerError) and error.context:
        return f"{error.context}, {error.problem}"
    return str(error.problem or error.context)


def dotted(place: Place) -> str:
    """Return the key of a place as a user writes it, fit for a terminal."""
    return plain(".".join(map(str, place)), 100)


def _value(node: yaml.Node, place: Place, lines: dict[Place, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key_node, item in node.value:
            key = _key(key_node, place)
            if key in found:
                raise _ProblemError("the key stands twice", (*place, key), key_node.start_mark)
            lines[*place, key] = key_node.start_mark.line + 1
            found[key] = _value(item, (*place, key), lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[*place, position] = item.start_mark.line + 1
        return [_value(item, (*place, position), lines) for position, item in enumerate(node.value)]
    try:
        return _of_scalar(node)
    except ValueError as error:
        raise _ProblemError(str(error), place, node.start_mark) from None


def _key(node: yaml.Node, place: Place) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _ProblemError("a key must be text, found a list or a mapping", place, node.start_mark)
    try:
        key = _of_scalar(node)
    except ValueError as error:
        raise _ProblemError(f"a key that cannot be used: {error}", place, node.start_mark) from None
    if not isinstance(key, str):
        raise _ProblemError(f"a key must be text, found {named(key)}", (*place, node.value), node.start_mark)
    return key


def _of_scalar(node: Any) -> Any:
    return scalar(node.value, is_plain=node.style is None)
