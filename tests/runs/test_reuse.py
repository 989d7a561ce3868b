"""Arrays that runs of a folder share: computed once for a digest, and never taken where anything about them is wrong."""

import numpy as np
import pytest

from critnb.runs.reuse import shared_arrays


@pytest.fixture
def counted():
    calls = []

    def compute():
        calls.append(1)
        return {"x": np.arange(3.0), "words": np.array(["a", "bc"]), "none": np.array("")}

    return calls, compute


def test_the_second_run_takes_what_the_first_has_computed(tmp_path, counted):
    calls, compute = counted
    first, was_there = shared_arrays(tmp_path, "answers", "k1", compute)
    second, is_there = shared_arrays(tmp_path, "answers", "k1", compute)
    assert (was_there, is_there, len(calls)) == (False, True, 1)
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        assert np.array_equal(array, second[name])


def test_what_rests_on_something_else_is_computed_and_takes_its_place(tmp_path, counted):
    calls, compute = counted
    for key in ("k1", "k2", "k1"):
        assert shared_arrays(tmp_path, "answers", key, compute)[1] is False
    assert len(calls) == 3
    assert len(list((tmp_path / ".shared").rglob("*.ckpt"))) == 1


def test_a_damaged_file_counts_as_none(tmp_path, counted):
    calls, compute = counted
    shared_arrays(tmp_path, "answers", "k1", compute)
    (path,) = (tmp_path / ".shared").rglob("*.ckpt")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert shared_arrays(tmp_path, "answers", "k1", compute)[1] is False
    assert shared_arrays(tmp_path, "answers", "k1", compute)[1] is True
    assert len(calls) == 2


def test_where_nothing_can_be_kept_the_arrays_are_computed(tmp_path, counted):
    calls, compute = counted
    (tmp_path / ".shared").write_text("in the way")
    for _ in range(2):
        arrays, was_there = shared_arrays(tmp_path, "answers", "k1", compute)
        assert not was_there
        assert arrays["x"].tolist() == [0, 1, 2]
    assert len(calls) == 2
