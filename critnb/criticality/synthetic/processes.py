"""Branching processes in time: single outbreaks, and activity that a drive keeps going."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from critnb.errors import DataError

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

    Known: sizes follow the Borel law, ``known.borel_pmf``; durations and mean sizes given the duration
    ``known.poisson_branching_durations`` and ``known.mean_size_by_duration`` (Harris 1963; at m = 1 exponents 3/2 of
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

    The drive is one number, or one a sequence [n]. Known: mean drive / (1 - m), variance mean / (1 - m^2), correlation
    m^k at lag k. For with x given, x[t+1] has mean and variance m x + drive, so stationarity asks Var = m^2 Var + mean.
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
    """Return what is left of counts [...] when every event is seen with probability p, independently: int64 [...].

    Known, of ``driven_branching``: the slope of regression at lag k is b m^k with b = p / (p + (1 - p)(1 - m^2)),
    ``known.subsampled_slopes`` (Wilting and Priesemann 2018). For thinning scales covariances by p^2 and leaves the
    variance p^2 Var + p (1 - p) mean.
    """
    return np.random.default_rng(seed).binomial(activity, p).astype(np.int64)
