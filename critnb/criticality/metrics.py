"""The metrics of a raster that every stage reports: one row per condition."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.criticality.branching import branching_sums, empty_sequences
from critnb.criticality.susceptibility import chi
from critnb.lattice.raster import Raster


def condition_metrics(raster: Raster) -> pd.DataFrame:
    """Return, per condition, its eight columns and occupancy, events, n_sequences, n_empty_sequences, b_*, chi.

    occupancy is the share of sites with an event, events the sum of A, branching is pooled over sequences. What is not
    defined (no eligible site) is NaN.
    """
    return raster.conditions.to_frame().assign(**pd.DataFrame([_metrics(counts) for counts in raster.counts]))


def _metrics(counts: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> dict[str, float | int]:
    """counts [N, L, T] of one condition, so that the temporaries are a condition's and not a raster's."""
    occupied = counts > 0
    branching = branching_sums(occupied).pooled()
    per_sequence = counts.sum(axis=(1, 2), dtype=np.int64)
    return {
        "occupancy": float(occupied.mean()) if occupied.size else float("nan"),
        "events": int(per_sequence.sum()),
        "n_sequences": len(counts),
        "n_empty_sequences": int(empty_sequences(occupied)),
        "b_time": float(branching.b_time),
        "b_depth": float(branching.b_depth),
        "b_tot": float(branching.b_tot),
        "chi": float(chi(per_sequence)),
    }
