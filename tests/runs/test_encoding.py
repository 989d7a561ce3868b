from __future__ import annotations

import csv
import io
import json
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from critnb.errors import DataError
from critnb.runs.decoding import npz_arrays, npz_parts, npz_shape, parquet_frame
from critnb.runs.encoding import (
    canonical_json,
    csv_bytes,
    json_bytes,
    npz_bytes,
    parquet_bytes,
)

dtypes = st.sampled_from([np.uint8, np.uint16, np.int32, np.int64, np.float32, np.float64, np.bool_])
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=4)))
columns = st.fixed_dictionaries(
    {
        "rate": st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
        "layer": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3),
        "pass": st.lists(st.booleans(), min_size=3, max_size=3),
        "id": st.lists(st.text("abcXYZ_ ,\"'é\n", min_size=1), min_size=3, max_size=3),
    }
)


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "tau": np.array([0.1, 1e-5, np.nan]),
            "half": np.array([0.1, 1 / 3, 2.0], dtype=np.float32),
            "events": np.array([1, 2, 3], dtype=np.uint16),
            "opt_n": pd.array([1, None, 3], dtype="Int64"),
            "id": ["a", "b", None],
        },
        index=[7, 8, 9],
    )


@given(st.dictionaries(st.text("abc_", min_size=1), arrays, max_size=4))
@settings(max_examples=60)
def test_npz_round_trip_keeps_dtype_shape_and_bytes(content: dict[str, np.ndarray]) -> None:
    back = npz_arrays(npz_bytes(content))
    assert list(back) == list(content)
    for name, array in content.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_npz_is_read_by_numpy_itself() -> None:
    A = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    with np.load(io.BytesIO(npz_bytes({"A": A}))) as archive:
        np.testing.assert_array_equal(archive["A"], A)


def test_npz_bytes_do_not_depend_on_memory_layout_or_byte_order() -> None:
    A = np.arange(6, dtype=np.float32).reshape(2, 3)
    twins = [np.asfortranarray(A), A.astype(">f4"), A[::-1][::-1]]
    assert {npz_bytes({"A": twin}) for twin in twins} == {npz_bytes({"A": A})}


def test_no_clock_in_the_bytes(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> list[bytes]:
        return [npz_bytes({"A": np.ones(3)}), parquet_bytes(frame), csv_bytes(frame), json_bytes({"a": 1})]

    before = everything()
    now = time.localtime(2_000_000_000)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "localtime", lambda *_: now)
    assert everything() == before


def test_object_arrays_are_refused() -> None:
    with pytest.raises(DataError, match="'rows' holds Python objects"):
        npz_bytes({"rows": np.array([{}, []], dtype=object)})


@given(columns)
@settings(max_examples=60)
def test_parquet_round_trip(content: dict[str, list]) -> None:
    frame = pd.DataFrame(content)
    pd.testing.assert_frame_equal(parquet_frame(parquet_bytes(frame)), frame, check_exact=True)


@given(columns)
@settings(max_examples=60)
def test_csv_reads_back_to_the_same_values(content: dict[str, list]) -> None:
    text = csv_bytes(pd.DataFrame(content)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [float(row["rate"]) for row in rows] == content["rate"]
    assert [int(row["layer"]) for row in rows] == content["layer"]
    assert [row["pass"] == "True" for row in rows] == content["pass"]
    assert [row["id"] for row in rows] == content["id"]


def test_parquet_keeps_dtypes_and_missing_values_and_drops_the_index(frame: pd.DataFrame) -> None:
    back = parquet_frame(parquet_bytes(frame))
    pd.testing.assert_frame_equal(back, frame.reset_index(drop=True))
    assert back.columns.tolist() == ["tau", "half", "events", "opt_n", "id"]


def test_csv_text(frame: pd.DataFrame) -> None:
    lines = csv_bytes(frame).decode().split("\n")
    assert lines == ["tau,half,events,opt_n,id", "0.1,0.1,1,1,a", "1e-05,0.33333334,2,,b", ",2.0,3,3,", ""]


@pytest.mark.parametrize("encode", [parquet_bytes, csv_bytes])
def test_columns_of_no_single_type_are_refused(encode) -> None:
    with pytest.raises(DataError, match="column 'mixed' has dtype object"):
        encode(pd.DataFrame({"mixed": pd.Series([1, "a"], dtype=object)}))
    with pytest.raises(DataError, match="columns repeat"):
        encode(pd.DataFrame([[1, 2]], columns=["a", "a"]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
)


@given(json_values)
def test_json_round_trip(value: object) -> None:
    assert json.loads(json_bytes(value)) == value
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_is_one_text() -> None:
    assert canonical_json({"b": (1, 2.5), "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), {"a": object()}, {"text": "\ud800"}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="cannot be written as JSON"):
        json_bytes(value)


class Parts:
    def __init__(self, whole):
        self.whole, self.shape, self.dtype = whole, whole.shape, whole.dtype

    def __iter__(self):
        return iter(self.whole)


@pytest.mark.parametrize("shape", [(0, 3), (1, 2, 3), (7, 60, 500)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_an_array_in_parts_gives_the_bytes_of_the_whole(shape, dtype):
    whole = np.random.default_rng(1).poisson(0.2, shape).astype(dtype)
    data = npz_bytes({"X": whole, "A": whole})
    assert npz_bytes({"X": Parts(whole), "A": Parts(whole)}) == data
    read = list(npz_parts(data, ("A", "X")))
    assert npz_shape(data, "A") == shape
    assert len(read) == shape[0]
    for (a, x), part in zip(read, whole, strict=True):
        assert np.array_equal(a, part)
        assert np.array_equal(x, part)


def test_parts_that_are_not_there_or_not_as_many_are_an_error():
    data = npz_bytes({"X": np.zeros(3), "A": np.zeros(2), "F": np.asfortranarray(np.zeros((2, 2)))})
    with pytest.raises(DataError, match="without the array B"):
        list(npz_parts(data, ("B",)))
    with pytest.raises(DataError, match="no NPZ"):
        list(npz_parts(data, ("X", "A")))


@pytest.mark.parametrize("rows", [[5, 3, 0, 4], [0, 0], [4], [8], [9]])
def test_rows_of_several_frames_give_the_bytes_of_one(monkeypatch, rows):
    monkeypatch.setattr("critnb.runs.encoding._ROW_GROUP", 4)
    rng = np.random.default_rng(2)
    frames = [
        pd.DataFrame({"i": rng.integers(0, 3, n).astype(np.int32), "f": rng.random(n), "s": rng.choice(["a", "bc"], n)})
        for n in rows
    ]
    frames = [frame.astype({"s": "str"}) for frame in frames]
    whole = pd.concat(frames, ignore_index=True)
    sink = io.BytesIO()
    schema = pa.schema([("i", pa.int32()), ("f", pa.float64()), ("s", pa.string())])
    table = pa.Table.from_pandas(whole, schema=schema, preserve_index=False)
    pq.write_table(table, sink, compression="zstd", version="2.6", row_group_size=4)
    assert parquet_bytes(iter(frames)) == parquet_bytes(whole) == sink.getvalue()
    with pytest.raises(DataError, match="at least one frame"):
        parquet_bytes(iter([]))
