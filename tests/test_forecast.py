"""How far a command is said to be, and the time that earlier runs let one expect."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from critnb.canon import Stage
from critnb.pipeline import forecast
from critnb.pipeline.forecast import Forecast, roughly
from critnb.runs import HashInputs


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    return now


def inputs(stage, upstream=(), *, model=None, seed=1, n=10):
    sections = {"role": "BASE", "params": {"windows": {"seed": seed, "n_raster": n}}}
    if model is not None:
        sections["model"] = {"config_sha256": model, "weights_sha256": f"{seed}"}
    return HashInputs(Stage(stage), sections, {Stage(each): run for each, run in upstream}, "", {})


def chain(tag, *, model="m", seed=1, n=10):
    """S01, S02 with a model, S04 without, and S02B beside it."""
    s01, s02 = f"S01{tag}", f"S02{tag}"
    return [
        (s01, inputs("S01", model=model, seed=seed, n=n)),
        (s02, inputs("S02", [("S01", s01)], model=model, seed=seed, n=n)),
        (f"S02B{tag}", inputs("S02B", [("S02", s02)], seed=seed, n=n)),
        (f"S04{tag}", inputs("S04", [("S02", s02)], seed=seed, n=n)),
    ]


def planned(runs):
    return [SimpleNamespace(run_id=run_id, inputs=each) for run_id, each in runs]


def earlier(runs, seconds):
    times = {"created_utc": "2026-01-01T00:00:00.000000Z"}
    made = []
    for run_id, each in runs:
        ended = f"2026-01-01T00:00:{seconds[each.stage]:02d}.000000Z"
        record = SimpleNamespace(**times, finished_utc=ended, hash_inputs=each)
        made.append(SimpleNamespace(run_id=run_id, inputs=each, stage=each.stage, record=record))
    return SimpleNamespace(runs=lambda: made)


SECONDS = {Stage.S01: 20, Stage.S02: 40, Stage.S02B: 10, Stage.S04: 30}


def test_runs_of_the_same_kind_tell_the_time_that_is_left(clock):
    runs = chain("new", seed=2)
    found = Forecast(planned(runs), [run_id for run_id, _ in runs], earlier(chain("old"), SECONDS), jobs=1)
    assert found.words() == ""
    found.begins("S01new")
    assert found.words() == "stage 1 of 4, about 2 min left"
    clock[0] += 15
    found.ends("S01new", 15.0)
    found.begins("S02new")
    assert found.words() == "stage 2 of 4, about 1 min left"
    clock[0] += 100  # longer than expected
    assert found.words() == "stage 2 of 4, about 40 s left"
    found.ends("S02new", 100.0)
    found.begins("S02Bnew")
    found.begins("S04new")
    assert found.words() == "stages 3 and 4 of 4, about 30 s left"
    found.ends("S04new", None)
    found.fails("S02Bnew")
    assert found.words() == ""


@pytest.mark.parametrize("other", [{"n": 11}, {"model": "larger"}])
def test_runs_of_another_kind_tell_nothing_until_this_command_has_made_one_of_each(clock, other):
    first, second = chain("a", **other), chain("b", seed=2, **other)
    runs = [*first, *second]
    found = Forecast(planned(runs), [run_id for run_id, _ in runs], earlier(chain("old"), SECONDS), jobs=2)
    found.begins("S01a")
    assert found.words() == "stage 1 of 8"
    for run_id, each in first:
        found.ends(run_id, float(SECONDS[each.stage]))
    found.begins("S01b")
    # S01, S02, then S04 beside S02B
    assert found.words() == "stage 5 of 8, about 2 min left"


def test_what_needs_what_failed_is_not_waited_for(clock):
    runs = [*chain("a"), *chain("b", seed=2)]
    found = Forecast(planned(runs), [run_id for run_id, _ in runs], earlier(chain("old"), SECONDS), jobs=1)
    found.begins("S01a")
    found.fails("S01a")
    found.begins("S01b")
    assert found.words() == "stage 5 of 8, about 2 min left"


def test_a_time_is_said_as_roughly_as_it_is_known():
    said = {3: "a few seconds", 12: "about 10 s", 61: "about 1 min", 3600: "about 60 min", 9000: "about 2.5 h"}
    assert {seconds: roughly(seconds) for seconds in said} == said
