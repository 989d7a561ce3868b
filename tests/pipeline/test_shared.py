"""What the runs of a folder share is taken by a run of the same code on the same machine, and by no other."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from critnb.canon import Stage
from critnb.pipeline.session import SHARED, StageSession
from critnb.runs import RunState, hash_inputs

MACHINE = {
    "python": "3.11.7",
    "implementation": "CPython",
    "platform": "Linux",
    "cpu": "one",
    "packages": {"numpy": "2"},
}


def session(root, *, sources=None, constants=None, machine=None, state=RunState.partial):
    inputs = hash_inputs(
        stage=Stage.S00,
        sections={"constants": constants or {"EPS": 1.0}},
        upstream={},
        notebook=b"",
        sources=sources or {"critnb/a.py": "0" * 64},
    )
    record = SimpleNamespace(hash_inputs=inputs, environment=machine or MACHINE, metrics={})
    made = object.__new__(StageSession)
    made._by_hand = None
    made._run = SimpleNamespace(
        run_id="RUN_S00_0", record=record, timing=lambda _: nullcontext(), log=lambda *_, **__: None,
        update=lambda metrics: record.metrics.update(metrics),
    )  # fmt: skip
    made.store = SimpleNamespace(root=root, state=lambda _: state)
    return made


@pytest.fixture
def computed():
    return []


def take(stage, computed):
    before = len(computed)
    arrays = stage.shared("answers", lambda: computed.append(1) or {"x": np.ones(2)})
    assert arrays["x"].tolist() == [1, 1]
    taken = len(computed) == before
    assert (SHARED in stage.run.record.metrics) is taken
    return taken


def test_a_run_of_another_role_takes_what_the_first_has_computed(tmp_path, computed):
    assert not take(session(tmp_path), computed)
    assert take(session(tmp_path), computed)


@pytest.mark.parametrize(
    "differing",
    [
        {"sources": {"critnb/a.py": "1" * 64}},
        {"sources": {"critnb/a.py": "0" * 64, "critnb/b.py": "0" * 64}},
        {"constants": {"EPS": 2.0}},
        *({"machine": {**MACHINE, name: "another"}} for name in MACHINE),
    ],
)
def test_other_code_or_another_machine_computes_for_itself(tmp_path, computed, differing):
    take(session(tmp_path), computed)
    assert not take(session(tmp_path, **differing), computed)


def test_a_complete_run_that_is_computed_again_takes_nothing(tmp_path, computed):
    take(session(tmp_path), computed)
    assert not take(session(tmp_path, state=RunState.complete), computed)
