"""One rule for every reader of text: what is a document, what holds none and is counted, what is refused and where."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from critnb.canon import DatasetRole, Exit
from critnb.data import Tally, documents
from critnb.errors import CritnbError, DataError, DependencyError
from critnb.params import Loaded, validate

MARK = "\ufeff"
Values = list[Any]


def source_of(base: Path, **source: Any) -> Loaded:
    return Loaded(validate({"data": {"A": source}}, origin="test"), "test", base)


def from_file(path: Path, **options: Any) -> Loaded:
    return source_of(path.parent, source="file", path=path.name, **options)


def jsonl(base: Path, values: Values, _: Any) -> Loaded:
    path = base / "c.jsonl"
    path.write_text("".join(json.dumps({"n": 1, "text": value}) + "\n" for value in values))
    return from_file(path)


def table(base: Path, values: Values, _: Any) -> Loaded:
    path = base / "c.parquet"
    parquet.write_table(pa.table({"n": [1] * len(values), "text": values}), path)
    return from_file(path)


def hub(base: Path, values: Values, monkeypatch: pytest.MonkeyPatch, *, streaming: bool = False) -> Loaded:
    rows = [{"n": 1, "text": value} for value in values]
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **options: iter(rows) if options["streaming"] else rows)
    return source_of(base, source="hub", id="someone/some-text", revision="abc", streaming=streaming)


def streamed(base: Path, values: Values, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    return hub(base, values, monkeypatch, streaming=True)


READERS = [jsonl, table, hub, streamed]


def read(loaded: Loaded) -> tuple[list[str], dict[str, int]]:
    tally = Tally()
    return list(documents(loaded, DatasetRole.A, tally)), tally.facts()


@pytest.fixture(params=READERS, ids=lambda reader: reader.__name__)
def reading(request, tmp_path, monkeypatch) -> Callable[[Values], Loaded]:
    return lambda values: request.param(tmp_path, values, monkeypatch)


def test_null_and_empty_fields_hold_no_document_and_are_counted(reading):
    found = read(reading(["one", None, "", "two", None]))
    assert found == (["one", "two"], {"n_documents": 2, "n_null": 2, "n_empty": 1})


def test_marks_of_an_encoding_are_no_text(reading):
    assert read(reading([f"{MARK}one", f"t{MARK}wo", MARK]))[0] == ["one", f"t{MARK}wo"]


def test_a_field_s_own_ends_of_lines_stay(reading):
    assert read(reading(["a\r\nb\rc"]))[0] == ["a\r\nb\rc"]


def test_a_corpus_without_any_text_says_what_there_was(reading):
    with pytest.raises(DataError, match=r"^data\.A: .* holds no text \(2 null, 1 empty\); check the source$"):
        read(reading([None, "", None]))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "a number"),
        ([1.5, None], "a number"),
        ([["a"], []], "a list"),
        ([{"a": "b"}], "an object"),
        ([True], "a truth value"),
    ],
)
def test_a_field_that_is_no_text_is_refused_with_its_place(reading, values, kind):
    with pytest.raises(DataError, match=rf"^data\.A: \S+ (line|row) 1: no text in field 'text' but {kind}$"):
        read(reading(values))


def test_a_field_that_is_missing_is_refused_with_those_that_there_are(tmp_path, monkeypatch):
    for reader in READERS:
        loaded = reader(tmp_path, ["one"], monkeypatch)
        tree = loaded.params.data.A.model_dump() | {"field": "body"}
        with pytest.raises(DataError, match=r"no field 'body'; there is 'n', 'text'$") as caught:
            read(source_of(tmp_path, **tree))
        assert caught.value.exit_code is Exit.BAD_INPUT


def test_half_a_character_is_refused_from_the_hub_as_from_a_file(tmp_path, monkeypatch):
    for reader in (jsonl, hub, streamed):
        with pytest.raises(
            DataError, match=r"(line|row) 2: field 'text' holds half of a surrogate pair at character 1"
        ):
            read(reader(tmp_path, ["one", "a\ud800"], monkeypatch))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters=MARK), min_size=1), min_size=1, max_size=4
    )
)
def test_every_format_gives_the_same_documents(tmp_path_factory, documents):
    base = tmp_path_factory.mktemp("corpora")
    if not "".join(documents).strip():
        documents.append("x")
    with pytest.MonkeyPatch.context() as patched:
        assert all(read(reader(base, documents, patched))[0] == documents for reader in READERS)


# plain text


def text_file(base: Path, data: bytes, name: str = "c.txt") -> Loaded:
    (base / name).write_bytes(data)
    return from_file(base / name)


def test_each_file_of_a_glob_may_begin_with_a_mark(tmp_path):
    for name, words in (("a", "one"), ("b", "two")):
        (tmp_path / f"{name}.txt").write_bytes(f"{MARK}{words}".encode())
        (tmp_path / f"{name}.jsonl").write_bytes((MARK + json.dumps({"text": words}) + "\n").encode())
    for pattern in ("*.txt", "*.jsonl"):
        assert read(source_of(tmp_path, source="file", path=pattern))[0] == ["one", "two"]


def test_files_put_together_may_hold_marks_inside(tmp_path):
    lines = b"".join(f"{MARK}{json.dumps({'text': words})}\r\n".encode() for words in ("one", "two"))
    assert read(text_file(tmp_path, lines + MARK.encode(), "c.jsonl"))[0] == ["one", "two"]


def test_ends_of_lines_are_those_of_every_system_and_a_separator_s_as_well(tmp_path):
    (tmp_path / "c.txt").write_bytes(b"one\r\ntwo\r\n---\r\nthree\r---\nfour\n")
    for separator in ("\r\n---\r\n", "\n---\n"):
        assert read(from_file(tmp_path / "c.txt", separator=separator))[0] == ["one\ntwo", "three", "four"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("suffix", ["txt", "jsonl"])
def test_another_encoding_is_named(tmp_path, encoding, suffix):
    data = '{"text": "plain words"}'.encode(encoding)
    named = encoding.upper()[:6]
    with pytest.raises(DataError, match=rf"c\.{suffix} is {named}.*, not UTF-8 \(byte 0\); convert it to UTF-8"):
        read(text_file(tmp_path, data, f"c.{suffix}"))


def test_a_nul_in_a_text_is_no_sign_of_another_encoding(tmp_path):
    assert read(text_file(tmp_path, b"a\0b c d e"))[0] == ["a\0b c d e"]


# JSON beside the text


BESIDE = {
    "deep": ("[" * 100_000 + "]" * 100_000, "not JSON that can be read: nested too deeply"),
    "an integer of 5000 digits": ("1" * 5000, "not JSON that can be read: Exceeds the limit"),
    "NaN": ("NaN", "NaN is no number of JSON"),
    "infinity": ("[-Infinity]", "-Infinity is no number of JSON"),
    "a key twice": ('{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
}


@pytest.mark.parametrize(("beside", "words"), BESIDE.values(), ids=BESIDE)
def test_what_stands_beside_the_text_must_be_json(tmp_path, beside, words):
    with pytest.raises(DataError) as caught:
        read(text_file(tmp_path, f'{{"text": "x"}}\n{{"text": "y", "n": {beside}}}\n'.encode(), "c.jsonl"))
    assert str(caught.value).startswith(f"data.A: {tmp_path}/c.jsonl line 2: ")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_text_that_stands_twice_is_none(tmp_path):
    with pytest.raises(DataError, match="the key 'text' stands twice"):
        read(text_file(tmp_path, b'{"text": "x", "text": "y"}', "c.jsonl"))


def test_names_of_fields_cannot_fill_or_steer_a_terminal(tmp_path):
    names = {f"{'x' * 5000}\x1b[31m{n}": 1 for n in range(20)} | {"\n": 1}
    with pytest.raises(DataError) as caught:
        read(text_file(tmp_path, json.dumps(names).encode(), "c.jsonl"))
    assert "and 13 more" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


# Parquet


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_is_text_however_arrow_holds_it(tmp_path, kind):
    values = ["one", None, "two", "one"]
    array = pa.array(values).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(values, kind)
    parquet.write_table(pa.table({"text": array}), tmp_path / "c.parquet", row_group_size=2)
    assert read(from_file(tmp_path / "c.parquet"))[0] == ["one", "two", "one"]


def test_bytes_and_fields_within_fields_are_no_text(tmp_path):
    for column in (pa.array([b"one"]), pa.array([{"text": "one"}])):
        parquet.write_table(pa.table({"text": column}), tmp_path / "c.parquet")
        with pytest.raises(DataError, match=r"row 1: no text in field 'text' but (bytes|an object)"):
            read(from_file(tmp_path / "c.parquet"))
    with pytest.raises(DataError, match=r"no field 'text\.text'; there is 'text'"):
        read(from_file(tmp_path / "c.parquet", field="text.text"))


def test_bytes_that_only_claim_to_be_utf8_are_refused_with_their_row(tmp_path):
    raw = pa.array([b"good", b"caf\xe9"]).view(pa.string())
    parquet.write_table(pa.table({"text": raw}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet row 2: the text is not UTF-8"):
        read(from_file(tmp_path / "c.parquet"))


def test_two_columns_of_one_name(tmp_path):
    both = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    parquet.write_table(both, tmp_path / "c.parquet")
    with pytest.raises(DataError, match="2 columns are called 'text'"):
        read(from_file(tmp_path / "c.parquet"))


@pytest.fixture(scope="module")
def whole() -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"text": [f"document {n}" for n in range(50)]}), sink, compression="none")
    return sink.getvalue().to_pybytes()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, whole, data):
    damaged = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.none())
    path = tmp_path_factory.mktemp("damaged") / "c.parquet"
    path.write_bytes(bytes(damaged[:cut]))
    said = ""
    try:
        read(from_file(path))
    except CritnbError as error:
        said = str(error)
    assert said == "" or said.startswith(f"data.A: {path}")
    assert "\n" not in said


def test_a_footer_that_promises_other_rows_is_found_out(tmp_path, whole):
    # 50 rows stand as the zigzag varint 100 behind a field header, in the footer and in its row group
    footer = whole.rindex(b"\x64", 0, whole.rindex(b"PAR1"))
    said = []
    for place in (i for i in range(footer - 600, footer + 1) if whole[i] == 0x64):
        path = tmp_path / f"{place}.parquet"
        path.write_bytes(whole[:place] + b"\x62" + whole[place + 1 :])
        try:
            read(from_file(path))
        except DataError as error:
            said.append(str(error))
    assert any("rows where its footer says" in words for words in said)


# the hub


def test_an_error_of_the_library_halfway_means_that_the_data_cannot_be_had(tmp_path, monkeypatch):
    def rows() -> Iterator[dict[str, str]]:
        yield {"text": "one"}
        raise ConnectionError("the line is cut")

    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: rows())
    with pytest.raises(DependencyError, match=r"cannot be had \(ConnectionError: the line is cut\)"):
        read(source_of(tmp_path, source="hub", id="someone/some-text", revision="abc", streaming=True))


def test_an_error_of_who_reads_is_not_taken_for_one_of_the_hub(tmp_path, monkeypatch):
    loaded = streamed(tmp_path, ["one", "two"], monkeypatch)
    found = documents(loaded, DatasetRole.A)
    next(found)
    with pytest.raises(ZeroDivisionError):
        found.throw(ZeroDivisionError)
