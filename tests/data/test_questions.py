"""Questions in the schema of ARC: what is read, what is refused and where, and that content alone is their identity."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet as pa_parquet

from critnb.canon import PACK_ROOT, Exit
from critnb.data import questions
from critnb.data.embedded.questions import evaluation_questions_of_python
from critnb.data.questions import Question
from critnb.errors import DataError, DependencyError
from critnb.params import Loaded, validate


def record(name: str = "q1", labels: str = "ABCD", **changes: Any) -> dict[str, Any]:
    choices = {"text": [f"choice {label}" for label in labels], "label": list(labels)}
    return {"id": name, "question": "Which one?", "choices": choices, "answerKey": labels[1], **changes}


THREE = [record("q1"), record("q2", "123", question="¿Cuál — 哪个?"), record("q3", "ABCDE", answerKey="E")]


def read(base: Path, **source: Any) -> questions.QuestionSet:
    params = validate({"data": {"ARC_MCQ": source}}, origin="test")
    return questions.read(Loaded(params, "test", base))


def from_file(path: Path, **more: Any) -> questions.QuestionSet:
    return read(path.parent, source="file", path=path.name, **more)


def write_jsonl(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n\n" for each in records))
    return path


@pytest.fixture
def lines(tmp_path) -> Path:
    return write_jsonl(tmp_path / "q.jsonl", THREE)


def test_a_question_is_what_its_line_says(lines):
    found = from_file(lines)
    assert found.questions[1] == Question(
        "q2", "¿Cuál — 哪个?", ("1", "2", "3"), ("choice 1", "choice 2", "choice 3"), answer=1
    )
    assert [len(question.choices) for question in found.questions] == [4, 3, 5]
    assert [question.answer for question in found.questions] == [1, 1, 4]
    assert (found.corpus.source, found.corpus.revision, found.corpus.split) == ("file:q.jsonl", None, None)


def test_identity_is_content_whatever_the_format_the_place_and_the_order_of_keys(lines, tmp_path):
    pd.DataFrame(THREE).to_parquet(tmp_path / "q.parquet")
    turned = [dict(reversed(each.items())) for each in THREE]
    elsewhere = write_jsonl(tmp_path / "other.jsonl", turned)
    hashes = {from_file(path).corpus.content_sha256 for path in (lines, tmp_path / "q.parquet", elsewhere)}
    assert len(hashes) == 1


FEWER = {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}


@pytest.mark.parametrize(
    "change", [{"answerKey": "C"}, {"question": "Which two?"}, {"id": "q9"}, {"choices": FEWER}], ids=lambda each: next(iter(each))
)  # fmt: skip
def test_another_content_is_another_identity(lines, tmp_path, change):
    other = write_jsonl(tmp_path / "other.jsonl", [record("q1", **change), *THREE[1:]])
    assert from_file(other).corpus.content_sha256 != from_file(lines).corpus.content_sha256


def test_a_limit_keeps_the_first_ones_and_is_part_of_the_identity(lines, tmp_path):
    first = write_jsonl(tmp_path / "first.jsonl", THREE[:2])
    assert from_file(lines, limit=2).questions == from_file(first).questions
    assert from_file(lines, limit=2).corpus.content_sha256 == from_file(first).corpus.content_sha256
    assert from_file(lines, limit=3).corpus.content_sha256 == from_file(lines).corpus.content_sha256


def test_several_files_are_one_set(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", THREE[:1])
    write_jsonl(tmp_path / "b.jsonl", THREE[1:])
    assert [each.id for each in read(tmp_path, source="file", path="*.jsonl").questions] == ["q1", "q2", "q3"]


CHOICES = record()["choices"]
BAD = {
    "no object": ([1], "a list, no record of fields"),
    "no choices": ({"id": "q"}, "no field 'question'; there is 'id'"),
    "choices without labels": (record(choices={"text": ["a", "b", "c"]}), "choices: no field 'label'; there is 'text'"),
    "choices are one text": (record(choices="abc"), "choices hold no lists of text and label"),
    "choices are no lists": (record(choices={"text": "ab", "label": "AB"}), "no list of text in choices.label"),
    "two choices": (record(labels="AB"), "2 choices; a question needs 3 to 5"),
    "six choices": (record(labels="ABCDEF"), "6 choices; a question needs 3 to 5"),
    "one label too few": (record(choices={**CHOICES, "label": ["A", "B", "C"]}), "4 choices have 3 labels"),
    "a label twice": (record(labels="ABBC"), "a label stands twice in A, B, B, C"),
    "a label that is a number": (record(choices={**CHOICES, "label": [1, 2, 3, 4]}), "no text in choices.label[0]"),
    "an answer that is no choice": (record(answerKey="E"), "answerKey 'E' is none of the labels A, B, C, D"),
    "no answer": (record(answerKey=""), "no text in answerKey"),
    "a blank question": (record(question=" \n"), "no text in question"),
    "an empty choice": (record(choices={**CHOICES, "text": ["a", "b", "", "d"]}), "no text in choices.text[2]"),
    "no id": (record(name=""), "no text in id"),
    "an id twice": (record(name="q1"), "the id 'q1' stands before, at "),
    "half a character": (record(question="a\ud800"), "question holds half of a surrogate pair"),
}


@pytest.mark.parametrize(("bad", "message"), BAD.values(), ids=BAD)
def test_a_question_that_cannot_be_used_is_refused_with_file_and_line(tmp_path, bad, message):
    path = write_jsonl(tmp_path / "q.jsonl", [record("q1"), bad])
    with pytest.raises(DataError) as caught:
        from_file(path)
    text = str(caught.value)
    assert text.startswith(f"data.ARC_MCQ: {path} line 3: {message}"), text
    assert "\n" not in text
    assert caught.value.exit_code is Exit.BAD_INPUT


@pytest.mark.parametrize(
    "change",
    [
        {"answerKey": None},
        {"question": None},
        {"choices": None},
        {"choices": {**CHOICES, "text": None}},
        {"choices": {**CHOICES, "text": ["a", None, "c", "d"]}},
    ],
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_question_with_a_null_field_is_left_out_and_counted(tmp_path, change, suffix):
    rows = [record("q1"), record("q2", **change), record("q3")]
    path = write_jsonl(tmp_path / "q.jsonl", rows)
    if suffix == "parquet":
        path = tmp_path / "q.parquet"
        pa_parquet.write_table(pa.Table.from_pylist(rows), path)
    found = from_file(path)
    assert ([each.id for each in found.questions], found.n_null) == (["q1", "q3"], 1)
    plain = write_jsonl(tmp_path / "plain.jsonl", [record("q1"), record("q3")])
    assert found.corpus.content_sha256 == from_file(plain).corpus.content_sha256
    assert [each.id for each in from_file(path, limit=2).questions] == ["q1", "q3"]


def test_questions_that_all_lack_an_answer_are_refused_with_the_reason(tmp_path):
    path = write_jsonl(tmp_path / "q.jsonl", [record("q1", answerKey=None), record("q2", answerKey=None)])
    with pytest.raises(DataError, match=r"no questions in file:q\.jsonl \(2 with a null field\)"):
        from_file(path)


def test_marks_of_the_encoding_are_no_part_of_a_question(lines, tmp_path):
    marked = tmp_path / "marked.jsonl"
    marked.write_bytes(b"\xef\xbb\xbf" + lines.read_bytes().replace(b"\n", b"\r\n"))
    assert from_file(marked).questions == from_file(lines).questions


def test_the_first_place_of_an_id_is_named(tmp_path):
    path = write_jsonl(tmp_path / "q.jsonl", [record("q1"), record("q2"), record("q1")])
    with pytest.raises(DataError, match=r"line 5: the id 'q1' stands before, at .*q\.jsonl line 1$"):
        from_file(path)


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        ("none.jsonl", None, DependencyError, "no file matches"),
        ("empty.jsonl", b"\n", DataError, "no questions in file:empty.jsonl"),
        ("cut.jsonl", b'{"id": \n', DataError, "line 1: not JSON"),
        ("deep.jsonl", b"[" * 100_000, DataError, "line 1: not JSON"),
        ("latin.jsonl", "é".encode("latin-1"), DataError, "not UTF-8 (byte 0)"),
        ("not.parquet", b"PAR1 nonsense", DataError, "cannot be read as Parquet"),
        ("q.txt", b"x", DataError, "is a .txt; use .jsonl or .parquet"),
    ],
)
def test_a_file_that_holds_no_questions(tmp_path, name, data, error, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error) as caught:
        from_file(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_parquet_of_other_columns_names_its_row(tmp_path):
    pd.DataFrame({"id": ["q1"], "question": ["?"]}).to_parquet(tmp_path / "q.parquet")
    with pytest.raises(DataError, match=r"q\.parquet: no field 'choices'; there is 'id', 'question'$"):
        from_file(tmp_path / "q.parquet")


def test_the_embedded_questions_and_their_limit():
    found = read(Path("/"), source="embedded")
    assert [question.id for question in found.questions] == [each["id"] for each in evaluation_questions_of_python()]
    assert len(found.questions) > 100
    assert read(Path("/"), source="embedded", limit=7).questions == found.questions[:7]
    assert found.corpus.revision == "python-{}.{}.{}".format(*sys.version_info)


IN_A_CHANGED_PROCESS = """
import json, sys
sys.path.insert(0, sys.argv[1])
def imitation(): "Take the place of a built-in function."
sys.excepthook = imitation
from critnb.data.embedded.questions import evaluation_questions, evaluation_questions_of_python
print(json.dumps([evaluation_questions(), evaluation_questions_of_python()]))
"""


def test_functions_that_a_kernel_replaces_change_no_question():
    command = [sys.executable, "-c", IN_A_CHANGED_PROCESS, str(PACK_ROOT)]
    here, apart = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert apart == [*evaluation_questions_of_python()]
    assert here != apart


HUB = {"source": "hub", "id": "someone/some-questions", "config": "Hard"}


def test_hub_questions_are_read_at_the_revision_that_is_recorded(monkeypatch, lines):
    asked = []

    def load_dataset(name, config, **options):
        asked.append((name, config, options))
        return THREE

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    monkeypatch.setattr("critnb.data.hub_revision", lambda source, role: source.revision or "newest")
    found = read(Path("/"), **HUB)
    assert asked == [("someone/some-questions", "Hard", {"split": "test", "revision": "newest", "streaming": False})]
    assert (found.corpus.source, found.corpus.revision) == ("hub:someone/some-questions", "newest")
    assert found.corpus.split == "test"
    assert found.corpus.content_sha256 == from_file(lines).corpus.content_sha256
    read(Path("/"), **HUB, revision="abc")
    assert asked[-1][2]["revision"] == "abc"


@pytest.mark.parametrize("revision", [None, "abc"])
def test_hub_questions_that_cannot_be_had(monkeypatch, tmp_path, revision):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty cache"))
    with pytest.raises(DependencyError) as caught:
        read(Path("/"), **HUB, revision=revision)
    first, second = str(caught.value).splitlines()
    assert first.startswith("data.ARC_MCQ: hub data set someone/some-questions Hard (test) cannot be had")
    assert second.endswith("data.ARC_MCQ: {source: file, path: FILE}")


@pytest.mark.shared
def test_the_challenge_set_is_read_whole(shared):
    found = from_file(shared / "data" / "mcq" / "arc_challenge_test.jsonl").questions
    assert len(found) == 1172
    assert {n: sum(len(question.choices) == n for question in found) for n in (3, 4, 5)} == {3: 4, 4: 1165, 5: 3}
    assert sum(question.labels[0] == "1" for question in found) == 22
