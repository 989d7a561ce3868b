"""A figure in words says the values of its curves, and no place or name that is not theirs."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from critnb.report.seen import CATEGORIES, words_of

X = [0.9, 1.0, 1.1]


@pytest.fixture
def axes():
    axes = Figure().subplots()
    axes.set_title("b", loc="left")
    axes.set_xlabel("gain")
    return axes


def said(axes):
    return words_of(axes.figure)


def test_a_curve_that_lies_beside_another_stands_at_no_value_of_the_axis(axes):
    axes.plot(X, [1.0, 3.0, 1.5], "o-")
    assert "rises from 1 to 1.5, highest 3 at 1." in said(axes)
    axes.plot([x + 0.01 for x in X], [2.0, 7.0, 2.5], "s-")
    assert "highest 7" in said(axes)
    assert " at 1" not in said(axes)


def test_points_are_told_along_the_axis_that_measures(axes):
    for place, value in enumerate((1.21, 1.25, 1.31)):
        axes.plot([0.001 * (place + 1)], [value], "o")
    assert "points at 1.21 to 1.31" in said(axes)
    axes.set_gid(CATEGORIES)
    assert "points at 0.001 to 0.003" in said(axes)


def test_a_hollow_marker_has_a_name_of_its_own(axes):
    axes.plot(X, [1, 2, 3], "o", color="grey", label="model")
    axes.plot(X, [4, 5, 6], "o", color="grey", markerfacecolor="white", label="null")
    axes.figure.legend()
    assert "model rises from 1 to 3" in said(axes)
    assert "null rises from 4 to 6" in said(axes)
