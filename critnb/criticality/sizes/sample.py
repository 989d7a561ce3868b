"""The avalanches of one raster as a sample of sizes and durations, and the bounds of both."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from critnb.canon import SizeDef
from critnb.criticality.sizes.avalanches import Avalanches

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """The lattice that avalanches live on: layers, tokens, and units of an MLP (the most events that a site can hold)."""

    n_layers: int
    n_tokens: int
    n_units: int

    def largest_size(self, size_def: SizeDef, *, inside: bool) -> int:
        """Return the largest size that a window allows; ``inside``: of an avalanche that touches no edge."""
        margin = 2 if inside else 0
        sites = max(0, self.n_layers - margin) * max(0, self.n_tokens - margin)
        return sites * (self.n_units if size_def is SizeDef.SIZE_EVENTS else 1)

    def longest_duration(self, *, inside: bool) -> int:
        """Return the largest span in tokens, with ``inside`` as above."""
        return max(0, self.n_tokens - 2) if inside else self.n_tokens


@dataclass(frozen=True, eq=False)
class AvalancheSample:
    """One entry per avalanche: size and duration in tokens int64, index of its sequence on the axis N, censoring."""

    size: Ints
    duration: Ints
    sequence: npt.NDArray[np.intp]
    censored: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def of(cls, found: Avalanches, seq_id: npt.NDArray[np.int32], size_def: SizeDef) -> Self:
        """Return the avalanches of a raster whose axis N is ``seq_id``, sizes as ``size_def`` says."""
        order = np.argsort(seq_id)
        sequence = order[np.searchsorted(seq_id, found.seq_id, sorter=order)]
        size = found.size if size_def is SizeDef.SIZE_EVENTS else found.area
        return cls(size.astype(np.int64), found.span_tokens.astype(np.int64), sequence, found.touches_edge)

    def uncensored(self) -> Self:
        """Return the avalanches that touch no edge, whose size and duration the window did not cut."""
        return self.where(~self.censored)

    def where(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Self:
        """Return the chosen avalanches."""
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def per_sequence(
    sequence: npt.NDArray[np.intp], values: npt.NDArray[np.generic] | None, n: int
) -> npt.NDArray[np.float64]:
    """Return sums of ``values`` (counts where None) over the avalanches of each of n sequences, float64 [n]."""
    return np.bincount(sequence, weights=values, minlength=n).astype(np.float64)
