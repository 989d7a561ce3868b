"""A sweep: a list of overrides of one params file, each of which is params of its own."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from critnb.canon import ModelRole
from critnb.errors import ParamsError
from critnb.params.core_schema import named
from critnb.params.loading import SWEEP, Loaded, find, load
from critnb.params.strict_yaml import Document, Place, read_document
from critnb.system.paths import absolute, kind
from critnb.system.terminal import breaking, plain

# what stands in an entry beside keys of the params
_NAME, _ROLE = "name", "role"
_ENTRIES, _GRID = "entries", "grid"
_LONGEST_NAME, _SHOWN, _MOST = 80, 40, 1000
_WITH_SOURCES = ("models", "data")
# of one command with one set of workers; none of them makes other runs
_OF_COMMAND = frozenset(f"compute.{key}" for key in ("engine", "workers", "scheduler", "device", "device_map", "wait"))


@dataclass(frozen=True)
class Entry:
    """One of a sweep's params; ``number`` counts from one, ``overrides`` are dotted keys, ``role`` is None where not given."""

    number: int
    name: str
    overrides: Mapping[str, Any]
    role: str | None
    loaded: Loaded


@dataclass(frozen=True)
class Sweep:
    """The entries of a file, in its order; ``name`` is the file's without suffix."""

    name: str
    origin: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class _Point:
    """One entry as the file has it; ``where`` is what a mistake in it is blamed on."""

    name: str | None
    role: str | None
    overrides: Mapping[str, Any]
    where: str
    grid: Mapping[str, str] = field(default_factory=dict)

    def blamed(self, key: str) -> str:
        """Return what a mistake in one of its keys is blamed on: the entry, or the grid that gives it."""
        return self.grid.get(key, self.where)


def read_sweep(
    file: str | Path,
    params: str | Path | None = None,
    common: Mapping[str, Any] | None = None,
    *,
    given_by: Mapping[str, str] | None = None,
) -> Sweep:
    """Return a sweep with the params of every entry, each validated.

    The file is a list of entries, which override ``params`` (``base.yaml`` if not given), or a params file with a section
    ``sweep``: such a list, or ``entries`` and ``grid``, keys with lists of values of which every combination is taken with every
    entry. An entry is a mapping of params keys, dotted or in sections, with ``name`` and ``role`` if it likes; what all runs of a
    command share, such as its device and workers, is no key of one. Relative paths in it are meant from the file. ``common`` are
    overrides of all entries, as ``load`` takes them.

    Raises ParamsError, which names the entry, for a file or an entry that cannot be used, a name that occurs twice, and no entry.
    """
    path = absolute(Path(file), what="FILE", any_bytes=True)
    if (what := kind(path)) != "file":
        raise ParamsError(f"{plain(path)}: {f'is {what}, not a file' if what else 'no such file'}; give a sweep's file")
    document, origin = read_document(path), plain(path.name)
    given, place, base = _section(document, path, params)
    points = list(_points(given, place, document.lines, origin))
    if not points:
        raise ParamsError(f"{origin}: the sweep has no entries")
    if len(points) > _MOST:
        raise ParamsError(f"{origin}: {len(points)} entries, {_MOST} are the most")
    _refuse_of_command(points)
    _refuse_overridden(points, common or {})
    names = _names(points, origin)
    entries = tuple(
        _entry(number, name, point, base, path, common or {}, given_by or {})
        for number, (name, point) in enumerate(zip(names, points, strict=True), start=1)
    )
    return Sweep(path.stem, origin, entries)


def _section(document: Document, path: Path, params: str | Path | None) -> tuple[Any, Place, Path]:
    """Return the sweep as the file has it, its place there, and the params file that it overrides."""
    value, origin = document.value, plain(path.name)
    if isinstance(value, list):
        return value, (), find("base.yaml" if params is None else params)
    if not isinstance(value, dict) or SWEEP not in value:
        raise ParamsError(f"{origin}: is no sweep; write a list of entries, or a params file with a section {SWEEP}")
    if params is not None:
        raise ParamsError(f"{origin}: is a params file itself; leave out --params, or write the sweep as a list alone")
    return value[SWEEP], (SWEEP,), path


def _points(given: Any, place: Place, lines: Mapping[Place, int], origin: str) -> Iterator[_Point]:
    if isinstance(given, list):
        yield from _listed(given, place, lines, origin)
        return
    if not isinstance(given, dict) or not given or set(given) - {_ENTRIES, _GRID}:
        strange = [key for key in given if key not in (_ENTRIES, _GRID)] if isinstance(given, dict) else []
        found = f"unknown key {plain(strange[0], _SHOWN)}" if strange else f"found {named(given)}"
        raise ParamsError(f"{origin}: {SWEEP}: must be a list of entries, or hold {_ENTRIES} and {_GRID}; {found}")
    entries = given.get(_ENTRIES, [{}])
    if not isinstance(entries, list):
        raise ParamsError(f"{origin}: {SWEEP}.{_ENTRIES}: must be a list, found {named(entries)}")
    combinations = list(_combinations(given.get(_GRID, {}), origin))
    for point in _listed(entries, (*place, _ENTRIES), lines, origin):
        for name, overrides in combinations:
            if twice := sorted({*overrides} & {*point.overrides}):
                raise ParamsError(f"{point.where}: {plain(twice[0], _SHOWN)}: {_GRID} sets it, too")
            full = f"{point.name} {name}".strip() if point.name else None
            of_grid = {key: _of_grid(key, place, lines, origin) for key in overrides}
            yield replace(point, name=full, overrides={**point.overrides, **overrides}, grid=of_grid)


