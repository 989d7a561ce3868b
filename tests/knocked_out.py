"""Counts of knock-outs that a test made up for a raster: its own events put out, and what then vanished drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from critnb.criticality.knock_outs import KnockOutSums, Variant
from critnb.lattice import Raster
from critnb.lattice.raster import Counts
from critnb.stages.s04k_knock_out.counted import Counted, knock_out_frame, stability_frame


def sums_of(counts: Counts, seed: int = 0) -> KnockOutSums:
    """Sums [V, N, L-1] whose base pass is the window counts [N, L, T]."""
    rng = np.random.default_rng(seed)
    occupied = counts > 0
    events = counts.sum(axis=-1, dtype=np.int64)
    out = np.broadcast_to(events[:, :-1], (len(Variant), *events[:, :-1].shape)).copy()
    lost = rng.binomial(events[:, 1:], [[[0.4]], [[0.2]], [[0.1]]])
    new = rng.binomial(events[:, 1:], [[[0.1]], [[0.2]], [[0.1]]])
    pairs = (occupied[:, :-1] & occupied[:, 1:]).sum(axis=-1)
    k = occupied.sum(axis=-1)
    expected = k[:, :-1] * k[:, 1:] / counts.shape[-1]
    return KnockOutSums(
        out, lost, new, lost + 1, new, rng.binomial(pairs, 0.9, out.shape), np.broadcast_to(expected, out.shape).copy(),
        events[:, 1:], pairs, expected,
    )  # fmt: skip


def counted(raster: Raster, gains: Sequence[float], *, directions: int = 2) -> Counted:
    """What the forward passes of S04K might have given for a raster: disturbances shrink, the more the larger the gain."""
    _, n_windows, n_layers, _ = raster.counts.shape
    rng = np.random.default_rng(1)
    growth = {gain: rng.normal(-0.1 * gain, 0.01, (n_windows, directions, n_layers)) for gain in gains}
    return Counted(
        knock_out_frame(
            [sums_of(each, i) for i, each in enumerate(raster.counts)], list(raster.conditions), raster.seq_id
        ),
        stability_frame({gain: (each, each[:, 0] + 1e-4) for gain, each in growth.items()}, raster.seq_id),
    )
