"""Avalanches: connected components of occupied sites within one sequence, and their sizes and extents."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, Adjacency
from critnb.errors import DataError
from critnb.lattice.conditions import COND_ID

EMPTY_SITE = -1
Integers = npt.NDArray[np.integer[Any]]


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


def find_avalanches(counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency) -> Avalanches:
    """Return the avalanches of one condition's counts uint16 [N, L, T].

    Raises:
        DataError: a sequence has more than CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL components.
    """
    return _found(counts, seq_id, adjacency, None)


def label_sites(
    counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency
) -> npt.NDArray[np.int32]:
    """Return int32 [N, L, T]: the avalanche_id of occupied sites, else EMPTY_SITE; raises as ``find_avalanches``."""
    return find_and_label(counts, seq_id, adjacency)[1]


def find_and_label(
    counts: npt.NDArray[np.uint16], seq_id: npt.NDArray[np.int32], adjacency: Adjacency
) -> tuple[Avalanches, npt.NDArray[np.int32]]:
    """Return what ``find_avalanches`` and ``label_sites`` do, of one pass."""
    labels = np.full(counts.shape, EMPTY_SITE, dtype=np.int32)
    return _found(counts, seq_id, adjacency, labels), labels


def _found(
    counts: npt.NDArray[np.uint16],
    seq_id: npt.NDArray[np.int32],
    adjacency: Adjacency,
    labels: npt.NDArray[np.int32] | None,
) -> Avalanches:
    from critnb.criticality.sizes.labelling import NO_LABELS, Components

    found = Components.of(counts, adjacency, NO_LABELS if labels is None else labels)
    _check_number(np.bincount(found.plane, minlength=len(counts)), seq_id)
    return Avalanches.of_extents(
        seq_id[found.plane],
        found.number,
        size=found.size,
        area=found.area,
        tokens=(found.t_min, found.t_max),
        layers=(found.l_min, found.l_max),
        shape=counts.shape[1:],
    )


def _check_number(per_sequence: npt.NDArray[np.intp], seq_id: npt.NDArray[np.int32]) -> None:
    limit = CANON.CONST.CC_MAX_COMPONENTS_PER_SEQ_HARDFAIL
    if (over := np.flatnonzero(per_sequence > limit)).size:
        worst = over[0]
        raise DataError(
            f"avalanches: sequence {seq_id[worst]} has {per_sequence[worst]} components, more than {limit}; "
            "use shorter windows or a lower target rate"
        )
