"""Sizes and durations of the avalanches of many sparse planes, by compiled code: for nulls, of which thousands are drawn.

The components are those of ``avalanches.find_avalanches``, in its order. Imported where nulls are pooled and not before,
since numba takes a moment to load.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from critnb.canon import Adjacency
from critnb.criticality.sizes.sample import AvalancheSample

_Array = npt.NDArray[Any]


def label_planes(counts: npt.NDArray[np.uint16], adjacency: Adjacency) -> AvalancheSample:
    """Return the avalanches of planes uint16 [P, L, T], sizes as events, ``sequence`` the plane; [K], in order of planes."""
    sites = np.count_nonzero(counts)
    size, duration, plane = (np.empty(sites, dtype=np.int64) for _ in range(3))
    censored = np.empty(sites, dtype=np.bool_)
    found = _label(counts, adjacency is Adjacency.ADJ_8N, size, duration, plane, censored)
    # a copy, so that a few avalanches do not keep the room of all sites
    return AvalancheSample(size[:found].copy(), duration[:found].copy(), plane[:found].copy(), censored[:found].copy())


@njit(nogil=True, cache=True)
def _label(counts: _Array, diagonal: bool, size: _Array, duration: _Array, plane_of: _Array, censored: _Array) -> int:
    """Fill in one entry per component and return how many there are: union-find over the sites of a plane in token order.

    A root is the component's first site, so that components come in order of their first token, then layer.
    """
    planes, layers, tokens = counts.shape
    label = np.full((tokens, layers), -1, dtype=np.int64)
    parent, place = np.empty(layers * tokens, dtype=np.int64), np.empty(layers * tokens, dtype=np.int64)
    token, layer_of, events = np.empty_like(parent), np.empty_like(parent), np.empty_like(parent)
    found = 0
    for plane in range(planes):
        n = 0
        for t in range(tokens):
            for layer in range(layers):
                label[t, layer] = -1
                if counts[plane, layer, t] == 0:
                    continue
                label[t, layer], parent[n] = n, n
                token[n], layer_of[n], events[n] = t, layer, counts[plane, layer, t]
                if layer > 0 and label[t, layer - 1] >= 0:
                    _join(parent, n, label[t, layer - 1])
                if t > 0:
                    for other in range(max(layer - diagonal, 0), min(layer + diagonal, layers - 1) + 1):
                        if label[t - 1, other] >= 0:
                            _join(parent, n, label[t - 1, other])
                n += 1
        for site in range(n):
            root, t, layer = _root(parent, site), token[site], layer_of[site]
            if root == site:
                place[site] = found
                size[found], duration[found], plane_of[found], censored[found] = 0, 0, plane, False
                found += 1
            at = place[root]
            size[at] += events[site]
            # sites come in order of tokens, and the root is the first
            duration[at] = t - token[root] + 1
            censored[at] |= t == 0 or t == tokens - 1 or layer == 0 or layer == layers - 1
    return found


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
