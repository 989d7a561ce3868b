"""The order of work whose parts need each other, whatever they are and however they end."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from critnb.contract import STAGES, upstream_closure
from critnb.pipeline.schedule import side_by_side, time_left, width

# a machine with other work to do is slow in everything
ANYWHERE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Work:
    """Fake work that notes what is at work, and fails or is interrupted where a test says so."""

    def __init__(self, needs, *, alone=(), fails=(), seconds=0.0):
        self.needs, self.alone, self.fails, self.seconds = needs, alone, fails, seconds
        self.lock = threading.Lock()
        self.at_work: set[int] = set()
        self.begun: list[int] = []
        self.done: list[int] = []
        self.failed: list[int] = []
        self.most = 0
        self.stopped: list[BaseException] = []

    def do(self, key):
        with self.lock:
            # what it needs was said to be done before it is begun
            assert all(need in self.done for need in self.needs[key] if need in self.needs)
            self.at_work.add(key)
            self.begun.append(key)
            self.most = max(self.most, len(self.at_work))
            assert len(self.at_work & set(self.alone)) <= 1
        time.sleep(self.seconds)
        with self.lock:
            self.at_work.discard(key)
        if key in self.fails:
            raise self.fails[key]
        return -key

    def run(self, jobs, *, keep_going=False):
        def done(key, result):
            assert result == -key
            self.done.append(key)

        failed = lambda key, _error: self.failed.append(key)  # noqa: E731
        alone, stop = self.alone, self.stopped.append
        ways = {"jobs": jobs, "alone": alone, "keep_going": keep_going}
        side_by_side(self.needs, self.do, done=done, failed=failed, stop=stop, **ways)


@st.composite
def graphs(draw):
    """Parts in some order, each needing others, some of which are there already (negative)."""
    n = draw(st.integers(0, 9))
    upward = {key: draw(st.sets(st.integers(-2, key - 1))) if key else set() for key in range(n)}
    return {key: sorted(upward[key]) for key in draw(st.permutations(range(n)))}


@settings(ANYWHERE)
@given(graphs(), st.integers(1, 4), st.sets(st.integers(0, 9)))
def test_everything_is_done_once_after_what_it_needs_and_never_more_than_asked_at_once(needs, jobs, alone):
    work = Work(needs, alone=alone)
    work.run(jobs)
    assert sorted(work.done) == sorted(work.begun) == sorted(needs)
    assert work.most <= jobs
    assert not work.stopped


@settings(ANYWHERE)
@given(graphs(), st.integers(1, 4), st.data())
def test_after_a_failure_nothing_is_begun_and_the_first_error_is_raised(needs, jobs, data):
    fails = data.draw(st.sets(st.sampled_from(sorted(needs)), min_size=1)) if needs else set()
    work = Work(needs, fails={key: ValueError(str(key)) for key in fails})
    if not needs:
        return
    with pytest.raises(ValueError, match=r"\d") as raised:
        work.run(jobs)
    assert str(raised.value) == str(work.failed[0])
    assert sorted([*work.done, *work.failed]) == sorted(work.begun)
    # what had to be waited for was at work beside the first that failed
    assert len(work.failed) <= jobs
    assert not work.stopped


@settings(ANYWHERE)
@given(graphs(), st.integers(1, 4), st.data())
def test_to_keep_going_all_is_done_but_what_needs_what_failed(needs, jobs, data):
    fails = data.draw(st.sets(st.sampled_from(sorted(needs)))) if needs else set()
    work = Work(needs, fails={key: ValueError(str(key)) for key in fails})
    work.run(jobs, keep_going=True)
    # keys need lower ones alone
    lost = set()
    for key in sorted(needs):
        if key in fails or lost & set(needs[key]):
            lost.add(key)
    assert set(work.done) == set(needs) - lost
    assert set(work.failed) == {key for key in fails if not lost & set(needs[key])}


@settings(ANYWHERE)
@given(graphs(), st.integers(1, 4))
def test_the_time_left_is_that_of_a_schedule_on_so_many_machines(needs, jobs):
    seconds = {key: float(key + 1) for key in needs}
    left = time_left(needs, seconds, jobs=jobs)
    ends: dict[int, float] = {}
    for key in sorted(needs):
        ends[key] = seconds[key] + max((ends[need] for need in needs[key] if need in needs), default=0.0)
    longest, total = max(ends.values(), default=0.0), sum(seconds.values())
    # Graham 1966: no later than (total - longest path) / machines after the longest path
    assert max(longest, total / jobs) <= left + 1e-9
    assert left <= longest + (total - longest) / jobs + 1e-9
    assert time_left(needs, seconds, jobs=jobs, alone=list(needs)) == pytest.approx(total)


def test_what_is_at_work_ends_before_what_waits_for_it():
    needs, seconds = {1: [0], 2: [1], 3: [0]}, {1: 5.0, 2: 1.0, 3: 2.0}
    assert time_left(needs, seconds, jobs=1, at_work=[1]) == 8.0
    assert time_left(needs, seconds, jobs=2, at_work=[1]) == 6.0
    assert time_left({}, {}, jobs=1) == 0.0


def test_the_longest_path_is_begun_first_then_what_stands_first():
    # 5 <- 4 <- 3, and 0, 1, 2 that nothing needs
    work = Work({0: [], 1: [], 2: [], 3: [], 4: [3], 5: [4]})
    work.run(1)
    assert work.begun == [3, 4, 0, 1, 2, 5]


def test_a_lower_rank_is_begun_before_a_longer_path():
    begun = []
    needs = {"a1": [], "a2": ["a1"], "b1": [], "b2": ["b1"], "b3": ["b2"]}
    ranks = {key: "ab".index(key[0]) for key in needs}
    ways = {"jobs": 1, "done": lambda *_: None, "failed": lambda *_: None, "stop": lambda _: None}
    side_by_side(needs, begun.append, ranks=ranks, **ways)
    assert begun == ["a1", "a2", "b1", "b2", "b3"]


def test_parts_that_need_nothing_of_each_other_are_at_work_together():
    meet = threading.Barrier(2, timeout=20)
    side_by_side(
        {"a": (), "b": ()},
        lambda _key: meet.wait(),
        jobs=2,
        done=lambda *_: None,
        failed=lambda *_: None,
        stop=lambda _: None,
    )


@pytest.mark.parametrize("where", ["part", "done"])
def test_an_interruption_stops_what_is_at_work_and_is_raised_when_that_has_ended(where):
    ended, stop = [], threading.Event()

    def do(key):
        if key == "first":
            if where == "part":
                raise KeyboardInterrupt("ended")
            return
        assert stop.wait(20)
        ended.append(key)
        raise KeyboardInterrupt

    def done(*_):
        raise BrokenPipeError("ended")

    with pytest.raises(KeyboardInterrupt if where == "part" else BrokenPipeError, match="ended"):
        side_by_side(
            {"first": (), "other": (), "later": ("first",)},
            do,
            jobs=2,
            done=done,
            failed=lambda *_: None,
            stop=lambda _: stop.set(),
        )
    assert ended == ["other"]


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="circle"):
        side_by_side({1: [2], 2: [1]}, print, jobs=1, done=lambda *_: None, failed=lambda *_: None, stop=lambda _: None)


def test_how_much_there_is_to_do_at_once():
    assert width({}) == 0
    assert width({1: [0], 2: [1], 3: [2]}) == 1
    stages = {spec.id: spec.needs for spec in upstream_closure(STAGES)}
    # S00 and S01; S03, S06B and S06ARC after g*
    assert width(stages) == 3
    assert (
        width({(role, stage): [(role, need) for need in needs] for role in "ab" for stage, needs in stages.items()})
        == 6
    )
