"""Occupancies as bits, 64 sites a word: a pair of neighbours is then one AND, and a row that moves is a shift of words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.lattice.raster import Occupancy

Bits = npt.NDArray[np.uint64]

WORD_BITS = 64


def pack(occupied: Occupancy) -> Bits:
    """Return rows [..., T] as words [..., W], bit j of word w for site 64 w + j; the padding is empty."""
    bytes_ = np.packbits(occupied, axis=-1, bitorder="little")
    missing = -bytes_.shape[-1] % (WORD_BITS // 8)
    if missing:
        bytes_ = np.concatenate([bytes_, np.zeros((*bytes_.shape[:-1], missing), dtype=np.uint8)], axis=-1)
    return np.ascontiguousarray(bytes_).view("<u8").astype(np.uint64, copy=False)


def unpack(bits: Bits, tokens: int) -> Occupancy:
    """Return the rows bool [..., T] that ``pack`` makes words [..., W] of."""
    bytes_ = np.ascontiguousarray(bits).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(bytes_, axis=-1, count=tokens, bitorder="little").view(np.bool_)
