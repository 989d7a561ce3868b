"""A byte n-gram model, the baseline that the embedded language models have to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LONGEST_ORDER = 7  # context and byte share one 64-bit key


class WittenBell:
    """Interpolated byte n-gram probabilities with Witten-Bell smoothing (Witten and Bell 1991).

    P_k(c | h) = (count(hc) + types(h) * P_{k-1}(c | h')) / (count(h) + types(h)), where h' is h without its oldest
    byte and P_0 is uniform over the 256 bytes.
    """

    def __init__(self, text: bytes, order: int) -> None:
        """Count all n-grams of ``text`` up to ``order`` bytes; raises ValueError for an order outside 1..7."""
        if not 1 <= order <= _LONGEST_ORDER:
            raise ValueError(f"order {order} is outside 1..{_LONGEST_ORDER}")
        self.order = order
        self._tables = [_count(text, length) for length in range(1, order + 1)]

    def bits_per_byte(self, text: bytes) -> list[float]:
        """Return the cross-entropy of ``text`` in bits per byte under orders 1..order."""
        probability = np.full(len(text), 1 / 256)
        bits = []
        for length, table in enumerate(self._tables, start=1):
            keys = _keys(text, length)
            counts, total, types = _look_up(table, keys)
            known = np.zeros(len(text), dtype=bool)
            known[length - 1 :] = total > 0
            seen = total > 0
            lower = probability[known]
            probability[known] = (counts[seen] + types[seen] * lower) / (total[seen] + types[seen])
            bits.append(float(-np.log2(probability).mean()))
        return bits


_Table = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]


def _keys(text: bytes, length: int) -> NDArray[np.uint64]:
    data = np.frombuffer(text, dtype=np.uint8).astype(np.uint64)
    keys = np.zeros(max(len(data) - length + 1, 0), dtype=np.uint64)
    for offset in range(length):
        keys = (keys << np.uint64(8)) | data[offset : offset + len(keys)]
    return keys


def _count(text: bytes, length: int) -> _Table:
    grams, counts = np.unique(_keys(text, length), return_counts=True)
    contexts, first, types = np.unique(grams >> np.uint64(8), return_index=True, return_counts=True)
    return grams, counts, contexts, np.add.reduceat(counts, first), types


def _look_up(table: _Table, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    grams, counts, contexts, totals, types = table
    gram = np.minimum(np.searchsorted(grams, keys), len(grams) - 1)
    context_keys = keys >> np.uint64(8)
    context = np.minimum(np.searchsorted(contexts, context_keys), len(contexts) - 1)
    known = contexts[context] == context_keys
    return (
        np.where(grams[gram] == keys, counts[gram], 0),
        np.where(known, totals[context], 0),
        np.where(known, types[context], 0),
    )