def _of_grid(key: str, place: Place, lines: Mapping[Place, int], origin: str) -> str:
    line = lines.get((*place, _GRID, key))
    return f"{origin}:{f' line {line}:' if line else ''} {SWEEP}.{_GRID}"


def _listed(given: Sequence[Any], place: Place, lines: Mapping[Place, int], origin: str) -> Iterator[_Point]:
    for number, entry in enumerate(given, start=1):
        line = lines.get((*place, number - 1))
        where = f"{origin}:{f' line {line}:' if line else ''} entry {number}"
        if not isinstance(entry, dict):
            raise ParamsError(f"{where}: must be a mapping of params keys, found {named(entry)}")
        name, role = entry.get(_NAME), entry.get(_ROLE)
        if _NAME in entry and not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and not breaking(name)):
            raise ParamsError(f"{where}: {_NAME}: must be text on one line of at most {_LONGEST_NAME} characters")
        if _ROLE in entry and role not in list(ModelRole):
            raise ParamsError(f"{where}: {_ROLE}: must be one of {', '.join(ModelRole)}")
        yield _Point(name, role, _flat(entry, where), f"{where}{f' ({plain(name)})' if name else ''}")


def _flat(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return an entry's keys of the params, dotted, of a section as a mapping each by itself; raises ParamsError for one twice."""
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if key in (_NAME, _ROLE):
            continue
        in_section = isinstance(value, dict) and "." not in key
        for name, each in (
            {f"{key}.{name}": each for name, each in value.items()}.items() if in_section else [(key, value)]
        ):
            if name in flat:
                raise ParamsError(f"{where}: {plain(name, _LONGEST_NAME)}: is set twice")
            flat[name] = each
    return flat


def _combinations(grid: Any, origin: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and overrides of every combination of the grid's values; one without any for no grid."""
    if not isinstance(grid, dict):
        raise ParamsError(f"{origin}: {SWEEP}.{_GRID}: must be a mapping of keys to lists, found {named(grid)}")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            found = "an empty list" if values == [] else named(values)
            raise ParamsError(
                f"{origin}: {SWEEP}.{_GRID}.{plain(key, _SHOWN)}: must be a list of values, found {found}"
            )
    for places in itertools.product(*(range(len(values)) for values in grid.values())):
        chosen = {key: grid[key][at] for key, at in zip(grid, places, strict=True)}
        yield _words(chosen), chosen


def _words(overrides: Mapping[str, Any]) -> str:
    """Return what an entry without a name is called: the last part of each key with its value."""
    return " ".join(f"{key.rpartition('.')[2]}={_value_words(value)}" for key, value in overrides.items())


def _value_words(value: Any) -> str:
    if isinstance(value, dict):
        parts = [value.get(key) for key in ("path", "id", "revision", "source")]
        named_by = [str(part).rstrip("/").rpartition("/")[2] for part in parts[:-1] if part] or [str(parts[-1])]
        return plain("@".join(named_by), _SHOWN)
    if isinstance(value, list):
        return plain(",".join(map(_value_words, value)), _SHOWN)
    return plain(f"{value:g}" if isinstance(value, float) else value, _SHOWN)


def _names(points: Sequence[_Point], origin: str) -> list[str]:
    """Return a name of each entry, those that the file does not name made from what they set; raises ParamsError for one twice."""
    names = [
        point.name or (_words(point.overrides) or f"entry {at}")[:_LONGEST_NAME] for at, point in enumerate(points, 1)
    ]
    counts = Counter(names)
    for name, point in zip(names, points, strict=True):
        if counts[name] > 1:
            others = ", ".join(str(at) for at, each in enumerate(names, 1) if each == name)
            raise ParamsError(
                f"{origin}: entries {others} have one name, {plain(name)}; give each its own ({_NAME}: ...)"
            )
        if len(name) > 2 * _LONGEST_NAME:
            raise ParamsError(f"{point.where}: the name with the grid's values is too long; give shorter ones")
    return names


def _refuse_overridden(points: Sequence[_Point], common: Mapping[str, Any]) -> None:
    for point in points:
        for key in point.overrides:
            clash = next(
                (each for each in common if f"{each}.".startswith(f"{key}.") or f"{key}.".startswith(f"{each}.")), None
            )
            if clash is not None:
                raise ParamsError(
                    f"{point.blamed(key)}: {plain(key, _SHOWN)}: the command line sets {plain(clash, _SHOWN)}, too; take one away"
                )


def _refuse_of_command(points: Sequence[_Point]) -> None:
    for point in points:
        for key in point.overrides:
            if key in _OF_COMMAND:
                raise ParamsError(
                    f"{point.blamed(key)}: {key}: is the same for all entries; set it in the params file or on the command line"
                )


def _entry(
    number: int,
    name: str,
    point: _Point,
    base: Path,
    path: Path,
    common: Mapping[str, Any],
    given_by: Mapping[str, str],
) -> Entry:
    overrides = {key: _from_base(key, value, path.parent, base.parent) for key, value in point.overrides.items()}
    blamed = {key: point.blamed(key) for key in overrides}
    loaded = load(base, {**common, **overrides}, given_by={**given_by, **blamed})
    return Entry(number, name, point.overrides, point.role, loaded)


def _from_base(key: str, value: Any, folder: Path, base: Path) -> Any:
    """Return an override with the relative path of its source, which is meant from ``folder``, as seen from ``base``."""
    if folder == base or key.partition(".")[0] not in _WITH_SOURCES:
        return value
    if key.endswith(".path") and isinstance(value, str):
        return value if Path(value).is_absolute() else os.path.relpath(folder / value, base)
    if isinstance(value, dict):
        return {name: _from_base(f"{key}.{name}", each, folder, base) for name, each in value.items()}
    return value
