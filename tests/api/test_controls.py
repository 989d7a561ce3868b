"""The library's call for control lattices."""

import numpy as np
import pytest

import critnb
from critnb.canon import ControlId
from critnb.criticality.synthetic import CONTROLS
from critnb.errors import DataError, ParamsError


def test_every_control_is_listed_and_drawn():
    listed = critnb.controls()
    assert listed["name"].tolist() == [str(id_) for id_ in CONTROLS]
    assert set(listed["kind"]) == {"negative", "positive"}
    for name in listed["name"]:
        assert critnb.control(name, sequences=3, layers=4, tokens=10).shape == (3, 4, 10)


def test_a_control_is_the_benchmark_s_raster():
    drawn = critnb.control("CRITICAL_DRIVE", sequences=5, layers=4, tokens=12, number=7, seed=3)
    known = CONTROLS[ControlId.CRITICAL_DRIVE].draw(5, layers=4, tokens=12, seed=3, number=7)
    np.testing.assert_array_equal(drawn.counts, known)


def test_what_cannot_be_drawn_is_refused_by_name():
    with pytest.raises(ParamsError, match="INDEPENDENT_SITES"):
        critnb.control("no such control")
    with pytest.raises(ParamsError, match="layers"):
        critnb.control("TOKEN_BURST", layers=0)
    with pytest.raises(ParamsError, match="number"):
        critnb.control("TOKEN_BURST", number=-1)
    with pytest.raises(DataError, match="token"):
        critnb.control("TOKEN_BURST", tokens=1)
