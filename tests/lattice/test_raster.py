import io
from dataclasses import replace

import numpy as np
import pytest

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.errors import DataError
from critnb.lattice import Condition, ConditionTable, Raster, concatenate, from_planes, null_raster

ONE = Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 2e-5, 0.7, Intervention.MLP_GLOBAL)
TABLE = ConditionTable([ONE, replace(ONE, gain=1.0)])
PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM


@pytest.fixture
def raster():
    counts = np.random.default_rng(0).poisson(0.5, (2, 3, 4, 5)).astype(np.uint16)
    return Raster(counts, TABLE, np.array([7, 5, 9], dtype=np.int32))


def read(arrays):
    return from_planes(zip(arrays["X"], arrays["A"], strict=True), arrays["A"].shape[1:], arrays, TABLE)


def test_arrays_are_the_schema(raster):
    arrays = raster.arrays()
    assert {name: array.dtype for name, array in arrays.items()} == {
        "X": np.uint8,
        "A": np.uint16,
        "cond_id": np.int32,
        "seq_id": np.int32,
    }
    assert arrays["X"].sum() == np.count_nonzero(raster.counts)
    assert arrays["X"].max() == 1


def test_round_trip_through_npz(raster):
    buffer = io.BytesIO()
    np.savez(buffer, **raster.arrays())
    buffer.seek(0)
    assert read(np.load(buffer)) == raster


def test_token_ids_go_where_the_raster_goes(raster):
    known = replace(raster, tokens=np.arange(15, dtype=np.int32).reshape(3, 5))
    null = null_raster(known, PERM, seed=1)
    assert "tokens" not in raster.arrays()
    for made in (read(known.arrays()), known.take([1]), null, concatenate([known, null])):
        assert np.array_equal(made.tokens, known.tokens)
    assert known != raster
    assert concatenate([known, replace(null, tokens=None)]).tokens is None


@pytest.mark.parametrize("tokens", [np.zeros((3, 4), np.int32), np.zeros((3, 5), np.int64)])
def test_token_ids_of_other_windows_are_refused(raster, tokens):
    with pytest.raises(DataError, match="tokens"):
        replace(raster, tokens=tokens)


def test_take_numbers_anew(raster):
    taken = raster.take([1])
    assert taken.conditions == ConditionTable([TABLE[1]])
    assert np.array_equal(taken.counts[0], raster.counts[1])


def test_concatenate_joins_nulls_of_the_same_windows(raster):
    null = null_raster(raster, PERM, seed=1)
    joined = concatenate([raster, null])
    assert list(joined.conditions) == [*TABLE, *(c.with_null(PERM) for c in TABLE)]
    assert joined.take([2, 3]) == null


def test_concatenate_refuses_other_windows(raster):
    null = null_raster(raster, PERM, seed=1)
    with pytest.raises(DataError, match="same windows"):
        concatenate([raster, replace(null, seq_id=np.array([7, 5, 8], dtype=np.int32))])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": np.zeros((2, 3, 4, 5), np.int64)}, "counts must be uint16"),
        ({"counts": np.zeros((3, 4, 5), np.uint16)}, "4 axes"),
        ({"counts": np.zeros((1, 3, 4, 5), np.uint16)}, "1 planes for 2 conditions"),
        ({"counts": np.zeros((2, 4, 4, 5), np.uint16)}, "4 sequences for 3"),
        ({"seq_id": np.array([7, 5, 9])}, "seq_id must be int32"),
        ({"seq_id": np.array([7, 5, 5], np.int32)}, "stands twice"),
    ],
)
def test_what_does_not_fit_is_an_error(raster, change, message):
    with pytest.raises(DataError, match=message):
        replace(raster, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("seq_id"), "array seq_id is missing"),
        (lambda a: a.update(X=1 - a["X"]), "A > 0"),
        (lambda a: a.update(X=a["X"][..., :-1]), "A > 0"),
        (lambda a: a.update(cond_id=a["cond_id"][::-1]), "cond_id"),
    ],
)
def test_wrong_arrays_are_an_error(raster, change, message):
    arrays = raster.arrays()
    change(arrays)
    with pytest.raises(DataError, match=message):
        read(arrays)
