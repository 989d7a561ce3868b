"""Two artifacts of one kind, as values: tables and other frames by their keys, arrays by entry, JSON by key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from critnb.lattice.conditions import COND_ID
from critnb.report.schema import SCHEMAS
from critnb.report.schema.columns import PROVENANCE
from critnb.review.diff.shared import SAID
from critnb.review.diff.values import Array, Difference, arrays_differ, listed, merged, named, short

# These columns say where a row comes from, which is compared as the runs' inputs.
_ORIGIN = frozenset(column.name for column in PROVENANCE)
# columns of results by which a row is known
_NAMING = frozenset(
    {
        *(COND_ID, *SAID, "layer", "seq_id", "avalanche_id", "replicate", "variant", "direction", "is_wide"),
        *("question_id", "choice", "check", "input", "estimator", "control_id", "test", "kind", "lattice"),
    }
)
# what says of a condition where its run has it, and whose run that is
_OF_RUN = (COND_ID, "model_role")
# by which one of a list of JSON's objects is known
_NAMED_BY = ("name", "spike_def_id", "target_rate", "claim_id")
# beyond it a float of 64 bits no longer tells whole numbers apart
_LARGEST_WHOLE = 2**53


def frames_differ(path: str, old: pd.DataFrame, new: pd.DataFrame) -> Difference:
    """Compare two tables: by the schema's key where ``path`` names a table that has one, else by what names their rows.

    Rows that nothing names are compared in their order, if there are as many.
    """
    schema = SCHEMAS.get(PurePosixPath(path).stem)
    shared = [name for name in old.columns if name in new.columns and not (schema and name in _ORIGIN)]
    remarks = _only_one_has("column", old.columns, new.columns)
    key = list(schema.key) if schema is not None else _naming(old, new)
    if key and _keyed(old, key) and _keyed(new, key):
        old, new = old.set_index(key), new.set_index(key)
        paired = old.index.intersection(new.index, sort=False)
        remarks += _unpaired(len(old), len(new), len(paired))
        old, new = old.loc[paired], new.loc[paired]
        # which condition it is, the key says
        shared = [name for name in shared if name not in (*key, *(_OF_RUN if schema is None else ()))]
    elif len(old) != len(new):
        return Difference(remarks=(*remarks, f"{len(old)} rows against {len(new)}, not compared row by row"))
    return merged((_columns_differ(old[name], new[name]) for name in shared), remarks)


def _naming(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """Return the columns that name rows, where rows of the same place have other names."""
    both = [name for name in old.columns if name in _NAMING and name in new.columns]
    # a condition's number is its place in its own run's table, but where the two were numbered alike
    key = [name for name in both if name != COND_ID] if {*SAID} <= {*both} else both
    return key if len(old) != len(new) or not old[key].equals(new[key]) else []


def _keyed(frame: pd.DataFrame, key: Sequence[str]) -> bool:
    return set(key) <= set(frame.columns) and not frame.duplicated(list(key)).any()


def _unpaired(n_old: int, n_new: int, n_paired: int) -> list[str]:
    if n_old == n_new == n_paired:
        return []
    return [f"{n_old} rows against {n_new}, {n_paired} of them with the same key"]


def _only_one_has(what: str, old: Iterable[str], new: Iterable[str]) -> list[str]:
    before, after = dict.fromkeys(map(str, old)), dict.fromkeys(map(str, new))
    sides = (
        ("first", [name for name in before if name not in after]),
        ("second", [name for name in after if name not in before]),
    )
    return [f"only the {side} has {what} {listed(names)}" for side, names in sides if names]


def _columns_differ(old: pd.Series[Any], new: pd.Series[Any]) -> Difference:
    name, rows = str(old.name), old.index
    return named(name, arrays_differ(_values(old), _values(new), lambda row: f"{name} at {_row(rows, row)}"))


def _row(index: pd.Index[Any], row: int) -> str:
    if index.names == [None]:
        return f"row {row}"
    values = index[row] if isinstance(index, pd.MultiIndex) else (index[row],)
    return ", ".join(f"{name}={value}" for name, value in zip(index.names, values, strict=True))


def _values(column: pd.Series[Any]) -> Array:
    plain = column.to_numpy()
    return plain if plain.dtype.kind in "iufb" else np.asarray([str(value) for value in plain], dtype=object)


def npz_differ(old: Mapping[str, Array], new: Mapping[str, Array]) -> Difference:
    """Compare two NPZ files: arrays of the same name and shape, entry by entry."""
    shared = [name for name in old if name in new]
    return merged(
        (_named_arrays_differ(name, old[name], new[name]) for name in shared), _only_one_has("array", old, new)
    )


def _named_arrays_differ(name: str, old: Array, new: Array) -> Difference:
    if old.shape != new.shape:
        return Difference(remarks=(f"{name} has shape {list(old.shape)} against {list(new.shape)}",))

    def where(index: int) -> str:
        return f"{name}{[int(place) for place in np.unravel_index(index, old.shape)]}" if old.shape else name

    remarks = [f"{name} is {old.dtype} against {new.dtype}"] if old.dtype != new.dtype else []
    return merged([named(name, arrays_differ(old, new, where))], remarks)


def json_differ(old: Any, new: Any) -> Difference:
    """Compare two JSON values leaf by leaf, by the path that leads to each."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    shared = [key for key in before if key in after]
    numbers = [key for key in shared if _is_number(before[key]) and _is_number(after[key])]
    counted = set(numbers)
    others = [key for key in shared if key not in counted]
    sized = arrays_differ(
        np.array([before[key] for key in numbers], dtype=np.float64),
        np.array([after[key] for key in numbers], dtype=np.float64),
        lambda index: numbers[index],
    )
    # Python finds True equal to 1
    apart = [key for key in others if (type(before[key]), before[key]) != (type(after[key]), after[key])]
    example = f"{apart[0]}: {short(before[apart[0]])} -> {short(after[apart[0]])}" if apart else ""
    unsized = Difference(len(others), len(apart), len(apart), example=example)
    return merged([sized, unsized], _only_one_has("key", before, after))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= _LARGEST_WHOLE


def _names(items: list[Any]) -> list[str]:
    """Return how the items of a list are called: by what names them, where that tells all apart, else by their place."""
    if all(isinstance(item, Mapping) for item in items):
        names = [", ".join(f"{item[key]}" for key in _NAMED_BY if key in item) for item in items]
        if all(names) and len({*names}) == len(names):
            return names
    return [str(place) for place in range(len(items))]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path, such as ``choices[3].gains``; an empty list or mapping is a leaf of its own."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for place, item in zip(_names(value), value, strict=True):
            yield from _leaves(item, f"{path}[{place}]")
    elif path or not isinstance(value, list | Mapping):
        yield path or "value", value
