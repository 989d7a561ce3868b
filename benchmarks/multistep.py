"""Multistep regression against mrestimator, in one process on the same data.

    PYTHONPATH=. python benchmarks/multistep.py

in an environment that has mrestimator (0.2.0 was used) beside this pack's numpy, scipy, pandas, pyyaml, pydantic.
mrestimator's "stationarymean" is ``Centre.POOLED`` here; it knows no means of positions. Its fit is a free search by
curve_fit from five start values; ours is a grid and a root.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import logging
import platform
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.lagfit import fit_lags
from critnb.criticality.multistep import Centre, lag_slopes, multistep
from critnb.criticality.synthetic import driven_branching, subsample

SEQUENCES, TOKENS, LAGS, RESAMPLES = 96, 128, 64, 500
INPUTS = (
    ("m = 0.9, all seen", 0.9, 1.0, 3.0),
    ("m = 0.9, 10 % seen", 0.9, 0.1, 3.0),
    ("m = 0.98, 10 % seen", 0.98, 0.1, 3.0),
    ("m = 0.8, drives differ", 0.8, 1.0, np.linspace(1, 5, SEQUENCES)),
)


def best(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def activity(m: float, p: float, drive: float | np.ndarray) -> np.ndarray:
    return subsample(driven_branching(m, drive, TOKENS, SEQUENCES, seed=1), p, seed=2)


def main() -> None:
    try:
        import mrestimator as mre
    except ImportError:
        sys.exit("mrestimator is not installed here; it is needed for this benchmark only (pip install mrestimator)")
    warnings.simplefilter("ignore")  # overflows inside curve_fit's free search
    logging.getLogger("mrestimator").setLevel(logging.CRITICAL)
    print(f"{platform.machine()}, one thread; Python {platform.python_version()}, numpy {np.__version__}, ", end="")
    print(f"mrestimator {mre.__version__}; {SEQUENCES} sequences of {TOKENS}, lags 1 to {LAGS}\n")
    values(mre)
    speed(mre)


def values(mre: object) -> None:
    print("largest difference                       slopes      m, with offset      m, without")
    for name, m, p, drive in INPUTS:
        x = activity(m, p, drive)
        theirs = mre.coefficients(x, method="stationarymean", steps=(1, LAGS), numboot=0)
        ours = lag_slopes(x[:, None, :], LAGS, centre=Centre.POOLED)
        differences = [np.abs(ours - theirs.coefficients).max()]
        for fitfunc, offset in ((mre.f_exponential_offset, True), (mre.f_exponential, False)):
            fitted = mre.fit(theirs, fitfunc=fitfunc)
            differences.append(abs(fit_lags(ours, offset=offset)[0] - fitted.mre))
        print(f"{name:34}{differences[0]:12.1e}{differences[1]:16.1e}{differences[2]:16.1e}")


def speed(mre: object) -> None:
    x = activity(0.9, 0.1, 3.0)
    weights = multinomial_weights(SEQUENCES, RESAMPLES, seed=1)

    def theirs() -> object:
        slopes = mre.coefficients(x, method="stationarymean", steps=(1, LAGS), numboot=RESAMPLES)
        return mre.fit(slopes, fitfunc=mre.f_exponential_offset, numboot=RESAMPLES)

    theirs()  # compiles
    ours_s = best(lambda: multistep(x[:, None, :], weights=weights, max_lag=LAGS, centre=Centre.POOLED), 5)
    theirs_s = best(theirs, 2)
    print(f"\nslopes and fit with {RESAMPLES} resamples of the sequences, seconds")
    print(f"critnb {ours_s:.3f}   mrestimator {theirs_s:.3f}   ratio {theirs_s / ours_s:.0f}x")
    positions = best(lambda: multistep(x[:, None, :], weights=weights), 5)
    counts = driven_branching(0.7, 0.3, 8, SEQUENCES * TOKENS, seed=1).reshape(SEQUENCES, TOKENS, 8)
    depth = best(lambda: multistep(counts, weights=weights), 5)
    print(f"with means of positions: along tokens {positions:.3f}, along depth (8 layers) {depth:.3f}")


if __name__ == "__main__":
    main()
