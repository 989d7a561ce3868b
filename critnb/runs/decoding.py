"""Bytes of unknown origin to values: the size that a header claims is checked before memory is allocated."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any

import yaml

from critnb.errors import DataError

# what reads arrays and tables is imported where one is read: planning is done without
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    Array = np.ndarray[Any, Any]

# bytes in memory that are always allowed, and times the size of the file; rasters take 9 times their file, constant arrays more
_ALWAYS, _TIMES = 1 << 30, 64
_DEEPEST = 100
_LONGEST_JSON, _LONGEST_YAML = 1 << 28, 1 << 20
# deflate turns one byte into at most 1032: 258 bytes from two bits
_DEFLATE_TIMES = 1032
_ENCRYPTED = 0x0001
_KINDS = frozenset("biufcSU")
_HEADER = 10_000


def json_value(data: bytes) -> Any:
    """Return the value of JSON text; raises DataError, one line, for other bytes and for values that are nested too deeply."""
    if len(data) > _LONGEST_JSON:
        raise DataError(f"JSON longer than {_LONGEST_JSON} bytes")
    try:
        value = json.loads(data)
    except RecursionError:
        raise DataError(f"JSON nested deeper than {_DEEPEST} levels") from None
    except ValueError as error:
        raise DataError(f"no JSON ({error})") from error
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [item for node in level for item in _items(node)]
        if not level:
            return
    raise DataError(f"JSON nested deeper than {_DEEPEST} levels")


def _items(node: Any) -> Collection[Any]:
    return node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()


def yaml_value(data: bytes) -> Any:
    """Return the value of YAML that the pack writes; raises DataError, one line, for other bytes and for aliases.

    With aliases, a few lines can stand for more values than fit into memory.
    """
    if len(data) > _LONGEST_YAML:
        raise DataError(f"YAML longer than {_LONGEST_YAML} bytes")
    with _reading("YAML"):
        return yaml.load(data, Loader=_WithoutAliases)


class _WithoutAliases(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise DataError("it holds an alias")
        return super().compose_node(parent, index)


@contextmanager
def _reading(kind: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        # readers of formats raise any error for bytes that they do not expect
        cause = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"no {kind} that a run writes: {cause}") from error


def npz_arrays(data: bytes, names: Collection[str] | None = None) -> dict[str, Array]:
    """Return the arrays of an NPZ file by name, all or those of the names.

    Raises DataError, one line, for other bytes: members that are no arrays or hold Python objects, a header that asks for
    another size than the member has, a size that the compressed bytes cannot give, or more in all than a file of this length
    may hold.
    """
    with _reading("NPZ"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        _check_members(members, len(data))
        wanted = [each for each in members if names is None or _name(each) in names]
        return {_name(each): _array(archive, each) for each in wanted}


def npz_shape(data: bytes, name: str) -> tuple[int, ...]:
    """Return the shape of an array of an NPZ file, from its header alone; raises DataError as ``npz_parts`` does."""
    with _reading("NPZ"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_members(archive.infolist(), len(data))
        with archive.open(_member_of(archive, name)) as file:
            return _header(file, name)[0]


def npz_parts(data: bytes, names: Sequence[str]) -> Iterator[tuple[Array, ...]]:
    """Yield arrays of an NPZ file side by side, one part along their first axes at a time, each an array of its own.

    Raises DataError as ``npz_arrays`` does, and for an array that is not there, in Fortran's order, or longer than the first.
    """
    with _reading("NPZ"), zipfile.ZipFile(io.BytesIO(data)) as archive, ExitStack() as opened:
        _check_members(archive.infolist(), len(data))
        parts = [_parts(opened.enter_context(archive.open(_member_of(archive, name))), name) for name in names]
        yield from zip(*parts, strict=True)


def _member_of(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    for member in archive.infolist():
        if _name(member) == name:
            return member
    raise DataError(f"an NPZ without the array {name}")


def _parts(file: IO[bytes], name: str) -> Iterator[Array]:
    import numpy as np

    shape, fortran_order, dtype = _header(file, name)
    if fortran_order or not shape:
        raise DataError(f"{name} is not given part by part along a first axis")
    size = math.prod(shape[1:]) * dtype.itemsize
    for _ in range(shape[0]):
        if len(part := file.read(size)) < size:
            raise DataError(f"{name} ends before its last part")
        yield np.frombuffer(part, dtype=dtype).reshape(shape[1:])
    if file.read(1):
        raise DataError(f"{name} goes on after its last part")


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    for each in members:
        if not each.filename.endswith(".npy") or each.flag_bits & _ENCRYPTED:
            raise DataError(f"member {each.filename[:99]!r} is no array")
        times = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _DEFLATE_TIMES}.get(each.compress_type, 0)
        if each.file_size > times * each.compress_size:
            raise DataError(f"member {each.filename[:99]!r} cannot come to {each.file_size} bytes")
    if len({each.filename for each in members}) < len(members):
        raise DataError("two members have one name")
    _check_room(sum(each.file_size for each in members), size)


def _check_room(unpacked: int, size: int) -> None:
    if unpacked > max(_ALWAYS, _TIMES * size):
        raise DataError(f"its {size} bytes ask for {unpacked} bytes of memory, more than data of a run come to")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    import numpy as np

    with archive.open(member) as file:
        held = _held(file, member.filename)
    if held != member.file_size:
        raise DataError(f"the header of {member.filename[:99]!r} asks for {held} bytes, it has {member.file_size}")
    with archive.open(member) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER)
    return array


def _held(file: IO[bytes], name: str) -> int:
    """Return how many bytes an NPY file of this header has; raises DataError for a header that no run writes."""
    shape, _, dtype = _header(file, name)
    return file.tell() + math.prod(shape) * dtype.itemsize


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran's order, and dtype; raises DataError for a header that no run writes."""
    import numpy as np

    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise DataError(f"NPY version {version}")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise DataError(f"the header of {name[:99]!r} cannot be read ({error})") from error
    if dtype.kind not in _KINDS or min(shape, default=0) < 0:
        raise DataError(f"{name[:99]!r} of shape {shape} holds {dtype}, not numbers or text")
    return shape, fortran_order, dtype


