"""The chain of runs laid out on a plane: a column per stage, a band per role and model, generations below each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from critnb.canon import ModelRole, Stage
from critnb.review.index.facts import RunFacts

# More columns than fit make the picture wider than this; the page then scales it down.
WIDTH = 1190.0
BOX_HEIGHT = 62.0
_GUTTER = 42.0
_PITCH = (128.0, 186.0)
_ROW_GAP = 40.0
_BAND_HEAD = 26.0
_BAND_GAP = 14.0
_HEAD = 22.0
# The wires that leave boxes of one column on different rows run side by side, as do those above a row.
_OUT, _OUT_STEP, _OUT_STEPS = 8.0, 4.0, 4
_IN = 12.0
_LANE, _LANE_STEP = 8.0, 3.5
_CORNER = 5.0
_ROOMY = 115.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A run's place; ``latest`` tells the newest generation of its stage, role and model from the older ones."""

    facts: RunFacts
    column: int
    row: int
    x: float
    y: float
    width: float
    latest: bool
    height: float = BOX_HEIGHT

    @property
    def is_roomy(self) -> bool:
        """Whether words fit beside the stage."""
        return self.width >= _ROOMY

    @property
    def middle(self) -> float:
        """The height at which wires come and go."""
        return self.y + BOX_HEIGHT / 2


@dataclass(frozen=True)
class Wire:
    """A dependency: corners of the way from the upstream run's box to the other's."""

    upstream: str
    run_id: str
    corners: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The way as an SVG path, its corners rounded."""
        steps = [f"M{_at(self.corners[0])}"]
        for before, corner, after in zip(self.corners, self.corners[1:], self.corners[2:], strict=False):
            steps.append(f"L{_at(_towards(corner, before))} Q{_at(corner)} {_at(_towards(corner, after))}")
        return " ".join([*steps, f"L{_at(self.corners[-1])}"])


def _towards(corner: Point, other: Point) -> Point:
    """Return the point where a rounded corner begins: on the way to the other point, at most half of it."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share


def _at(point: Point) -> str:
    return f"{point[0]:g} {point[1]:g}"


@dataclass(frozen=True)
class Band:
    """The rows of one role and model."""

    label: str
    y: float
    height: float


@dataclass(frozen=True)
class Layout:
    """The whole picture, in its own units; heads are the stages over their columns."""

    width: float
    height: float
    heads: tuple[tuple[Stage, float], ...]
    bands: tuple[Band, ...]
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def generations(runs: Iterable[RunFacts]) -> dict[tuple[str, str], dict[Stage, list[RunFacts]]]:
    """Return band (role, model) -> stage -> runs, the latest first; bands with roles in their order, then the others."""
    bands: dict[tuple[str, str], dict[Stage, list[RunFacts]]] = {}
    for facts in sorted(runs, key=lambda facts: (facts.created, facts.run_id), reverse=True):
        bands.setdefault(_band(facts), {}).setdefault(facts.stage, []).append(facts)
    return {band: bands[band] for band in sorted(bands, key=_place)}


def _band(facts: RunFacts) -> tuple[str, str]:
    return facts.role, facts.model if facts.role else ""


def _place(band: tuple[str, str]) -> tuple[int, str, str]:
    roles = [str(role) for role in ModelRole]
    return (roles.index(band[0]) if band[0] in roles else len(roles), *band)


def lay_out(runs: Sequence[RunFacts]) -> Layout:
    """Place every run; the same runs give the same picture, whatever their order."""
    grouped = generations(runs)
    stages = sorted({facts.stage for facts in runs}, key=list(Stage).index)
    pitch = min(max(WIDTH / max(len(stages), 1), _PITCH[0]), _PITCH[1])
    bands, boxes, y, row = [], list[Box](), _HEAD, 0
    for (role, model), cells in grouped.items():
        depth = max(map(len, cells.values()))
        height = _BAND_HEAD + depth * (BOX_HEIGHT + _ROW_GAP) - 4
        bands.append(Band(" · ".join(filter(None, [role or "several roles, or unknown", model])), y, height))
        top = y + _BAND_HEAD + _ROW_GAP / 2
        boxes += [
            _box(
                facts,
                stages.index(stage),
                row + depth_of,
                pitch,
                top + depth_of * (BOX_HEIGHT + _ROW_GAP),
                latest=not depth_of,
            )
            for stage, cell in cells.items()
            for depth_of, facts in enumerate(cell)
        ]
        y, row = y + height + _BAND_GAP, row + depth
    heads = tuple((stage, column * pitch + _GUTTER / 2) for column, stage in enumerate(stages))
    ordered = tuple(sorted(boxes, key=lambda box: (box.row, box.column)))
    return Layout(max(pitch * len(stages), pitch), y - _BAND_GAP, heads, tuple(bands), ordered, tuple(_wires(ordered)))


def _box(facts: RunFacts, column: int, row: int, pitch: float, y: float, *, latest: bool) -> Box:
    return Box(facts, column, row, column * pitch + _GUTTER / 2, y, pitch - _GUTTER, latest)


def _wires(boxes: Sequence[Box]) -> list[Wire]:
    by_id = {box.facts.run_id: box for box in boxes}
    return [
        Wire(upstream, box.facts.run_id, _way(by_id[upstream], box))
        for box in boxes
        for upstream in box.facts.upstream
        if upstream in by_id and by_id[upstream].column < box.column
    ]


def _way(start: Box, end: Box) -> tuple[Point, ...]:
    """Straight to the next column of the same row; else through the gutter, past other boxes in the lane above the row."""
    right, left = (start.x + start.width, start.middle), (end.x, end.middle)
    out = right[0] + _OUT + _OUT_STEP * (start.row % _OUT_STEPS)
    if end.column == start.column + 1:
        return (right, left) if start.row == end.row else (right, (out, right[1]), (out, left[1]), left)
    lane = end.y - _LANE - _LANE_STEP * (start.column % 6)
    turn = left[0] - _IN
    return right, (out, right[1]), (out, lane), (turn, lane), (turn, left[1]), left
