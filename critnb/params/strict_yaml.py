"""YAML as params files may use it: no tags, no repeated keys, and 1e-5 read as the number that it looks like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from critnb.errors import ParamsError


class _StrictLoader(yaml.SafeLoader):
    """YAML without tags and without repeated keys, reading 1e-5 as the number that it looks like."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem=f"the tag {event.tag} is not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                problem = f"the key {key!r} stands twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.value[position][0].start_mark)
        return super().construct_mapping(node, deep)


class _StrictDumper(yaml.SafeDumper):
    """Quotes text that the loader would read as a number, and escapes the line breaks that YAML would fold."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if _FOLDED & set(data) else None)


_FOLDED = frozenset("\x85\u2028\u2029")
_StrictDumper.add_representer(str, _StrictDumper.represent_str)

for _half in (_StrictLoader, _StrictDumper):
    _half.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )


def dump_yaml(value: Any) -> str:
    """Return plain values as YAML that ``parse_yaml`` reads back as they were; keys keep their order."""
    text: str = yaml.dump(value, Dumper=_StrictDumper, sort_keys=False, allow_unicode=True)
    return text


def parse_yaml(text: str, *, origin: str) -> Any:
    """Parse YAML text strictly; raises ParamsError with the line and column of a mistake."""
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParamsError(f"{origin}:{place} {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{origin}: not YAML: {' '.join(str(error).split())}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a params file's mapping; raises ParamsError when it cannot be read or holds something else."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"), origin=path.name)
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ParamsError(f"{path.name}: must be a mapping of sections, found {type(tree).__name__}")
    return tree
