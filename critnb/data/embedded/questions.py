"""Four-choice questions made from library docstrings, in the schema of ARC.

A question asks which of four lines describes a named object. Names are split by their last part, so that
``str.upper`` and ``bytes.upper``, whose descriptions nearly agree, never stand on both sides of the split.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import random
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypedDict

LABELS = ("A", "B", "C", "D")
# Descriptions of these live in C and so appear in no source that the models were trained on.
_BUILTIN_MODULES = (
    "array", "binascii", "bisect", "builtins", "cmath", "collections", "datetime", "decimal", "functools", "gc", "hashlib",
    "heapq", "io", "itertools", "marshal", "math", "mmap", "operator", "os", "random", "re", "select", "socket", "struct",
    "sys", "time", "types", "unicodedata", "weakref", "zlib",
)  # fmt: skip
_PYTHON_MODULES = (
    "abc", "ast", "asyncio", "base64", "bdb", "bz2", "cgitb", "codecs", "collections", "collections.abc", "concurrent.futures",
    "contextlib", "copy", "ctypes", "dataclasses", "datetime", "decimal", "dis", "email.message", "email.utils", "enum",
    "fileinput", "fnmatch", "ftplib", "functools", "genericpath", "getpass", "glob", "gzip", "hmac", "html", "html.parser",
    "http.client", "http.cookies", "imaplib", "imghdr", "importlib", "inspect", "io", "ipaddress", "json", "keyword",
    "linecache", "locale", "logging", "lzma", "mailbox", "mimetypes", "modulefinder", "multiprocessing", "netrc", "ntpath",
    "numbers", "os", "pathlib", "pdb", "pickle", "pickletools", "pkgutil", "platform", "plistlib", "poplib", "posixpath",
    "profile", "pstats", "pyclbr", "pydoc", "queue", "quopri", "random", "re", "runpy", "sched", "secrets", "shelve", "shlex",
    "shutil", "smtplib", "socket", "socketserver", "ssl", "stat", "string", "subprocess", "symtable", "sysconfig",
    "tarfile", "telnetlib", "tempfile", "threading", "tokenize", "trace", "traceback", "turtle", "types", "typing", "unittest",
    "unittest.mock", "urllib.parse", "urllib.request", "uuid", "warnings", "wave", "weakref", "webbrowser",
    "xml.dom.minidom", "xml.etree.ElementTree", "xml.sax", "xmlrpc.client", "zipapp", "zipfile", "zipimport",
)  # fmt: skip
_SHORTEST, _LONGEST = 20, 90  # characters of a usable description


class ArcChoices(TypedDict):
    text: list[str]
    label: list[str]


class ArcRecord(TypedDict):
    id: str
    question: str
    choices: ArcChoices
    answerKey: str


@dataclass(frozen=True)
class Described:
    """An object of the library and the one line that describes it."""

    name: str
    line: str

    @property
    def held_out(self) -> bool:
        """Whether questions about it belong to the evaluation set."""
        last = self.name.rpartition(".")[2]
        return hashlib.sha256(last.encode()).digest()[0] < 128


def evaluation_questions(limit: int | None = None) -> list[ArcRecord]:
    """Return the questions about held-out built-in objects, in a fixed order; ``limit`` keeps the first ones."""
    pool = [entry for entry in builtin_descriptions() if entry.held_out]
    order = sorted(pool, key=lambda entry: hashlib.sha256(entry.name.encode()).digest())
    return [question_about(entry, pool, random.Random(entry.name)) for entry in order[:limit]]


@cache
def evaluation_questions_of_python() -> tuple[ArcRecord, ...]:
    """Return ``evaluation_questions`` as a bare interpreter has them.

    A notebook's kernel puts functions of its own in the place of built-in ones, ``input`` among them.
    """
    command = [sys.executable, "-I", "-S", __file__]
    done = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8")
    return tuple(json.loads(done.stdout))


def question_about(entry: Described, pool: list[Described], rng: random.Random) -> ArcRecord:
    """Return a question about ``entry`` whose three wrong choices are lines of ``pool``."""
    lines = [entry.line]
    while len(lines) < len(LABELS):
        line = rng.choice(pool).line
        if line not in lines:
            lines.append(line)
    rng.shuffle(lines)
    return {
        "id": entry.name,
        "question": f"Which line describes {entry.name}?",
        "choices": {"text": lines, "label": list(LABELS)},
        "answerKey": LABELS[lines.index(entry.line)],
    }


def builtin_descriptions() -> list[Described]:
    """Return the described objects that are implemented in C, by name, each line once."""
    return _unique(entry for entry, in_c in _described(_BUILTIN_MODULES) if in_c)


def python_descriptions() -> list[Described]:
    """Return the described objects that are implemented in Python, by name, each line once."""
    return _unique(entry for entry, in_c in _described(_PYTHON_MODULES) if not in_c)


def _unique(entries: Iterable[Described]) -> list[Described]:
    by_line: dict[str, Described] = {}
    for entry in sorted(entries, key=lambda entry: (len(entry.name), entry.name)):
        by_line.setdefault(entry.line, entry)
    return sorted(by_line.values(), key=lambda entry: entry.name)


def _described(modules: tuple[str, ...]) -> Iterator[tuple[Described, bool]]:
    for module_name in modules:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                module = importlib.import_module(module_name)
        except ImportError:  # not every platform and version has every module
            continue
        prefix = "" if module_name == "builtins" else f"{module_name}."
        for name, member in _public_members(module):
            if inspect.isclass(member):
                members = [(f"{prefix}{name}.{part}", attribute) for part, attribute in _public_members(member)]
            else:
                members = [(f"{prefix}{name}", member)]
            for path, value in members:
                line = _summary(value)
                if line is not None:
                    yield Described(path, line), not inspect.isfunction(value)


def _public_members(owner: object) -> list[tuple[str, object]]:
    return [(name, value) for name, value in sorted(vars(owner).items()) if not name.startswith("_")]


def _summary(value: object) -> str | None:
    if not inspect.isroutine(value) or not isinstance(value.__doc__, str):
        return None
    line = next((line.strip() for line in value.__doc__.splitlines() if line.strip()), "")
    usable = _SHORTEST <= len(line) <= _LONGEST and line.endswith(".") and "->" not in line and "(" not in line
    return line if usable else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(evaluation_questions()))
