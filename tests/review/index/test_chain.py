"""The picture's layout: columns, generations, and wires that pass beside every box that they do not belong to."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critnb.canon import Stage
from critnb.review.index import RunFacts, RunStatus, render
from critnb.review.index.chain import BOX_HEIGHT, Box, Layout, Wire, generations, lay_out

NEEDS = {
    Stage.S02: [Stage.S01],
    Stage.S02B: [Stage.S02],
    Stage.S03: [Stage.S01, Stage.S02, Stage.S02B],
    Stage.S04: [Stage.S01, Stage.S02, Stage.S03],
    Stage.S04K: [Stage.S01, Stage.S02B, Stage.S03],
    Stage.S05: [Stage.S00, Stage.S02, Stage.S02B, Stage.S03, Stage.S04, Stage.S04K],
    Stage.S06B: [Stage.S01, Stage.S02, Stage.S02B],
    Stage.S06ARC: [Stage.S02B],
    Stage.S07: [Stage.S05, Stage.S06B, Stage.S06ARC],
    Stage.S08: [Stage.S07],
}


def run(stage: Stage, number: int, *upstream: str, role: str = "BASE", model: str = "m") -> RunFacts:
    return RunFacts(
        run_id=f"RUN_{stage}_{number:012x}",
        stage=stage,
        folder="",
        status=RunStatus.complete,
        role=role,
        model=model,
        created=f"2026-01-01T00:00:{number:02d}Z",
        upstream=upstream,
    )


@st.composite
def histories(draw) -> list[RunFacts]:
    """Runs as they come about: each made from some run of every stage it needs, in any of three bands."""
    stages = draw(st.lists(st.sampled_from(list(Stage)), min_size=1, max_size=30))
    made: list[RunFacts] = []
    for number, stage in enumerate(stages):
        older = [[each.run_id for each in made if each.stage is need] for need in NEEDS.get(stage, [])]
        upstream = [draw(st.sampled_from(ids)) for ids in older if ids]
        made.append(run(stage, number, *upstream, role=draw(st.sampled_from(["BASE", "INSTRUCT", ""]))))
    return made


def crosses(wire: Wire, box: Box) -> bool:
    """Whether some straight piece of the wire passes through the inside of the box."""
    left, right, top, bottom = box.x, box.x + box.width, box.y, box.y + BOX_HEIGHT
    return any(
        max(ax, bx) > left and min(ax, bx) < right and max(ay, by) > top and min(ay, by) < bottom
        for (ax, ay), (bx, by) in pairwise(wire.corners)
    )


def check(layout: Layout, runs: list[RunFacts]) -> None:
    assert sorted(box.facts.run_id for box in layout.boxes) == sorted(facts.run_id for facts in runs)
    for place, box in enumerate(layout.boxes):
        assert 0 <= box.x <= box.x + box.width <= layout.width
        assert 0 <= box.y <= box.y + BOX_HEIGHT <= layout.height
        for other in layout.boxes[:place]:
            assert abs(box.x - other.x) >= box.width or abs(box.y - other.y) >= BOX_HEIGHT
    by_id = {box.facts.run_id: box for box in layout.boxes}
    for wire in layout.wires:
        start, end = by_id[wire.upstream], by_id[wire.run_id]
        assert wire.corners[0] == (start.x + start.width, start.middle)
        assert wire.corners[-1] == (end.x, end.middle)
        assert not any(crosses(wire, box) for box in layout.boxes)
        assert all(0 <= x <= layout.width and 0 <= y <= layout.height for x, y in wire.corners)


@settings(max_examples=60, deadline=None)
@given(histories())
def test_boxes_lie_apart_and_no_wire_runs_through_a_box(runs):
    layout = lay_out(runs)
    check(layout, runs)
    assert len(layout.wires) == sum(len(facts.upstream) for facts in runs)
    shuffled = random.Random(1).sample(runs, len(runs))
    assert lay_out(shuffled) == layout


def test_generations_stand_below_each_other_the_latest_first():
    runs = [run(Stage.S01, 1), run(Stage.S02, 2), run(Stage.S02, 5), run(Stage.S02, 3)]
    layout = lay_out(runs)
    numbers = [int(box.facts.run_id[-12:], 16) for box in layout.boxes if box.facts.stage is Stage.S02]
    assert numbers == [5, 3, 2]
    assert [box.latest for box in layout.boxes if box.facts.stage is Stage.S02] == [True, False, False]
    assert len({box.x for box in layout.boxes if box.facts.stage is Stage.S02}) == 1


def test_roles_and_models_have_bands_of_their_own():
    runs = [
        run(Stage.S07, 9, role="", model="ignored"),
        run(Stage.S01, 1, role="INSTRUCT"),
        run(Stage.S01, 2, model="z"),
        run(Stage.S01, 3, model="a"),
    ]
    assert list(generations(runs)) == [("BASE", "a"), ("BASE", "z"), ("INSTRUCT", "m"), ("", "")]
    assert [band.label for band in lay_out(runs).bands] == [
        "BASE · a",
        "BASE · z",
        "INSTRUCT · m",
        "several roles, or unknown",
    ]


def test_columns_are_the_stages_that_ran_in_their_order():
    layout = lay_out([run(Stage.S05, 1), run(Stage.S02B, 2), run(Stage.S02, 3)])
    assert [stage for stage, _ in layout.heads] == [Stage.S02, Stage.S02B, Stage.S05]
    assert [x for _, x in layout.heads] == sorted(x for _, x in layout.heads)


@pytest.mark.parametrize("upstream", ["RUN_S01_00000000000f", "RUN_S02_000000000001", "RUN_S03_000000000002"])
def test_a_dependency_that_is_not_there_or_points_backwards_has_no_wire(upstream):
    layout = lay_out([run(Stage.S02, 1, upstream), run(Stage.S03, 2)])
    assert layout.wires == ()


def test_the_picture_rounds_corners_and_names_its_wires():
    runs = [run(Stage.S01, 1), run(Stage.S02, 2), run(Stage.S03, 3, "RUN_S01_000000000001")]
    text = render(runs).decode().partition("</svg>")[0]
    assert text.count('class="wire"') == 1
    assert "RUN_S03_000000000003 was made from RUN_S01_000000000001" in text
    assert " Q" in text
    assert "nan" not in text
