"""Cluster numbers of a box without edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.canon import Adjacency
from critnb.criticality.sizes.avalanches import find_avalanches


def periodic_cluster_counts(
    occupied: npt.NDArray[np.bool_], adjacency: Adjacency, largest: int
) -> npt.NDArray[np.int64]:
    """Return how many clusters of 1 .. ``largest`` sites each of N periodic boxes bool [N, L, T] has: int64 [N, largest].

    Each box is continued by itself for as far as such a cluster and its neighbours reach, the clusters are those of
    ``find_avalanches``, and one is counted where its lowest layer and its first token lie in the box. Known, for
    independent sites: a mean of L T times ``known.clusters_per_site``, exactly. L and T must exceed ``largest`` + 1.
    """
    margin = largest + 1
    continued = np.pad(occupied, ((0, 0), (margin, margin), (margin, margin)), mode="wrap").astype(np.uint16)
    found = find_avalanches(continued, np.arange(len(occupied), dtype=np.int32), adjacency)
    boxes, layers, tokens = occupied.shape
    counted = (found.area <= largest) & (found.l_min >= margin) & (found.l_min < margin + layers)
    counted &= (found.t_min >= margin) & (found.t_min < margin + tokens)
    cells = found.seq_id[counted] * largest + found.area[counted] - 1
    return np.bincount(cells, minlength=boxes * largest).reshape(boxes, largest)
