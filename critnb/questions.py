"""Multiple-choice questions in the schema of ARC: where they come from, read and checked, told by their content alone."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from critnb import sources
from critnb.canon import DatasetRole
from critnb.errors import DataError, DependencyError
from critnb.params import EmbeddedQuestions, FileQuestions, HubQuestions, Loaded
from critnb.sources import Corpus

_ROLE = DatasetRole.ARC_MCQ
_FEWEST, _MOST = 3, 5
_Placed = tuple[str, Any]


@dataclass(frozen=True)
class Question:
    """One question: its choices with their labels, in order, and the place of the right one among them."""

    id: str
    text: str
    labels: tuple[str, ...]
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class QuestionSet:
    """The questions of role ARC_MCQ, and where they come from."""

    corpus: Corpus
    questions: tuple[Question, ...]


def read(loaded: Loaded) -> QuestionSet:
    """Read and check the questions that the params name, the first ``limit`` of them.

    Their identity is the hash of what they hold, whatever the source. Raises DependencyError where they cannot be had
    and DataError naming the file and the line (row) of a question that cannot be used.
    """
    source = loaded.params.data.ARC_MCQ
    revision = sources.hub_revision(source, _ROLE) if isinstance(source, HubQuestions) else None
    found = tuple(_distinct(islice(_records(source, revision, loaded), source.limit)))
    if not found:
        raise DataError(f"data.{_ROLE}: no questions in {_named(source)}; check the source")
    digest = hashlib.sha256()
    for question in found:
        encoded = json.dumps(astuple(question)).encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    split = source.split if isinstance(source, HubQuestions) else None
    if isinstance(source, EmbeddedQuestions):
        revision = f"python-{platform.python_version()}"
    return QuestionSet(Corpus(_ROLE, _named(source), revision, split, digest.hexdigest()), found)


def _named(source: EmbeddedQuestions | FileQuestions | HubQuestions) -> str:
    if isinstance(source, HubQuestions):
        return f"hub:{source.id}"
    return f"file:{Path(source.path).name}" if isinstance(source, FileQuestions) else source.source


def parse(record: Any, where: str) -> Question:
    """Return the question of one record ``{id, question, choices: {text, label}, answerKey}``.

    Raises DataError beginning with ``where`` unless id, question, labels and choices are text with something in it,
    there are 3 to 5 choices, their labels differ, and answerKey is one of them.
    """
    fields = record if isinstance(record, dict) else {}
    given = fields.get("choices")
    both = given if isinstance(given, dict) else {}
    labels, choices = (_texts(both.get(name), f"choices.{name}", where) for name in ("label", "text"))
    if len(labels) != len(choices):
        raise DataError(f"{where}: {len(choices)} choices have {len(labels)} labels; give one label a choice")
    if not _FEWEST <= len(choices) <= _MOST:
        raise DataError(f"{where}: {len(choices)} choices; a question needs {_FEWEST} to {_MOST}")
    if len(set(labels)) < len(labels):
        raise DataError(f"{where}: a label stands twice in {', '.join(labels)}; labels must differ")
    key = _text(fields.get("answerKey"), "answerKey", where)
    if key not in labels:
        raise DataError(f"{where}: answerKey {key!r} is none of the labels {', '.join(labels)}")
    name, text = (_text(fields.get(field), field, where) for field in ("id", "question"))
    return Question(name, text, labels, choices, labels.index(key))


def _texts(values: Any, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise DataError(f"{where}: no list of text in {name}; questions have the schema of ARC")
    return tuple(_text(value, f"{name}[{place}]", where) for place, value in enumerate(values))


def _text(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: no text in {name}; questions have the schema of ARC")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DataError(f"{where}: {name} holds half of a surrogate pair; repair the text") from None
    return value


def _distinct(placed: Iterator[_Placed]) -> Iterator[Question]:
    seen: dict[str, str] = {}
    for where, record in placed:
        question = parse(record, where)
        if question.id in seen:
            raise DataError(
                f"{where}: the id {question.id!r} stands before, at {seen[question.id].rpartition(': ')[2]}"
            )
        seen[question.id] = where
        yield question


def _records(
    source: EmbeddedQuestions | FileQuestions | HubQuestions, revision: str | None, loaded: Loaded
) -> Iterator[_Placed]:
    if isinstance(source, FileQuestions):
        yield from _file_records(source, loaded)
    elif isinstance(source, HubQuestions):
        rows = sources.hub_rows(source, _ROLE, revision=revision)
        yield from ((f"data.{_ROLE}: {source.id} row {n}", row) for n, row in enumerate(rows, start=1))
    else:
        from critnb.embedded.questions import evaluation_questions_of_python

        questions = evaluation_questions_of_python()
        yield from ((f"data.{_ROLE}: {question['id']}", question) for question in questions)


def _file_records(source: FileQuestions, loaded: Loaded) -> Iterator[_Placed]:
    paths = sources.matching_files(source.path, loaded)
    if not paths:
        raise DependencyError(
            f"data.{_ROLE}.path: no file matches {loaded.resolve(source.path)}; give the path of a .jsonl or .parquet"
        )
    for path in paths:
        match path.suffix.lower():
            case ".jsonl":
                yield from _json_lines(path)
            case ".parquet":
                yield from _parquet_rows(path)
            case suffix:
                raise DataError(f"data.{_ROLE}: {path} is a {suffix or 'file without suffix'}; use .jsonl or .parquet")


def _json_lines(path: Path) -> Iterator[_Placed]:
    for number, line in enumerate(sources.read_text(path, _ROLE).split("\n"), start=1):
        where = f"data.{_ROLE}: {path} line {number}"
        if line.strip():
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise DataError(f"{where}: not JSON: {sources.first_line(error)}") from None
            yield where, record


def _parquet_rows(path: Path) -> Iterator[_Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data.{_ROLE}: {path} cannot be read as Parquet: {sources.first_line(error)}") from None
    yield from ((f"data.{_ROLE}: {path} row {number}", row) for number, row in enumerate(rows, start=1))
