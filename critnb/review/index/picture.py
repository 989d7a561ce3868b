"""The chain as inline SVG: boxes that link to the runs below, wires along dependencies, colour and word for status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from critnb.gates import Verdict
from critnb.review.index.chain import BOX_HEIGHT, Box, Layout, Point, lay_out
from critnb.review.index.facts import RunFacts
from critnb.review.index.markup import Markup, anchor, joined, tag

_CORNER = 5.0
_PAD = 9.0
_ROOMY = 115.0


def picture(runs: Sequence[RunFacts]) -> Markup:
    """Return the SVG of the runs."""
    layout = lay_out(runs)
    return tag(
        "svg",
        _MARKER,
        _bands(layout),
        _heads(layout),
        _wires(layout),
        [_box(box) for box in layout.boxes],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {layout.width:g} {layout.height:g}",
        width=layout.width,
        height=layout.height,
        role="img",
        aria_label="runs by stage, with arrows from each run to those made from it",
    )


_MARKER = tag(
    "defs",
    tag(
        "marker",
        tag("path", d="M0 0 L7 3.5 L0 7 z"),
        id="tip",
        markerWidth="7",
        markerHeight="7",
        refX="6.5",
        refY="3.5",
        orient="auto",
        markerUnits="userSpaceOnUse",
    ),
)


def _bands(layout: Layout) -> Iterator[Markup]:
    for band in layout.bands:
        yield tag("rect", x="0", y=band.y, width=layout.width, height=band.height, rx="6", class_="band")
        yield tag("text", band.label, x="12", y=band.y + 17, class_="label")


def _heads(layout: Layout) -> Iterator[Markup]:
    return (tag("text", stage, x=x, y="13", class_="head") for stage, x in layout.heads)


def _wires(layout: Layout) -> Iterator[Markup]:
    for wire in layout.wires:
        title = tag("title", f"{wire.run_id} was made from {wire.upstream}")
        yield tag("path", title, d=_path(wire.corners), class_="wire", marker_end="url(#tip)")


def _path(corners: Sequence[Point]) -> str:
    steps = [f"M{_at(corners[0])}"]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        steps.append(f"L{_at(_towards(corner, before))} Q{_at(corner)} {_at(_towards(corner, after))}")
    return " ".join([*steps, f"L{_at(corners[-1])}"])


def _towards(corner: Point, other: Point) -> Point:
    """The point where a rounded corner begins: on the way to the other point, at most half of it."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER, length / 2) / length if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share


def _at(point: Point) -> str:
    return f"{point[0]:g} {point[1]:g}"


def _box(box: Box) -> Markup:
    facts, left = box.facts, box.x + _PAD
    kind = f"run {facts.status}" + ("" if box.latest else " older")
    shape = joined(
        tag("title", f"{facts.run_id}: {facts.status}{_told(box)}"),
        tag("rect", x=box.x, y=box.y, width=box.width, height=BOX_HEIGHT, rx="5"),
        tag("text", facts.stage, x=left, y=box.y + 17, class_="stage"),
        _failing(box),
        tag("text", facts.run_id.rpartition("_")[2], x=left, y=box.y + 31, class_="hash"),
        tag("text", facts.created[5:16].replace("T", " "), x=left, y=box.y + 43, class_="date"),
        tag("text", facts.status, x=left, y=box.y + 56, class_="word"),
    )
    return anchor(facts.run_id, tag("g", shape, class_=kind))


def _told(box: Box) -> str:
    counts = Counter(gate.verdict for gate in box.facts.gates)
    return "".join(f", {counts[verdict]} gates {verdict}" for verdict in Verdict if counts[verdict])


def _failing(box: Box) -> Markup:
    failing = sum(gate.verdict is Verdict.FAIL for gate in box.facts.gates)
    if not failing:
        return joined()
    roomy = box.width >= _ROOMY
    words = "✗" if not roomy else "gate fails" if failing == 1 else "gates fail"
    # beside the status where there is no room beside the stage
    x, y = box.x + box.width - (_PAD if roomy else _PAD / 3), box.y + (17 if roomy else 56)
    return tag("text", f"{failing} {words}", x=x, y=y, class_="gate", text_anchor="end")
