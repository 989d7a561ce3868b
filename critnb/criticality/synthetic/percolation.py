"""Bond directed percolation in 1 + 1 dimensions, from a single site."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from critnb.criticality.synthetic.processes import Runs
from critnb.errors import DataError

Bools = npt.NDArray[np.bool_]


def directed_percolation(p: float, n: int, *, max_generations: int, seed: int) -> Runs:
    """Return n clusters that grow from one site: sizes in sites, durations in generations.

    A site x of one generation is joined to x and x + 1 of the next by two bonds, each open with probability p. Known:
    exactly, P(D = 1) = (1-p)^2 and P(S = 2) = 2 p (1-p)^3; at p_c = 0.644700185, for large clusters, the exponents of
    ``known.DIRECTED_PERCOLATION`` (Jensen 1999; scaling laws of Munoz et al. 1999).
    """
    sizes, durations = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for generation, (alive, sites) in enumerate(_generations(p, n, max_generations + 1, seed), start=1):
        durations[alive] = generation
        if generation <= max_generations:
            sizes[alive] += sites.sum(axis=1)
    return Runs(sizes, durations)


def percolation_cluster(p: float, generations: int, *, seed: int, tries: int = 1000) -> Bools:
    """Return the sites of one cluster that lives that long, bool [generations, generations]: (generation, place).

    It is the first of ``tries`` clusters that is alive in the last generation asked for. Raises DataError where none is.
    """
    rows = list(_generations(p, tries, generations, seed))
    if len(rows) < generations:
        raise DataError(f"directed percolation: none of {tries} clusters lives for {generations} generations")
    cluster, survivor = np.zeros((generations, generations), dtype=np.bool_), rows[-1][0][0]
    for generation, (alive, sites) in enumerate(rows):
        cluster[generation, : generation + 1] = sites[np.searchsorted(alive, survivor)]
    return cluster


def _generations(p: float, n: int, generations: int, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], Bools]]:
    """Yield, generation by generation, which runs are alive and their sites bool [alive, generation]."""
    rng = np.random.default_rng(seed)
    alive, sites = np.arange(n), np.ones((n, 1), dtype=np.bool_)
    for generation in range(1, generations + 1):
        if not len(alive):
            return
        yield alive, sites
        run, place = np.nonzero(sites)
        following = np.zeros((len(alive), generation + 1), dtype=np.bool_)
        for step in (0, 1):
            is_open = rng.random(len(run)) < p
            following[run[is_open], place[is_open] + step] = True
        lives = following.any(axis=1)
        alive, sites = alive[lives], following[lives]
