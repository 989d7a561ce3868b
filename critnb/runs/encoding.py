"""Values to bytes that depend on the value alone: no time, no machine and no random order enters a file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from critnb.errors import DataError

# what reads and writes arrays and tables is imported where one is written: planning is done without
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ROW_GROUP = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Return the JSON text of a value that is hashed: sorted keys, no spaces, UTF-8; equal values give equal bytes.

    Raises DataError for NaN, infinities and types that JSON does not have.
    """
    return _json(value, sort_keys=True, separators=(",", ":"))


def json_bytes(value: Any) -> bytes:
    """Return JSON for files: keys in the given order, indent of two, UTF-8, newline at the end; raises DataError."""
    return _json(value, indent=2) + b"\n"


def json_line(value: Any) -> bytes:
    """Return JSON on one line, newline included; raises DataError."""
    return _json(value) + b"\n"


def _json(value: Any, **layout: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain, **layout).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise DataError(f"a value cannot be written as JSON: {error}; use None for what is not available") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return value.as_posix()
    import numpy as np

    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON type")


class InParts(Protocol):
    """An array that is written part by part along its first axis: what iterating gives, C-contiguous and of this dtype."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of every part."""

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the parts in order."""


def npz_bytes(arrays: Mapping[str, np.ndarray[Any, Any] | InParts], *, compress: bool = True) -> bytes:
    """Return an NPZ file that ``numpy.load`` reads: members in the mapping's order, C order, little endian, no times.

    An array in parts gives the same bytes as the whole, and is never whole in memory. Raises DataError for an array of Python
    objects.
    """
    import numpy as np

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(_member(f"{name}.npy", compress=compress), "w", force_zip64=True) as member:
                if isinstance(array, np.ndarray):
                    np.lib.format.write_array(member, _portable(name, array), allow_pickle=False)
                else:
                    _write_parts(member, name, array)
    return buffer.getvalue()


def _write_parts(member: IO[bytes], name: str, array: InParts) -> None:
    import numpy as np

    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(member, header)
    for part in array:
        member.write(_portable(name, part).data)


def _member(name: str, *, compress: bool) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    member.create_system = _UNIX
    member.external_attr = 0o644 << 16
    return member


def _portable(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    ordered = np.asarray(array, order="C")
    if ordered.dtype.hasobject:
        raise DataError(f"array {name!r} holds Python objects; give it a numeric, boolean or text dtype")
    return ordered.astype(ordered.dtype.newbyteorder("<"), copy=False)


class Sink(Protocol):
    """What takes bytes, piece by piece."""

    def write(self, data: bytes) -> object:
        """Take the next bytes."""


def parquet_bytes(frames: pd.DataFrame | Iterable[pd.DataFrame]) -> bytes:
    """Return what ``parquet_writer`` writes; raises as it does."""
    buffer = io.BytesIO()
    parquet_writer(frames)(buffer)
    return buffer.getvalue()


def parquet_writer(frames: pd.DataFrame | Iterable[pd.DataFrame]) -> Callable[[Sink], None]:
    """Return what writes a Parquet file of a frame's columns (zstd), without its index, into a sink.

    Of several frames it has the rows of one after the other, and each is asked for when the one before is written.
    Raises DataError for a column that is not integer, float, boolean or text, for names that repeat, and where there is no
    frame: for the first frame now, for others as they are written.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    tables = _row_groups([frames] if isinstance(frames, pd.DataFrame) else frames)
    first = next(tables)

    def write(sink: Sink) -> None:
        with pq.ParquetWriter(_Into(sink), first.schema, compression="zstd", version="2.6") as writer:
            for table in chain([first], tables):
                writer.write_table(table, row_group_size=_ROW_GROUP)

    return write


class _Into(io.RawIOBase):
    """A sink as the file that Arrow wants."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._sink.write(bytes(data))
        return len(data)


def _row_groups(frames: Iterable[pd.DataFrame]) -> Iterator[pa.Table]:
    """Yield the rows of frames as tables of as many rows as a row group has, the last of those that are left."""
    import pyarrow as pa

    left: pa.Table | None = None
    for frame in frames:
        table = pa.Table.from_pandas(frame, schema=_arrow_schema(frame), preserve_index=False, nthreads=1)
        left = table if left is None else pa.concat_tables([left, table])
        while left.num_rows > _ROW_GROUP:
            yield left.slice(0, _ROW_GROUP)
            left = left.slice(_ROW_GROUP)
    if left is None:
        raise DataError("a table is written from at least one frame")
    yield left


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """Return CSV with a header, LF, and floats in the shortest form that reads back to the same number.

    Missing values are empty. Raises DataError as ``parquet_bytes`` does.
    """
    _arrow_schema(frame)
    return frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _arrow_schema(frame: pd.DataFrame) -> Any:
    import pyarrow as pa

    if not frame.columns.is_unique:
        raise DataError(f"columns repeat: {sorted(frame.columns[frame.columns.duplicated()])}")
    return pa.schema([(str(name), _arrow_type(str(name), dtype)) for name, dtype in frame.dtypes.items()])


def _arrow_type(name: str, dtype: Any) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if isinstance(dtype, pd.StringDtype):
        return pa.string()
    plain = getattr(dtype, "numpy_dtype", dtype)
    if isinstance(plain, np.dtype) and plain.kind in "iufb":
        return pa.from_numpy_dtype(plain)
    raise DataError(f"column {name!r} has dtype {dtype}; tables hold integers, floats, booleans and text")
