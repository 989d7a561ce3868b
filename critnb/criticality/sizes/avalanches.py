"""Avalanches: connected components of occupied sites within one sequence, and their sizes and extents."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from critnb.canon import CANON, Adjacency
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID

EMPTY_SITE = -1
Integers = npt.NDArray[np.integer[Any]]

# Axes (sequence, layer, token): the outer planes are zero, so nothing joins two sequences.
_STRUCTURE = {
    Adjacency.ADJ_4N: np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0))),
    Adjacency.ADJ_8N: np.pad(ndimage.generate_binary_structure(2, 2)[None], ((1, 1), (0, 0), (0, 0))),
}


@dataclass(frozen=True, eq=False)
class Avalanches:
    """One entry per avalanche, in order of sequence and first site: the earliest token, then the lowest layer.

    size: events; area: sites; spans: tokens and layers from first to last, ends included; touches_edge: the avalanche
    reaches the border of the window or of the stack, so that its size is censored.
    """

    seq_id: npt.NDArray[np.int32]
    avalanche_id: npt.NDArray[np.int32]
    size: npt.NDArray[np.int64]
    area: npt.NDArray[np.int32]
    span_tokens: npt.NDArray[np.int32]
    span_layers: npt.NDArray[np.int32]
    t_min: npt.NDArray[np.int32]
    t_max: npt.NDArray[np.int32]
    l_min: npt.NDArray[np.int32]
    l_max: npt.NDArray[np.int32]
    touches_edge: npt.NDArray[np.bool_]

    @classmethod
    def of_extents(
        cls,
        seq_id: npt.NDArray[np.int32],
        avalanche_id: npt.NDArray[np.int32],
        *,
        size: Integers,
        area: Integers,
        tokens: tuple[Integers, Integers],
        layers: tuple[Integers, Integers],
        shape: tuple[int, int],
    ) -> Avalanches:
        """Return avalanches from first and last token and layer of each, ends included, on a lattice ``shape`` (L, T)."""
        t_min, t_max, l_min, l_max = (end.astype(np.int32) for end in (*tokens, *layers))
        return cls(
            seq_id=seq_id,
            avalanche_id=avalanche_id,
            size=size.astype(np.int64),
            area=area.astype(np.int32),
            span_tokens=t_max - t_min + np.int32(1),
            span_layers=l_max - l_min + np.int32(1),
            t_min=t_min,
            t_max=t_max,
            l_min=l_min,
            l_max=l_max,
            touches_edge=(t_min == 0) | (t_max == shape[1] - 1) | (l_min == 0) | (l_max == shape[0] - 1),
        )

    def __len__(self) -> int:
        return len(self.size)

    def to_frame(self, cond_id: int) -> pd.DataFrame:
        """Return the avalanches as rows of avalanches.parquet, cond_id int32 first."""
        columns: dict[str, npt.NDArray[Any]] = {COND_ID: np.full(len(self), cond_id, dtype=np.int32)}
        return pd.DataFrame(columns | {field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True, eq=False)
class _Components:
    """Every occupied site, ``at`` (sequence, layer, token), and its component; every component's sequence and id."""

    at: tuple[npt.NDArray[np.intp], ...]
    component: npt.NDArray[np.intp]
    sequence: npt.NDArray[np.intp]
    avalanche_id: npt.NDArray[np.intp]


def find_avalanches(counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency) -> Avalanches:
    """Return the avalanches of one condition's counts uint16 [N, L, T].

    Raises:
        DataError: a sequence has more than CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL components.
    """
    sites = _components(counts, seq_id, adjacency)
    found = len(sites.sequence)
    _, layer, token = sites.at
    return Avalanches.of_extents(
        seq_id[sites.sequence],
        sites.avalanche_id.astype(np.int32),
        size=np.bincount(sites.component, weights=counts[sites.at], minlength=found).astype(np.int64),
        area=np.bincount(sites.component, minlength=found),
        tokens=_extremes(token, sites.component, found),
        layers=_extremes(layer, sites.component, found),
        shape=counts.shape[1:],
    )


def label_sites(
    counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency
) -> npt.NDArray[np.int32]:
    """Return int32 [N, L, T]: the avalanche_id of occupied sites, else EMPTY_SITE; raises as ``find_avalanches``."""
    sites = _components(counts, seq_id, adjacency)
    labels = np.full(counts.shape, EMPTY_SITE, dtype=np.int32)
    labels[sites.at] = sites.avalanche_id[sites.component]
    return labels


def _components(counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency) -> _Components:
    """Label all sequences in one call, then number the components by (sequence, first token, first layer)."""
    sequences, layers, tokens = counts.shape
    occupied = counts > 0
    labels, found = ndimage.label(occupied, structure=_STRUCTURE[adjacency])
    at = sequence, layer, token = np.nonzero(occupied)
    component = labels[at].astype(np.intp) - 1
    first_site, _ = _extremes((sequence * tokens + token) * layers + layer, component, found)
    order = np.argsort(first_site)
    rank = np.empty(found, dtype=np.intp)
    rank[order] = np.arange(found)
    of_component = first_site[order] // (layers * tokens)
    per_sequence = np.bincount(of_component, minlength=sequences)
    _check_number(per_sequence, seq_id)
    avalanche_id = np.arange(found) - (np.cumsum(per_sequence) - per_sequence)[of_component]
    return _Components(at, rank[component], of_component, avalanche_id)


def _check_number(per_sequence: npt.NDArray[np.intp], seq_id: npt.NDArray[np.int32]) -> None:
    limit = CANON.CONST.CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL
    if (over := np.flatnonzero(per_sequence > limit)).size:
        worst = over[0]
        raise DataError(
            f"avalanches: sequence {seq_id[worst]} has {per_sequence[worst]} components, more than {limit}; "
            "use shorter windows or a lower target rate"
        )


def _extremes(
    coordinate: npt.NDArray[np.intp], component: npt.NDArray[np.intp], found: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the least and the largest coordinate among the sites of each component."""
    least = np.full(found, np.iinfo(np.intp).max, dtype=np.intp)
    largest = np.zeros(found, dtype=np.intp)
    np.minimum.at(least, component, coordinate)
    np.maximum.at(largest, component, coordinate)
    return least, largest
