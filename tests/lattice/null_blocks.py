"""Occupancies of drawn nulls as booleans, which the pack itself keeps as bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from critnb.lattice import bit_blocks
from critnb.lattice.bits import unpack


def occupancy_blocks(counts: Any, *where: Any, **which: Any) -> Iterator[tuple[slice, Any]]:
    for planes, bits in bit_blocks(counts, *where, **which):
        yield planes, unpack(bits, counts.shape[-1])
