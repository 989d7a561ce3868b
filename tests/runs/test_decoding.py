"""What a stranger may put where a run's data belong: each is refused before it costs memory or time."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critnb.errors import DataError
from critnb.runs.decoding import json_value, npz_arrays, parquet_frame, yaml_value
from critnb.runs.encoding import json_bytes, npz_bytes, parquet_bytes


def trouble(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        read(data)
    except DataError as error:
        return str(error)
    return ""


def npy(shape: str, descr: str = "'<f8'", order: str = "False", data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(header).to_bytes(2 if version == b"\1\0" else 4, "little") + header + data


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (npy("(5000000000,)", data=bytes(64)), "asks for 40000000"),
        (npy("(100000, 50000)", order="True", data=bytes(64)), "asks for 40000000"),
        (npy("(7,)", data=bytes(64)), "asks for 1"),
        (npy("(9,)", data=bytes(64)), "asks for 1"),
        (npy("(-8,)", data=bytes(64)), "holds float64, not numbers"),
        (npy("(4, -2)", data=bytes(64)), "not numbers"),
        (npy("(10000000000000000000000000, 8)", data=bytes(64)), "asks for"),
        (npy("(1.5,)"), "cannot be read"),
        (npy("(8,)", descr="'|O'", data=bytes(64)), "holds object, not numbers"),
        (npy("(8,)", descr="'<M8[s]'", data=bytes(64)), "not numbers"),
        (npy("(8,)", descr="[('a', '<f8')]", data=bytes(64)), "not numbers"),
        (npy("(8,)", descr="'nonsense'", data=bytes(64)), "cannot be read"),
        (npy("(8,)", descr="(" * 3000 + ")" * 3000), "cannot be read"),
        (npy("(8,)", descr="-" * 9000 + "1"), "cannot be read"),
        (npy("(8,)", descr="'<f8'" + " " * 20000, data=bytes(64)), "cannot be read"),
        (npy("(8,)", data=bytes(64), version=b"\2\0"), "NPY version"),
        (npy("(8,)", data=bytes(64), version=b"\3\0"), "NPY version"),
        (b"\x93NUMPY", "cannot be read"),
        (b"cos\nsystem\n(S'true'\ntR.", "cannot be read"),
        (b"", "cannot be read"),
    ],
    ids=lambda value: value[:18] if isinstance(value, str) else None,
)
def test_an_array_whose_header_lies_is_refused(member, said):
    with pytest.raises(DataError, match=said) as refused:
        npz_arrays(npz({"a.npy": member}))
    assert str(refused.value).startswith("no NPZ")
    assert "\n" not in str(refused.value)


def test_no_memory_is_asked_for_what_is_not_there():
    data = npz({"a.npy": npy("(100, 1000000)", data=bytes(64))})
    tracemalloc.start()
    trouble(npz_arrays, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_an_array_in_fortran_order_is_fine():
    twin = np.arange(6.0).reshape(2, 3)
    member = npy("(2, 3)", order="True", data=twin.tobytes(order="F"))
    np.testing.assert_array_equal(npz_arrays(npz({"a.npy": member}))["a"], twin)


def test_only_the_members_that_are_asked_for_are_read():
    data = npz({"a.npy": npy("(1,)", data=np.float64(7).tobytes()), "b.npy": npy("(99,)")})
    assert npz_arrays(data, ["a"]) == {"a": np.float64(7)}
    with pytest.raises(DataError, match=r"b\.npy"):
        npz_arrays(data)


def test_a_bomb_of_zeros_is_refused_by_what_it_comes_to():
    # 2 GiB of zeros as deflate has them, made from the one block that all megabytes have
    squeezer = zlib.compressobj(wbits=-15)
    piece = squeezer.compress(bytes(1 << 20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    size, packed = 2 << 30, piece * 2048 + b"\3\0"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", packed)
    data = buffer.getvalue()
    at = data.index(b"PK\1\2")
    real = len(packed).to_bytes(4, "little")
    assert data[at + 20 : at + 28] == real + real
    bomb = bytearray(data)
    bomb[at + 10 : at + 12] = (8).to_bytes(2, "little")
    bomb[at + 24 : at + 28] = size.to_bytes(4, "little")
    with pytest.raises(DataError, match=f"ask for {size} bytes of memory"):
        npz_arrays(bytes(bomb))
    # a size that deflate cannot come to is a lie, however small the sum
    bomb[at + 20 : at + 24] = (1000).to_bytes(4, "little")
    bomb[at + 24 : at + 28] = (1033 * 1000).to_bytes(4, "little")
    with pytest.raises(DataError, match="cannot come to 1033000 bytes"):
        npz_arrays(bytes(bomb))


@pytest.mark.parametrize(
    "data",
    [
        npz({"a.txt": b"x"}),
        npz({"a": npy("(0,)")}),
        npz({"a.npy": npy("(0,)")}, zipfile.ZIP_BZIP2),
        npz({"a.npy": npy("(0,)")}, zipfile.ZIP_LZMA),
        npz({"a.npy": npy("(0,)")})[:-1],
        b"",
        b"PK",
    ],
)
def test_other_archives_are_no_npz(data):
    with pytest.raises(DataError, match="no NPZ"):
        npz_arrays(data)


@given(st.data())
@settings(max_examples=50)
def test_no_damage_to_an_npz_ends_in_another_error(data):
    good = bytearray(npz_bytes({"a": np.arange(5), "b": np.array(["x", "yz"])}))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    assert "\n" not in trouble(npz_arrays, bytes(good))


def parquet(table: pa.Table, **words: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", **words)
    return sink.getvalue()


def repeated(text: str, rows: int) -> pa.Table:
    """A column that says one thing again and again: in a file of Parquet a dictionary of one entry."""
    return pa.table({"a": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))})


def test_text_that_repeats_without_end_is_refused():
    bomb = parquet(repeated("x" * 100_000, 100_000), store_schema=False)
    assert len(bomb) < 10_000
    with pytest.raises(DataError, match="bytes of memory, more than data of a run come to"):
        parquet_frame(bomb)


def test_text_that_repeats_within_reason_is_read():
    table = repeated("x" * 5000, 20_000)
    assert parquet_frame(parquet(table, store_schema=False)).a.str.len().sum() == 100_000_000


def test_rows_without_end_are_refused_by_their_count():
    rows = 1 << 21
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, pa.schema([("a", pa.int64())]), compression="zstd") as writer:
        piece = pa.table({"a": pa.array(np.zeros(rows, np.int64))})
        for _ in range(80):
            writer.write_table(piece)
    assert len(sink.getvalue()) < 2 << 20
    with pytest.raises(DataError, match="bytes of memory, more than data of a run come to"):
        parquet_frame(sink.getvalue())


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": [[1, 2]]}),
        pa.table({"a": [{"b": 1}]}),
        pa.table({"a": [b"x"]}),
        repeated("x", 3),
        pa.table({"a": pa.array([1], pa.timestamp("s"))}),
    ],
    ids=["list", "struct", "bytes", "dictionary", "time"],
)
def test_kinds_of_columns_that_no_table_has_are_refused(table):
    with pytest.raises(DataError, match="no Parquet that a run writes: column 'a' holds"):
        parquet_frame(parquet(table))


@given(st.data())
@settings(max_examples=50)
def test_no_damage_to_a_parquet_ends_in_another_error(data):
    good = bytearray(parquet_bytes(pd.DataFrame({"a": [1, 2], "b": ["x", None]})))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    assert "\n" not in trouble(parquet_frame, bytes(good))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000, "nested deeper than 100 levels"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper than 100 levels"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100 levels"),
        (b"1" * 5000, "no JSON"),
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"", "no JSON"),
    ],
    ids=["unclosed", "objects", "lists", "digits", "cut", "bytes", "empty"],
)
def test_json_of_strangers(text, said):
    with pytest.raises(DataError, match=said) as refused:
        json_value(text)
    assert "\n" not in str(refused.value)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each))
)
def test_json_comes_back(value):
    assert json_value(json_bytes(value)) == value == json.loads(json_bytes(value))


def test_a_hundred_levels_are_read():
    assert json_value(b"[" * 100 + b"]" * 100)


@pytest.mark.parametrize(
    "text",
    [
        b"a: &a [1]\nb: *a\n",
        b"a: &a {k: 1}\n" + b"".join(b"b%d: &b%d {<<: [*a, *a, *a]}\n" % (k, k) for k in range(9)),
        b"[" * 900,
        b"a: 2026-13-45",
        b"a: 0x_",
        b"!!python/object:os.system {}",
        b"a: 1\n" * (1 << 19),
        b"\xff\xfe\x00",
        b"a: [",
    ],
    ids=["alias", "merge", "deep", "date", "number", "object", "long", "bytes", "cut"],
)
def test_yaml_of_strangers(text):
    with pytest.raises(DataError, match="YAML") as refused:
        yaml_value(text)
    assert "\n" not in str(refused.value)
