import numpy as np
import pytest
from scipy import stats

from critnb.lattice.randomness import below, root_key, words

# The first outputs for seed 1234567 against which implementations of SplitMix64 are checked: Rosetta Code,
# "Pseudo-random numbers/Splitmix64".
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_words_are_the_published_outputs():
    assert words(np.uint64(1234567), np.arange(5)).tolist() == PUBLISHED


def test_a_word_alone_equals_the_word_in_a_batch():
    keys = np.array([1234567, 7], dtype=np.uint64)
    batch = words(keys[:, None], np.arange(5))
    assert words(keys[0], 3) == PUBLISHED[3]
    assert words(keys, 3).tolist() == batch[:, 3].tolist()


def test_no_word_of_a_stream_repeats():
    assert len(np.unique(words(np.uint64(11), np.arange(200_000)))) == 200_000


@pytest.mark.parametrize("bound", [1, 2, 7, 127, 255])
def test_below_is_uniform(bound):
    drawn = below(words(np.uint64(5), np.arange(2000 * bound)), bound)
    counts = np.bincount(drawn, minlength=bound)
    assert len(counts) == bound
    assert bound == 1 or stats.chisquare(counts).pvalue > 1e-3


def test_root_keys_depend_on_every_part():
    keys = {int(root_key(*parts)) for parts in [(1, b"n", b"c"), (2, b"n", b"c"), (1, b"m", b"c"), (1, b"n", b"d")]}
    assert len(keys) == 4


def test_root_key_is_the_head_of_the_sha256():
    # printf '1337\0a\0b' | sha256sum
    assert int(root_key(1337, b"a", b"b")) == 0x88186D8418CB9757
