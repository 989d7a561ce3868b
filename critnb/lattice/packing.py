"""Rows of sites as the bits of words, so that 64 of them are counted or compared at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WORD_BITS = 64


def pack(occupied: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Return the last axis packed into words, bit j of word w for site 64 w + j; the padding is empty."""
    bits = np.packbits(occupied, axis=-1, bitorder="little")
    missing = -bits.shape[-1] % (WORD_BITS // 8)
    if missing:
        bits = np.concatenate([bits, np.zeros((*bits.shape[:-1], missing), dtype=np.uint8)], axis=-1)
    return np.ascontiguousarray(bits).view("<u8").astype(np.uint64, copy=False)
