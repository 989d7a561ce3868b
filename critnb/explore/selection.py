"""What the explorer shows, as a value, and the same as one line of text that can be shared and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from critnb.canon import Intervention, NullId, SpikeDef
from critnb.errors import ParamsError
from critnb.lattice import PRIMARY, Condition


class Beside(StrEnum):
    """What stands between the raster and its null."""

    NOTHING = "nothing"
    GAIN_ONE = "gain-1"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class Box:
    """A part of a window: its first and last token, and its first and last layer."""

    tokens: tuple[int, int]
    layers: tuple[int, int]

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Box | None:
        """Return the box of the browser's four numbers, None for none."""
        found = [int(number) for number in numbers]
        return cls((found[0], found[1]), (found[2], found[3])) if found else None

    @classmethod
    def read(cls, text: str) -> Box:
        """Read what ``str`` writes, such as ``10-42,3-12``; raises ValueError."""
        tokens, layers = (part.split("-") for part in text.split(","))
        (first, last), (low, high) = tokens, layers
        return cls((int(first), int(last)), (int(low), int(high)))

    def __str__(self) -> str:
        return "{}-{},{}-{}".format(*self.numbers)

    @property
    def numbers(self) -> list[int]:
        """The four numbers as the browser has them."""
        return [*self.tokens, *self.layers]

    def within(self, *, layers: int, tokens: int) -> bool:
        """Return whether the box lies in a window of so many layers and tokens."""
        ends = ((self.tokens, tokens), (self.layers, layers))
        return all(0 <= first <= last < n for (first, last), n in ends)


@dataclass(frozen=True)
class Selection:
    """A real condition, the index of a window on the axis N, the null beside it, and the picked avalanche.

    ``beside`` is what gain 1 is shown as, ``view`` the part of the window that is zoomed to (None for all of it), ``brush`` the
    part whose events are counted.
    """

    condition: Condition
    row: int
    null_id: NullId = PRIMARY
    picked: int | None = None
    beside: Beside = Beside.NOTHING
    view: Box | None = None
    brush: Box | None = None


@dataclass(frozen=True)
class _Word:
    """A word of the line: what ``ExplorerState.choose`` calls it, how it is read, and what a missing one means."""

    name: str
    read: Callable[[str], Any]
    given: Callable[[Selection], Any]
    # what is not in the line is none, or stays as it is
    none: Any = ...


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


_RUN = "run"
_WORDS = {
    "events": _Word("spike_def", SpikeDef, lambda chosen: chosen.condition.spike_def_id),
    "rate": _Word("target_rate", float, lambda chosen: chosen.condition.target_rate),
    "on": _Word("intervention", Intervention, lambda chosen: chosen.condition.intervention_id),
    "gain": _Word("gain", float, lambda chosen: chosen.condition.gain),
    "sequence": _Word("row", int, lambda chosen: chosen.row),
    "null": _Word("null_id", NullId, lambda chosen: chosen.null_id),
    "beside": _Word("beside", Beside, lambda chosen: chosen.beside, Beside.NOTHING),
    "avalanche": _Word("picked", int, lambda chosen: chosen.picked, None),
    "view": _Word("view", Box.read, lambda chosen: chosen.view, None),
    "brush": _Word("brush", Box.read, lambda chosen: chosen.brush, None),
}


def to_line(run_id: str, selection: Selection) -> str:
    """Return a selection of a run as one line of ``word=value``, which ``from_line`` reads back."""
    values = {name: word.given(selection) for name, word in _WORDS.items()}
    held = {name: value for name, value in values.items() if value != _WORDS[name].none}
    return " ".join([f"{_RUN}={run_id}", *(f"{name}={_text(value)}" for name, value in held.items())])


def from_line(text: str) -> tuple[str | None, Mapping[str, Any]]:
    """Return the run that a line names, None for none, and the arguments of ``ExplorerState.choose``.

    A view, a brush, an avalanche and what stands beside are none where the line does not name them; whatever else it leaves out
    stays as it is. Raises ParamsError, in one line, for what is no such line.
    """
    found: dict[str, str] = {}
    for part in text.split():
        name, is_one, value = part.partition("=")
        if not is_one or name not in (_RUN, *_WORDS):
            raise ParamsError(f"not a state of the explorer: {_unknown(part, name)}")
        if name in found:
            raise ParamsError(f"not a state of the explorer: {name} is there twice")
        found[name] = value
    if not found:
        raise ParamsError("not a state of the explorer: it is empty; copy the whole line, from run= on")
    run_id = found.pop(_RUN, None)
    chosen = {word.name: word.none for word in _WORDS.values() if word.none is not ...}
    return run_id, chosen | {_WORDS[name].name: _read(name, value) for name, value in found.items()}


def _read(name: str, value: str) -> Any:
    read = _WORDS[name].read
    try:
        return read(value)
    except ValueError:
        known = f"; one of {', '.join(read)}" if isinstance(read, type) and issubclass(read, StrEnum) else ""
        raise ParamsError(f"not a state of the explorer: {name}={value[:60]!r} cannot be read{known}") from None


def _unknown(part: str, name: str) -> str:
    meant = get_close_matches(name, [_RUN, *_WORDS], n=1)
    hint = f"did you mean {meant[0]}=?" if meant else f"its words are {_RUN}, {', '.join(_WORDS)}"
    return f"{part[:60]!r}; {hint}"
