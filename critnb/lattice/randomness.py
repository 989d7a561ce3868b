"""Counter-based random words: any word of any stream is computed alone, in any order, on any machine.

The generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA):
word i of the stream with key k is mix(k + (i + 1) * GOLDEN). A word of one stream serves as the key of another, so
streams form a tree: root -> sequence -> replicate -> site. Within one stream no two words are equal, because mix is a
bijection of 64 bits and GOLDEN is odd.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
_HALF = np.uint64(32)


def root_key(seed: int, *names: bytes) -> np.uint64:
    """Return the 64-bit key of the stream that the seed and the names (free of NUL) stand for: the head of a sha256."""
    text = b"\0".join((str(int(seed)).encode(), *names))
    return np.uint64(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))


def words(key: np.uint64 | Words, counter: npt.NDArray[np.integer] | int) -> Words:
    """Return the words of the streams ``key`` at the positions ``counter`` (not negative), broadcast together."""
    # Arrays of one axis at least: numpy warns where scalars wrap around, and wrapping is the point here.
    keys, steps = np.atleast_1d(np.asarray(key, dtype=np.uint64)), np.atleast_1d(counter).astype(np.uint64)
    drawn = mix(keys + (steps + np.uint64(1)) * np.uint64(_GOLDEN))
    return drawn.reshape(np.broadcast_shapes(np.shape(key), np.shape(counter)))


def mix(state: Words) -> Words:
    """Scramble 64-bit states into words, in place, and return them."""
    shifted = np.empty_like(state)
    for shift, factor in _ROUNDS:
        np.right_shift(state, shift, out=shifted)
        np.bitwise_xor(state, shifted, out=state)
        np.multiply(state, factor, out=state)
    np.right_shift(state, _LAST_SHIFT, out=shifted)
    return np.bitwise_xor(state, shifted, out=state)


def below(word: Words, bound: int) -> npt.NDArray[np.int64]:
    """Return integers in 0 .. bound-1 from words by the multiply-high method; bias at most bound / 2**32."""
    return (((word >> _HALF) * np.uint64(bound)) >> _HALF).astype(np.int64)