def parquet_frame(data: bytes) -> pd.DataFrame:
    """Return the frame of a Parquet file, with the dtypes it was written with.

    Raises DataError, one line, for other bytes, and for a file whose columns come to more than one of this length may.
    """
    import pandas as pd
    import pyarrow as pa

    with _reading("Parquet"):
        _check_columns(data)
        return pd.read_parquet(pa.BufferReader(data), engine="pyarrow")


def _open(data: bytes, **options: Any) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # a buffer that Arrow owns: its threads may still read after an error has freed everything else
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False, **options)


def _check_columns(data: bytes) -> None:
    """Refuse types of columns that no table has, repeated names, and columns that take too much memory."""
    from pyarrow import types

    with _open(data) as file:
        schema, metadata = file.schema_arrow, file.metadata
    kinds = (types.is_integer, types.is_floating, types.is_boolean, types.is_string)
    if strange := [field for field in schema if not any(kind(field.type) for kind in kinds)]:
        raise DataError(f"column {strange[0].name[:99]!r} holds {str(strange[0].type)[:99]}")
    if len(set(schema.names)) < len(schema):
        raise DataError("two columns have one name")
    packed = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    _check_room(packed + 8 * metadata.num_rows * len(schema), len(data))
    # repeated text is short in the file and long in memory, unless it is read as entries of a dictionary
    text = [field.name for field in schema if types.is_string(field.type)]
    with _open(data, read_dictionary=text) as file:
        table = file.read(text, use_threads=False)
    _check_room(sum(_spelled_out(chunk) for column in table.columns for chunk in column.chunks), len(data))


def _spelled_out(entries: pa.DictionaryArray) -> int:
    """Return how many bytes entries of a dictionary have as text."""
    import pyarrow.compute as pc

    return pc.sum(pc.binary_length(entries.dictionary).take(entries.indices)).as_py() or 0
