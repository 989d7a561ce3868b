"""Connected components of many planes, numbered and measured by compiled code in one pass.

Imported where avalanches are looked for and not before, since numba takes a moment to load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from critnb.canon import Adjacency
from critnb.criticality.sizes.sample import AvalancheSample

_Array = npt.NDArray[Any]
_Int32 = npt.NDArray[np.int32]
NO_LABELS = np.empty((0, 0, 0), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Components:
    """One entry per component, in order of planes, then of its first site: the earliest token, then the lowest layer.

    number counts within the plane; size is the sum of counts, area the number of sites; the ends are included. All [K].
    """

    size: npt.NDArray[np.int64]
    plane: _Int32
    number: _Int32
    area: _Int32
    t_min: _Int32
    t_max: _Int32
    l_min: _Int32
    l_max: _Int32

    @classmethod
    def of(cls, counts: npt.NDArray[Any], adjacency: Adjacency, labels: _Int32 = NO_LABELS) -> Components:
        """Return the components of planes [P, L, T], and write the number of each site's into ``labels``, if of that shape."""
        planes = np.ascontiguousarray(counts, dtype=np.uint16 if counts.dtype.itemsize < 3 else np.int64)
        sites = np.count_nonzero(planes)
        size, whole = np.empty(sites, dtype=np.int64), np.empty((sites, 7), dtype=np.int32)
        found = _measure(planes, adjacency is Adjacency.ADJ_8N, size, whole, labels)
        # a copy, so that a few components do not keep the room of all sites
        return cls(size[:found].copy(), *whole[:found].T.copy())


def label_planes(counts: npt.NDArray[np.uint16], adjacency: Adjacency) -> AvalancheSample:
    """Return the avalanches of planes uint16 [P, L, T], sizes as events, ``sequence`` the plane; [K], in order of planes."""
    found, (_, layers, tokens) = Components.of(counts, adjacency), counts.shape
    censored = (found.t_min == 0) | (found.t_max == tokens - 1) | (found.l_min == 0) | (found.l_max == layers - 1)
    duration = (found.t_max - found.t_min).astype(np.int64) + 1
    return AvalancheSample(found.size, duration, found.plane.astype(np.intp), censored)


@njit(nogil=True, cache=True)
def _measure(counts: _Array, diagonal: bool, size: _Array, whole: _Array, labels: _Array) -> int:
    """Fill in one entry per component and return how many there are: union-find over the sites of a plane in token order.

    A root is the component's first site, so that components come in order of their first token, then layer.
    """
    planes, layers, tokens = counts.shape
    parent, component, token, layer_of = np.empty((4, layers * tokens), dtype=np.int32)
    last, here = np.empty(layers, dtype=np.int32), np.empty(layers, dtype=np.int32)
    found = 0
    for plane in range(planes):
        n, first = 0, found
        last[:] = -1
        for t in range(tokens):
            for layer in range(layers):
                here[layer] = -1
                if counts[plane, layer, t] > 0:
                    here[layer], parent[n], token[n], layer_of[n] = n, n, t, layer
                    _join_earlier(parent, n, layer, last, here, diagonal)
                    n += 1
            last, here = here, last
        for site in range(n):
            t, layer = token[site], layer_of[site]
            # a parent comes before its site, so what it belongs to is known
            if parent[site] == site:
                component[site], size[found] = found, 0
                whole[found, 0], whole[found, 1], whole[found, 2] = plane, found - first, 0
                whole[found, 3], whole[found, 5], whole[found, 6] = t, layer, layer
                found += 1
            else:
                component[site] = component[parent[site]]
            at = component[site]
            size[at] += counts[plane, layer, t]
            whole[at, 2] += 1
            # sites come in order of tokens
            whole[at, 4] = t
            whole[at, 5], whole[at, 6] = min(whole[at, 5], layer), max(whole[at, 6], layer)
            if labels.size:
                labels[plane, layer, t] = at - first
    return found


@njit(nogil=True, cache=True)
def _join_earlier(parent: _Array, site: int, layer: int, last: _Array, here: _Array, diagonal: bool) -> None:
    """Join a site with its neighbours among the earlier ones, those that are joined to each other already but once.

    ``last`` and ``here``: the sites of the token before and of this one by layer, -1 for none.
    """
    before, below = last[layer], here[layer - 1] if layer > 0 else -1
    corner = last[layer - 1] if layer > 0 else -1
    if not diagonal:
        if before >= 0:
            parent[site] = parent[before]
        if below >= 0 and before < 0:
            parent[site] = parent[below]
        elif below >= 0 and corner < 0:
            _join(parent, below, before)
    elif before >= 0:
        parent[site] = parent[before]
    else:
        above = last[layer + 1] if layer + 1 < len(last) else -1
        other = below if below >= 0 else corner
        if above >= 0:
            parent[site] = parent[above]
        if other >= 0 and above < 0:
            parent[site] = parent[other]
        elif other >= 0:
            _join(parent, other, above)


@njit(nogil=True, cache=True)
def _root(parent: _Array, site: int) -> int:
    while parent[site] != site:
        parent[site] = parent[parent[site]]
        site = parent[site]
    return site


@njit(nogil=True, cache=True)
def _join(parent: _Array, one: int, other: int) -> None:
    """Join two components under the lower root."""
    first, second = _root(parent, one), _root(parent, other)
    if first < second:
        parent[second] = first
    else:
        parent[first] = second
