import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.errors import DataError
from critnb.lattice import Condition, ConditionTable

conditions = st.builds(
    Condition,
    model_role=st.sampled_from(ModelRole),
    dataset_role=st.sampled_from(DatasetRole),
    spike_def_id=st.sampled_from(SpikeDef),
    target_rate=st.floats(1e-9, 1e-1),
    gain=st.floats(0.1, 3.0),
    intervention_id=st.sampled_from(Intervention),
    null_id=st.sampled_from(NullId),
)
tables = st.lists(conditions, unique=True, max_size=12).map(ConditionTable)

ONE = Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 2e-5, 0.7, Intervention.MLP_GLOBAL)


def test_key_is_the_canonical_text():
    assert ONE.key() == b'["BASE","A","SPIKE_ONE_SIDED_POS",2e-05,0.7,"MLP_GLOBAL","NULL_NONE"]'


def test_key_does_not_depend_on_the_kind_of_number():
    assert replace(ONE, gain=np.float64(0.7)).key() == ONE.key()
    assert replace(ONE, gain=1).key() == replace(ONE, gain=1.0).key()


@given(conditions, conditions)
def test_keys_are_equal_exactly_when_conditions_are(a, b):
    assert (a.key() == b.key()) == (a == b)


def test_with_null_changes_the_null_alone():
    perm = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
    assert ONE.with_null(perm).null_id == perm
    assert ONE.with_null(perm).with_null(NullId.NULL_NONE) == ONE


@given(tables)
def test_frame_round_trip(table):
    assert ConditionTable.from_frame(table.to_frame()) == table


@given(tables)
def test_frame_round_trip_through_parquet(table):
    buffer = io.BytesIO()
    table.to_frame().to_parquet(buffer)
    assert ConditionTable.from_frame(pd.read_parquet(buffer)) == table


def test_frame_dtypes():
    dtypes = ConditionTable([ONE]).to_frame().dtypes
    assert dtypes["cond_id"] == np.int32
    assert dtypes["gain"] == dtypes["target_rate"] == np.float64
    assert dtypes["spike_def_id"] == "str"


def test_index_and_where():
    table = ConditionTable(replace(ONE, gain=gain, target_rate=rate) for gain in (0.7, 1.0) for rate in (1e-5, 2e-5))
    assert table.index(ONE) == 1
    assert table.where(gain=1.0) == [2, 3]
    assert table.where(target_rate=2e-5, gain=1.0) == [3]
    assert table.where(gain=5.0) == []


def test_a_condition_that_is_not_there_is_an_error():
    with pytest.raises(DataError, match="is not one of"):
        ConditionTable([ONE]).index(replace(ONE, gain=0.8))


def test_a_field_that_is_none_is_an_error():
    with pytest.raises(TypeError, match="no field gian"):
        ConditionTable([ONE]).where(gian=1.0)


def test_a_condition_given_twice_is_an_error():
    with pytest.raises(DataError, match="twice"):
        ConditionTable([ONE, replace(ONE, gain=0.8), ONE])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="gain"), "column gain is missing"),
        (lambda f: f.assign(cond_id=np.int32(1)), "must count"),
        (lambda f: f.assign(spike_def_id="SPIKE_NONE"), "SPIKE_NONE"),
    ],
)
def test_a_wrong_frame_is_an_error(change, message):
    with pytest.raises(DataError, match=message):
        ConditionTable.from_frame(change(ConditionTable([ONE]).to_frame()))
