"""Parameters as a stage sees them: what its row declares, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.contract import STAGES
from critnb.contract.declared import UndeclaredError, declared, project
from critnb.params import Params

PARAMS = Params()
SECTIONS = PARAMS.sections()
LEAVES = [f"{section}.{key}" for section, keys in SECTIONS.items() if section != "models" for key in keys]


def test_what_is_declared_can_be_read():
    view = declared(PARAMS, ["windows.seq_len", "analysis"], "S01")
    assert view.windows.seq_len == PARAMS.windows.seq_len
    assert view.analysis == PARAMS.analysis


@pytest.mark.parametrize("read", ["windows.n_raster", "gain.grid", "report"])
def test_what_is_not_declared_cannot(read):
    view = declared(PARAMS, ["windows.seq_len", "events.tau0"], "S01")
    section, _, key = read.partition(".")
    with pytest.raises(UndeclaredError, match=f"stage S01 reads {read.partition('.')[0]}.*does not declare"):
        getattr(getattr(view, section), key)


def test_a_key_that_does_not_exist_is_an_error_too():
    with pytest.raises(UndeclaredError, match=r"windows\.no_such"):
        declared(PARAMS, ["windows.seq_len"], "S01").windows.no_such  # noqa: B018 (the access is what is tested)


@given(st.sets(st.sampled_from(LEAVES)))
def test_a_projection_holds_the_named_values_and_no_others(keys):
    chosen = project(SECTIONS, keys)
    flat = {f"{section}.{key}": value for section, values in chosen.items() for key, value in values.items()}
    assert flat == {key: SECTIONS[key.partition(".")[0]][key.partition(".")[2]] for key in keys}


def test_projection_of_a_key_that_is_not_there():
    with pytest.raises(KeyError, match="no_such"):
        project(SECTIONS, ["windows.no_such"])


@pytest.mark.parametrize("spec", STAGES, ids=lambda spec: spec.id)
def test_every_row_declares_keys_that_exist(spec):
    assert project(SECTIONS, spec.reads)
    assert len(set(spec.reads)) == len(spec.reads)
