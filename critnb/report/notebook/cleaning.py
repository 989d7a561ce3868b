"""Executed notebooks as a run keeps them: outputs and tracebacks, but no clock times, machine paths or chance ids.

Cleaned, a notebook is the same bytes whenever and in whatever folder the stage was run.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

Scrub = Callable[[str], str]
Node = dict[str, Any]

_INJECTED = "injected-parameters"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_CELL_TIMES = ("papermill", "execution", "ExecuteTime")
_LANGUAGE = ("name", "file_extension", "mimetype", "pygments_lexer", "nbconvert_exporter")
_KERNEL = ("name", "display_name", "language")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
# Begun at the start of a word only: an embedded picture is one word of a megabyte, and trying it at every letter is
# quadratic in its length.
_KERNEL_FILE = re.compile(r"(?<![^\s\"'<>])[^\s\"'<>]*ipykernel_\d+[\\/]\d+\.py")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A bar, an elapsed<left pair, a rate, or a remaining time: what progress leaves behind on stderr.
_PROGRESS = re.compile(r"\d+%\||\d:\d\d<|\d\s?[\w/]{0,20}/s\b|\bs/it\b|\d\s?\w{0,12}\s+left\b")


def clean(notebook: Mapping[str, Any], *, roots: Iterable[str | Path]) -> Node:
    """Return the notebook, an nbformat NotebookNode, without what the machine and the moment added.

    Paths under one of the folders ``roots`` become relative to it, the deepest folder first. Goes: execution times,
    papermill's metadata, widget views, progress on stderr, memory addresses, kernel versions. Stays: sources, outputs,
    tracebacks, warnings. Streams of one cell that stand side by side are joined, stdout first, since their
    interleaving is chance.
    """
    scrub = _scrubber(roots)
    cells = [_cell(cell, place, scrub) for place, cell in enumerate(notebook["cells"])]
    metadata = _metadata(notebook.get("metadata", {}))
    import nbformat

    cleaned: Node = nbformat.from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    return cleaned


def to_ipynb(notebook: Mapping[str, Any]) -> bytes:
    """Return the notebook file's bytes; raises nbformat.ValidationError where it is no notebook."""
    import nbformat

    node = nbformat.from_dict(copy.deepcopy(dict(notebook)))
    nbformat.validate(node)
    text: str = nbformat.writes(node)
    return f"{text.rstrip()}\n".encode()


def _scrubber(roots: Iterable[str | Path]) -> Scrub:
    deepest_first = sorted({str(root) for root in roots}, key=lambda root: (-len(root), root))
    patterns = [re.compile(rf"{re.escape(root)}(?:([\\/])|(?![\w-]))") for root in deepest_first]

    def scrub(text: str) -> str:
        for pattern in patterns:
            text = pattern.sub(lambda found: "" if found.group(1) else ".", text)
        return _ADDRESS.sub("at 0x…", _KERNEL_FILE.sub("<cell>", text))

    return scrub


def _metadata(metadata: Mapping[str, Any]) -> Node:
    kept: Node = {"title": metadata["title"]} if "title" in metadata else {}
    for section, names in (("kernelspec", _KERNEL), ("language_info", _LANGUAGE)):
        if section in metadata:
            kept[section] = {name: metadata[section][name] for name in names if name in metadata[section]}
    return kept


def _cell(cell: Mapping[str, Any], place: int, scrub: Scrub) -> Node:
    metadata = {name: value for name, value in cell.get("metadata", {}).items() if name not in _CELL_TIMES}
    cleaned: Node = {"cell_type": cell["cell_type"], "id": f"cell-{place:03d}", "metadata": metadata}
    cleaned["source"] = _joined(cell["source"])
    if _INJECTED in metadata.get("tags", ()):
        cleaned["source"] = _parameters(cleaned["source"], scrub)
    if cell["cell_type"] == "code":
        cleaned["execution_count"] = cell.get("execution_count")
        cleaned["outputs"] = list(_outputs(cell.get("outputs", ()), scrub))
    return cleaned


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _parameters(source: str, scrub: Scrub) -> str:
    """Return the injected assignments with every path relative; what is absolute and under no root keeps its name."""
    lines = ["# Parameters"]
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign):
            value = _relative(ast.literal_eval(statement.value), scrub)
            lines.append(f"{ast.unparse(statement.targets[0])} = {value!r}")
    return "\n".join(lines)


def _relative(value: Any, scrub: Scrub) -> Any:
    if isinstance(value, str):
        scrubbed = scrub(value)
        return PurePath(scrubbed).name if PurePath(scrubbed).is_absolute() else scrubbed
    if isinstance(value, dict):
        return {key: _relative(item, scrub) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_relative(item, scrub) for item in value)
    return value


def _outputs(outputs: Iterable[Mapping[str, Any]], scrub: Scrub) -> Iterable[Node]:
    for is_stream, group in itertools.groupby(outputs, key=lambda output: output["output_type"] == "stream"):
        if is_stream:
            yield from _streams(list(group), scrub)
        else:
            yield from (_output(output, scrub) for output in group if _WIDGET not in output.get("data", {}))


def _streams(outputs: list[Mapping[str, Any]], scrub: Scrub) -> Iterable[Node]:
    for name in ("stdout", "stderr"):
        text = "".join(_joined(output["text"]) for output in outputs if output["name"] == name)
        text = scrub(_settled(text) if name == "stdout" else _without_progress(text))
        if text:
            yield {"output_type": "stream", "name": name, "text": text}


def _settled(text: str) -> str:
    """Return the text as a terminal shows it: of an overwritten line only its last version."""
    return "\n".join(line.removesuffix("\r").rpartition("\r")[2] for line in text.split("\n"))


def _without_progress(text: str) -> str:
    lines = [line for line in text.split("\n") if not _PROGRESS.search(_ESCAPE.sub("", line))]
    kept = _settled("\n".join(lines))
    return kept if _ESCAPE.sub("", kept).strip() else ""


def _output(output: Mapping[str, Any], scrub: Scrub) -> Node:
    cleaned = {name: copy.deepcopy(value) for name, value in output.items() if name != "transient"}
    if "traceback" in cleaned:
        cleaned["traceback"] = [scrub(line) for line in cleaned["traceback"]]
        cleaned["evalue"] = scrub(cleaned["evalue"])
    for kind, value in cleaned.get("data", {}).items():
        if kind.startswith("text/"):
            cleaned["data"][kind] = scrub(_joined(value))
    return cleaned
