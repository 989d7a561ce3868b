"""One window: held against scipy's labels, brute force and what can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

import critnb
from critnb.canon import Adjacency
from critnb.errors import DataError, ParamsError
from critnb.explore import raster_view
from critnb.explore.window import LARGEST, SINGLE, Window

STRUCTURE = {Adjacency.ADJ_4N: np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]), Adjacency.ADJ_8N: np.ones((3, 3))}
windows = arrays(np.uint16, st.tuples(st.integers(1, 7), st.integers(2, 12)), elements=st.sampled_from([0, 0, 1, 3]))

# 1-based sites (2,2), (3,2), (3,3) of 4 tokens and 3 layers, as the science page has it
TOY = np.zeros((3, 4), dtype=bool)
TOY[1, 1] = TOY[1, 2] = TOY[2, 2] = True


@given(windows, st.sampled_from(list(Adjacency)))
def test_the_avalanche_on_a_site_is_its_component(counts, adjacency):
    window = Window.of(counts, adjacency=adjacency)
    labels, found = ndimage.label(counts, structure=STRUCTURE[adjacency])
    assert found == len(window.avalanches)
    for layer, token in np.ndindex(counts.shape):
        picked = window.at(layer=layer, token=token)
        if picked is None:
            assert labels[layer, token] == 0
            continue
        component = labels == labels[layer, token]
        np.testing.assert_array_equal(window.labels == picked, component)
        at = np.nonzero(component)
        facts = window.facts(picked)
        assert (facts.size, facts.area) == (counts[component].sum(), component.sum())
        assert facts.layers == (at[0].min(), at[0].max())
        assert facts.tokens == (at[1].min(), at[1].max())
        border = np.ones(counts.shape, dtype=bool)
        # a single row has no edge in depth
        border[slice(None) if len(counts) == 1 else slice(1, -1), 1:-1] = False
        assert facts.censored == bool((component & border).any())


@given(windows)
def test_the_six_largest_have_colours_of_their_own(counts):
    window = Window.of(counts, adjacency=Adjacency.ADJ_4N)
    area, size = window.avalanches.area, window.avalanches.size
    colours = np.array(window.colours(), dtype=object)
    assert set(colours[area == 1]) <= {SINGLE}
    strong = np.isin(colours, LARGEST)
    assert strong.sum() == min(6, (area > 1).sum()) == len(set(colours[strong]))
    if strong.any():
        assert size[strong].min() >= size[(area > 1) & ~strong].max(initial=0)


def test_of_nine_avalanches_the_six_largest_are_strong():
    counts = np.zeros((17, 4), dtype=np.uint16)
    sizes = [3, 9, 5, 2, 8, 4, 7, 6, 1]
    for i, size in enumerate(sizes):
        counts[2 * i, :2] = (size, 1) if size > 1 else (1, 0)
    window = Window.of(counts, adjacency=Adjacency.ADJ_4N)
    by_size = {int(size) - 1: colour for size, colour in zip(window.avalanches.size, window.colours(), strict=True)}
    assert [by_size[size] for size in (9, 8, 7, 6, 5, 4)] == list(LARGEST)
    assert by_size[0] == SINGLE
    assert not {by_size[3], by_size[2]} & {*LARGEST, SINGLE}


def test_the_toy_raster_in_words():
    window = Window.of(TOY, adjacency=Adjacency.ADJ_4N, tokens=["a", "b", "c", "d"])
    facts = window.facts(0)
    assert facts.words() == (
        "avalanche 0: 3 events on 3 sites · tokens 1–2 (2) · layers 1–2 (2) · reaches an edge: its size is censored"
    )
    assert facts.text == ("b", "c")
    assert window.at(layer=0, token=0) is None
    assert window.words() == "3 events, 1 avalanche, 1 of more than one site, the largest of 3 events"


def test_an_avalanche_inside_is_not_censored():
    counts = np.zeros((3, 3), dtype=np.int64)
    counts[1, 1] = 2
    facts = Window.of(counts, adjacency=Adjacency.ADJ_4N).facts(0)
    assert facts.words().startswith("avalanche 0: 2 events on 1 site · token 1 · layer 1 · touches no edge")
    assert facts.text is None


def test_an_empty_window_says_so():
    assert Window.of(np.zeros((2, 5), dtype=bool), adjacency=Adjacency.ADJ_4N).words() == "no events in this window"


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 3, 4), dtype=bool), "one window"),
        (np.zeros((0, 4), dtype=bool), "empty axis"),
        (np.full((3, 4), 0.5), "fractional"),
        (np.full((3, 4), -1), r"must lie in 0\.\.65535"),
        (np.full((3, 4), 65536), r"must lie in 0\.\.65535"),
    ],
)
def test_other_arrays_are_refused(array, says):
    with pytest.raises(DataError, match=says):
        Window.of(array, adjacency=Adjacency.ADJ_4N)


@given(windows, st.sampled_from(list(Adjacency)), st.sampled_from([np.float64, np.int64, np.uint8]))
def test_a_view_and_the_library_see_the_same_in_the_same_array(counts, adjacency, dtype):
    window = raster_view(counts.astype(dtype), adjacency=str(adjacency)).window
    found = critnb.avalanches(counts.astype(dtype), adjacency=str(adjacency))
    np.testing.assert_array_equal(window.labels, found.labels()[0])
    frame = found.to_frame()
    facts = [window.facts(i) for i in range(len(found))]
    assert [one.censored for one in facts] == list(frame["touches_edge"])
    assert [one.layers for one in facts] == list(zip(frame["l_min"], frame["l_max"], strict=True))


def test_an_unknown_adjacency_is_the_library_s_error():
    with pytest.raises(ParamsError, match="adjacency: 'diagonal' is none of ADJ_4N, ADJ_8N"):
        raster_view(TOY, adjacency="diagonal")


def test_tokens_and_ids_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="3 tokens for a raster of 4"):
        Window.of(TOY, adjacency=Adjacency.ADJ_4N, tokens=["a", "b", "c"])
    with pytest.raises(DataError, match="no avalanche 1; the window holds 1"):
        Window.of(TOY, adjacency=Adjacency.ADJ_4N).facts(1)
