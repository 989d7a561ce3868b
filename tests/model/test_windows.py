from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import byte_tokenizer

from critnb.canon import SliceRole
from critnb.errors import DataError, ParamsError
from critnb.model.windows import check_context, corpus_windows, pick
from critnb.params import Windows


def settings(**changes):
    return Windows(**{"seq_len": 4, "n_calibration": 3, "n_raster": 5, "n_eval_b": 2, **changes})


def numbered(n: int) -> np.ndarray:
    return np.arange(n * 4).reshape(n, 4)


def test_windows_are_consecutive_tokens_with_a_boundary_before_each_document():
    tokenizer = byte_tokenizer()
    windows = corpus_windows(["abc", "de", "f"], tokenizer, 4)
    a, b, c, d, e = (tokenizer(letter)["input_ids"][0] for letter in "abcde")
    assert windows.tolist() == [[0, a, b, c], [0, d, e, 0]]


@given(st.integers(8, 60), st.integers(0, 2**31))
def test_slices_of_a_corpus_are_disjoint_and_do_not_depend_on_the_other_slice(n, seed):
    corpus = numbered(n)
    first = pick(SliceRole.A_cal, corpus, settings(seed=seed))
    second = pick(SliceRole.A_raster, corpus, settings(seed=seed))
    assert set(first.window_id).isdisjoint(second.window_id)
    assert pick(SliceRole.A_cal, corpus, settings(seed=seed, n_raster=1)).sha256 == first.sha256
    assert len(first.tokens) == 3
    np.testing.assert_array_equal(first.tokens, corpus[first.window_id])


def test_another_seed_picks_other_windows_and_another_text_has_another_hash():
    first = pick(SliceRole.A_cal, numbered(50), settings(seed=1))
    assert pick(SliceRole.A_cal, numbered(50), settings(seed=2)).sha256 != first.sha256
    assert pick(SliceRole.A_cal, numbered(50) + 1, settings(seed=1)).sha256 != first.sha256


def test_too_few_windows_says_how_many_there_are():
    with pytest.raises(DataError, match=r"A_raster needs windows up to number 8 of 4 tokens, the corpus has 7"):
        pick(SliceRole.A_raster, numbered(7), settings())


def test_a_window_longer_than_the_context_is_refused():
    check_context(settings(seq_len=64), 64)
    check_context(settings(seq_len=64), None)
    with pytest.raises(ParamsError, match=r"windows.seq_len: 65 is longer than the model's context of 64"):
        check_context(settings(seq_len=65), 64)
