"""Pairs and eligible sites of many planes of bits, counted by compiled code: for nulls, of which thousands are drawn.

The counts are those of ``branching.branching_sums``. Imported where nulls are drawn and not before, since numba takes a moment
to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from critnb.lattice.kernels import bits_of

_Array = npt.NDArray[Any]

_0, _1, _63 = (np.uint64(n) for n in (0, 1, 63))


@njit(nogil=True, cache=True)
def counted(planes: _Array, tokens: int, sums: _Array) -> None:
    """Write of planes uint64 [P, L, W] the time pairs, time sites, depth pairs and depth sites into sums int64 [4, P]."""
    n, layers, width = planes.shape
    for plane in range(n):
        time_pairs, sites, ends, depth_pairs, of_layer = _0, _0, _0, _0, _0
        for layer in range(layers):
            of_layer = _0
            for w in range(width):
                here = planes[plane, layer, w]
                following = here >> _1
                if w + 1 < width:
                    following |= planes[plane, layer, w + 1] << _63
                else:
                    ends += (here >> np.uint64((tokens - 1) % 64)) & _1
                of_layer += bits_of(here)
                time_pairs += bits_of(here & following)
                if layer + 1 < layers:
                    depth_pairs += bits_of(here & planes[plane, layer + 1, w])
            sites += of_layer
        sums[0, plane], sums[1, plane] = time_pairs, sites - ends
        # what the last layer has stands on none
        sums[2, plane], sums[3, plane] = depth_pairs, sites - of_layer
