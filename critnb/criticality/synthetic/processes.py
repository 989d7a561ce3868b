"""Branching processes in time: single outbreaks, driven activity, and directed percolation from a single site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError

Bools = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_FORGOTTEN = 1e-6


class Runs(NamedTuple):
    """Independent runs from one event each, both int64 [n].

    sizes: events; durations: generations with an event, the first included. A run that outlives the limit has duration
    limit + 1, which stands for "longer", and as its size the events up to the limit.
    """

    sizes: Integers
    durations: Integers


def poisson_branching(n: int, m: float, *, max_generations: int, seed: int) -> Runs:
    """Return n runs of the branching process in which every event causes Poisson(m) events of the next generation.

    Known: sizes follow the Borel law, ``closed_forms.borel_pmf``; durations and mean sizes given the duration
    ``closed_forms.poisson_branching_durations`` and ``closed_forms.mean_size_by_duration`` (Harris 1963; at m = 1 exponents 3/2 of
    sizes, 2 of durations, and a mean size that grows as the square of the duration).
    """
    rng = np.random.default_rng(seed)
    sizes, durations = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    alive, events = np.arange(n), np.ones(n, dtype=np.int64)
    for generation in range(1, max_generations + 1):
        sizes[alive] += events
        durations[alive] = generation
        events = rng.poisson(m * events)
        alive, events = alive[events > 0], events[events > 0]
    durations[alive] = max_generations + 1
    return Runs(sizes, durations)


def driven_branching(m: float, drive: float | npt.NDArray[np.float64], length: int, n: int, seed: int) -> Integers:
    """Return n stationary sequences of ``length`` steps, int64 [n, length]: x[t+1] is Poisson(m x[t] + drive).

    The drive is one number, or one per sequence [n]. Known: mean drive / (1 - m), variance mean / (1 - m^2), correlation
    m^k at lag k. Given x, x[t+1] has mean and variance m x + drive, so stationarity requires Var = m^2 Var + mean.
    Drives of different sequences add a constant to the slopes of regression, as their means differ. Raises DataError
    unless 0 <= m < 1.
    """
    if not 0 <= m < 1:
        raise DataError(f"driven branching: m = {m:g} has no stationary state; 0 <= m < 1 is needed")
    rng = np.random.default_rng(seed)
    drives = np.broadcast_to(np.asarray(drive, dtype=np.float64), (n,))
    x = rng.poisson(drives / (1 - m))
    for _ in range(int(np.ceil(np.log(_FORGOTTEN) / np.log(m))) if m > 0 else 1):
        x = rng.poisson(m * x + drives)
    activity = np.empty((n, length), dtype=np.int64)
    for t in range(length):
        activity[:, t] = x
        x = rng.poisson(m * x + drives)
    return activity


def subsample(activity: npt.NDArray[Any], p: float, seed: int) -> Integers:
    """Return counts int64 [...] of which every event of the given ones is kept with probability p, independently.

    Known, of ``driven_branching``: the slope of regression at lag k is b m^k with b = p / (p + (1 - p)(1 - m^2)),
    ``closed_forms.subsampled_slopes`` (Wilting and Priesemann 2018). Thinning scales covariances by p^2 and leaves the
    variance p^2 Var + p (1 - p) mean.
    """
    return np.random.default_rng(seed).binomial(activity, p).astype(np.int64)


def directed_percolation(p: float, n: int, *, max_generations: int, seed: int) -> Runs:
    """Return n clusters that grow from one site: sizes in sites, durations in generations.

    A site x of one generation is joined to x and x + 1 of the next by two bonds, each open with probability p. Known:
    exactly, P(D = 1) = (1-p)^2 and P(S = 2) = 2 p (1-p)^3; at p_c = 0.644700185, for large clusters, the exponents of
    ``closed_forms.DIRECTED_PERCOLATION`` (Jensen 1999; scaling laws of Munoz et al. 1999).
    """
    sizes, durations = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for generation, (alive, sites) in enumerate(_generations(p, n, max_generations + 1, seed), start=1):
        durations[alive] = generation
        if generation <= max_generations:
            sizes[alive] += sites.sum(axis=1)
    return Runs(sizes, durations)


def percolation_cluster(p: float, generations: int, *, seed: int, tries: int = 1000) -> Bools:
    """Return the sites of one cluster that lives that long, bool [generations, generations]: (generation, place).

    It is the first of ``tries`` clusters that is alive in the last generation. Raises DataError where none is.
    """
    rows = list(_generations(p, tries, generations, seed))
    if len(rows) < generations:
        raise DataError(f"directed percolation: none of {tries} clusters lives for {generations} generations")
    cluster, survivor = np.zeros((generations, generations), dtype=np.bool_), rows[-1][0][0]
    for generation, (alive, sites) in enumerate(rows):
        cluster[generation, : generation + 1] = sites[np.searchsorted(alive, survivor)]
    return cluster


def _generations(p: float, n: int, generations: int, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], Bools]]:
    """Yield, per generation, the indices of the runs that are alive, and their sites bool [alive, generation]."""
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
