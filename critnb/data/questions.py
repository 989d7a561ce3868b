"""Multiple-choice questions in the schema of ARC: their source, how they are read and checked, and their hash."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from critnb import data
from critnb.canon import DatasetRole
from critnb.data import Corpus
from critnb.errors import DataError
from critnb.params import EmbeddedQuestions, FileQuestions, HubQuestions, Loaded

_ROLE = DatasetRole.ARC_MCQ
_FEWEST, _MOST = 3, 5
_FIELDS = ("id", "question", "choices", "answerKey")
_LISTS = ("label", "text")
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
    """The questions of role ARC_MCQ, where they come from, and how many were left out for a null field."""

    corpus: Corpus
    questions: tuple[Question, ...]
    n_null: int = 0


def read(loaded: Loaded) -> QuestionSet:
    """Read and check the questions that the params name, the first ``limit`` of them; those with a null field are counted.

    Their identity is the hash of what they hold, whatever the source. Raises DependencyError where they cannot be had
    and DataError naming the file and the line (row) of a question that cannot be used.
    """
    source = loaded.params.data.ARC_MCQ
    revision = data.hub_revision(source, _ROLE) if isinstance(source, HubQuestions) else None
    tally = data.Tally()
    found = tuple(islice(_distinct(_records(source, revision, loaded), tally), source.limit))
    if not found:
        without = f" ({tally.null} with a null field)" if tally.null else ""
        raise DataError(f"data.{_ROLE}: no questions in {_named(source)}{without}; check the source")
    digest = hashlib.sha256()
    for question in found:
        encoded = json.dumps(astuple(question)).encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    split = source.split if isinstance(source, HubQuestions) else None
    if isinstance(source, EmbeddedQuestions):
        revision = f"python-{platform.python_version()}"
    return QuestionSet(Corpus(_ROLE, _named(source), revision, split, digest.hexdigest()), found, tally.null)


def _named(source: EmbeddedQuestions | FileQuestions | HubQuestions) -> str:
    if isinstance(source, HubQuestions):
        return f"hub:{source.id}"
    return f"file:{Path(source.path).name}" if isinstance(source, FileQuestions) else source.source


def parse(record: Any, where: str) -> Question | None:
    """Return the question of one record ``{id, question, choices: {text, label}, answerKey}``, None where a field is null.

    Raises DataError beginning with ``where`` unless id, question, labels and choices are text with something in it,
    there are 3 to 5 choices, their labels differ, and answerKey is one of them.
    """
    given = {name: data.field_of(record, name, where) for name in _FIELDS}
    if None in given.values():
        return None
    lists = [_listed(given["choices"], name, where) for name in _LISTS]
    if any(None in each for each in lists):
        return None
    labels, choices = (
        tuple(_text(value, f"choices.{name}[{place}]", where) for place, value in enumerate(values))
        for name, values in zip(_LISTS, lists, strict=True)
    )
    if len(labels) != len(choices):
        raise DataError(f"{where}: {len(choices)} choices have {len(labels)} labels; give one label a choice")
    if not _FEWEST <= len(choices) <= _MOST:
        raise DataError(f"{where}: {len(choices)} choices; a question needs {_FEWEST} to {_MOST}")
    if len(set(labels)) < len(labels):
        raise DataError(f"{where}: a label stands twice in {', '.join(labels)}; labels must differ")
    name, text, key = (_text(given[field], field, where) for field in ("id", "question", "answerKey"))
    if key not in labels:
        raise DataError(f"{where}: answerKey {key!r} is none of the labels {', '.join(labels)}")
    return Question(name, text, labels, choices, labels.index(key))


def arc_mcq_v1(question: str, labels: Sequence[str], choices: Sequence[str]) -> str:
    """Return the ARC_MCQ_V1 prompt; the model's next token after it is the answer's label, with a leading space."""
    lines = [f"Question: {question}", "Choices:"]
    lines += [f"{label}. {choice}" for label, choice in zip(labels, choices, strict=True)]
    return "\n".join([*lines, "Answer:"])


def _listed(choices: Any, name: str, where: str) -> list[Any]:
    """Return one of the two lists, as one that holds nothing but null where it is null itself."""
    if not isinstance(choices, Mapping):
        raise DataError(f"{where}: choices hold no lists of text and label; questions have the schema of ARC")
    values = data.field_of(choices, name, f"{where}: choices")
    if values is None:
        return [None]
    if not isinstance(values, list):
        raise DataError(f"{where}: no list of text in choices.{name}; questions have the schema of ARC")
    return values


def _text(value: Any, name: str, where: str) -> str:
    text = data.as_text(value, name, where)
    if not text.strip():
        raise DataError(f"{where}: no text in {name}; questions have the schema of ARC")
    return text


def _distinct(placed: Iterator[_Placed], tally: data.Tally) -> Iterator[Question]:
    seen: dict[str, str] = {}
    for where, record in placed:
        question = parse(record, where)
        if question is None:
            tally.null += 1
            continue
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
        rows = data.hub_rows(source, _ROLE, revision=revision)
        yield from ((f"data.{_ROLE}: {source.id} row {n}", row) for n, row in enumerate(rows, start=1))
    else:
        from critnb.data.embedded.questions import evaluation_questions_of_python

        questions = evaluation_questions_of_python()
        yield from ((f"data.{_ROLE}: {question['id']}", question) for question in questions)


def _file_records(source: FileQuestions, loaded: Loaded) -> Iterator[_Placed]:
    for path in data.matching_files(source.path, loaded, f"data.{_ROLE}.path"):
        where = f"data.{_ROLE}: {path}"
        match data.suffix_of(path):
            case ".jsonl":
                yield from data.json_lines(path, where)
            case ".parquet":
                yield from data.parquet_rows(path, _FIELDS, where)
            case suffix:
                raise DataError(f"{where} is a {suffix or 'file without suffix'}; use .jsonl or .parquet")
