"""Tails against the package ``powerlaw``, and their coverage and error rates: ``python benchmarks/tails.py``.

``powerlaw`` is no dependency of the pack; where it is missing, the comparison says so and the rest runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import platform
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from critnb.criticality.synthetic.samples import (
    discrete_exponential,
    discrete_power_law,
    power_law_with_cutoff,
    rounded_lognormal,
)
from critnb.criticality.tails import Histogram, TailFit, fit_tail, ks_p_value, mle_exponent, scan_xmin
from critnb.criticality.tails.cutoff import fit_cutoff, summation_nodes
from critnb.criticality.tails.laws import Fitted, fit_exponential, fit_power_law
from critnb.criticality.tails.lognormal import fit_lognormal
from critnb.criticality.tails.scan import XminCandidates

try:
    import powerlaw
except ImportError:
    powerlaw = None

Integers = np.ndarray[Any, np.dtype[np.int64]]
COVERAGE_REPEATS, ERROR_REPEATS, P_REPLICATES = 500, 200, 100
XMAX = 10_000
SAMPLES: dict[str, tuple[Integers, int | None]] = {
    "5000 values, exponent 1.9 on 1..768": (discrete_power_law(1.9, 5_000, xmax=768, seed=1), 768),
    "5000 values, exponent 2.5, unbounded": (discrete_power_law(2.5, 5_000, seed=2), None),
    "50000 values, exponent 2.0, unbounded": (discrete_power_law(2.0, 50_000, seed=3), None),
    "50000 values, exponent 1.5 on 1..1e5": (discrete_power_law(1.5, 50_000, xmax=100_000, seed=4), 100_000),
}


def seconds(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Processor time, least of some repeats: other work on the machine does not count."""
    times, result = [], None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def theirs(sample: Integers, xmin: int | None = None, xmax: int | None = None) -> Any:
    """Return powerlaw's fit; without xmin it scans for it here."""
    return powerlaw.Fit(sample.astype(float), discrete=True, estimate_discrete=False, xmin=xmin, xmax=xmax, verbose=0)


def compare_scans() -> None:
    print(
        "\nThe scan over every xmin: exact discrete likelihood, same data and candidates, one thread, processor seconds"
    )
    print(f"{'':40}{'distinct':>9}{'critnb s':>10}{'powerlaw s':>12}{'ratio':>8}   xmin, exponent, distance")
    for name, (sample, xmax) in SAMPLES.items():
        histogram = Histogram.of(sample)
        ours, scan = seconds(lambda h=histogram, top=xmax: scan_xmin(h, xmax=top, min_tail=2))
        other, fit = seconds(lambda s=sample, top=xmax: theirs(s, xmax=top))
        print(f"{name:40}{len(histogram.values):9d}{ours:10.4f}{other:12.3f}{other / ours:7.0f}x", end="   ")
        print(f"{scan.xmin}, {scan.alpha:.6f}, {scan.distance:.6f}", end="; ")
        print(f"powerlaw {fit.xmin:.0f}, {fit.alpha:.6f}, {fit.D:.6f}")


def compare_likelihoods() -> None:
    """The log-likelihood of each law at powerlaw's own parameters, by both packages, and at ours."""
    print("\nLog-likelihoods of the unbounded tail from xmin on, nats; powerlaw's own parameters in both, then ours")
    print(f"{'':44}{'powerlaw':>16}{'critnb there':>16}{'difference':>12}{'critnb best':>16}{'gain':>12}")
    for name, (sample, _) in list(SAMPLES.items())[1:3]:
        for xmin in (1, 5):
            tail = Histogram.of(sample[sample >= xmin])
            fit = theirs(sample, xmin=xmin)
            values = np.repeat(tail.values, tail.counts).astype(float)
            for law, (own, best) in our_laws(tail, xmin, fit).items():
                other = getattr(fit, law).loglikelihoods(values).sum()
                label = f"{law}, {name.split(',')[1]}, xmin {xmin}"
                print(f"{label:44}{other:16.6f}{own:16.6f}{own - other:12.1e}{best:16.6f}{best - other:12.1e}")


def our_laws(tail: Histogram, xmin: int, fit: Any) -> dict[str, tuple[float, float]]:
    """Our log-likelihood at their parameters, and at the maximum."""
    power_law, _ = fit_power_law(tail, xmin, None)
    best: dict[str, Fitted] = {
        "power_law": power_law,
        "exponential": fit_exponential(tail, xmin, None),
        "lognormal": fit_lognormal(tail, xmin, None),
        "truncated_power_law": fit_cutoff(tail, xmin, None, power_law),
    }
    at_theirs = {
        "power_law": -fit.power_law.alpha * np.log(tail.values) - np.log(scipy.special.zeta(fit.power_law.alpha, xmin)),
        "exponential": np.log(-np.expm1(-fit.exponential.Lambda)) - fit.exponential.Lambda * (tail.values - xmin),
        "lognormal": log_lognormal(tail.values, xmin, fit.lognormal.mu, fit.lognormal.sigma),
        "truncated_power_law": log_cutoff(tail.values, xmin, fit.truncated_power_law),
    }
    return {law: (float(tail.counts @ at_theirs[law]), found.log_likelihood(tail)) for law, found in best.items()}


def log_lognormal(values: Integers, xmin: int, mu: float, sigma: float) -> Any:
    low, high = ((np.log(values + shift) - mu) / sigma for shift in (-0.5, 0.5))
    upper, lower = scipy.stats.norm.logsf(low), scipy.stats.norm.logsf(high)
    whole = scipy.stats.norm.logsf((np.log(xmin - 0.5) - mu) / sigma)
    return upper + np.log1p(-np.exp(lower - upper)) - whole


def log_cutoff(values: Integers, xmin: int, law: Any) -> Any:
    nodes = summation_nodes(xmin, None)
    whole = np.log(nodes.weights @ np.exp(-law.alpha * np.log(nodes.points) - law.Lambda * nodes.points))
    return -law.alpha * np.log(values) - law.Lambda * values - whole


def weaker_distance() -> None:
    """What a distance overlooks that is taken at observed values alone, from one side."""
    print("\nThe distance at observed values, from below (as powerlaw takes it), instead of over all integers")
    for alpha, n, min_tail in ((2.0, 1_000, 100), (1.5, 300, 30), (1.5, 300, 10)):
        shortfalls, others = zip(*(overlooked(alpha, n, min_tail, seed) for seed in range(ERROR_REPEATS)), strict=True)
        print(f"{n:5d} values, exponent {alpha}, at least {min_tail:3d} in the tail: ", end="")
        print(f"least distance smaller by {100 * np.mean(shortfalls):.0f} % on average, ", end="")
        print(f"{100 * np.max(shortfalls):.0f} % at most; another xmin in {100 * np.mean(others):.1f} %")


def overlooked(alpha: float, n: int, min_tail: int, seed: int) -> tuple[float, bool]:
    histogram = Histogram.of(discrete_power_law(alpha, n, seed=seed))
    candidates = XminCandidates.of(histogram, xmax=None, min_tail=min_tail)
    exponents = mle_exponent(candidates.mean_log, xmin=candidates.xmin, xmax=None)
    below = []
    for i, (exponent, xmin) in enumerate(zip(exponents, candidates.xmin, strict=True)):
        law = scipy.special.zeta(exponent, histogram.values[i:]) / scipy.special.zeta(exponent, xmin)
        below.append(np.abs(candidates.above[i:-1] / candidates.above[i] - law).max())
    full = scan_xmin(histogram, xmax=None, min_tail=min_tail)
    return 1 - min(below) / full.distance, candidates.xmin[int(np.argmin(below))] != full.xmin


def weaker_support() -> None:
    print("\nA bounded sample fitted as if unbounded: exponent of k^-alpha on 1..xmax, in expectation")
    for alpha, xmax in ((1.5, 100), (1.5, 1_000), (2.0, 100), (2.5, 100)):
        k = np.arange(1, xmax + 1)
        share = k**-alpha / np.sum(k**-alpha)
        bounded, unbounded = (float(mle_exponent(share @ np.log(k), xmin=1, xmax=top)) for top in (xmax, None))
        print(f"alpha {alpha}, xmax {xmax:5d}: bounded {bounded:.4f}, unbounded {unbounded:.4f}")


def coverage() -> None:
    print(f"\nalpha +- 1.96 standard errors covers the truth, % of {COVERAGE_REPEATS} samples (aim 93 to 97)")
    for n in (200, 1_000):
        for alpha in (1.5, 2.5):
            for xmax in (None, XMAX, 100):
                fits = [fit_power_law(Histogram.of(discrete_power_law(alpha, n, xmax=xmax, seed=seed)), 1, xmax)
                        for seed in range(COVERAGE_REPEATS)]  # fmt: skip
                hits = [abs(law.parameters[0] - alpha) < 1.96 * error for law, error in fits]
                bias = np.mean([(law.parameters[0] - alpha) / error for law, error in fits])
                print(f"n {n:5d}, alpha {alpha}, xmax {xmax!s:>6}: {100 * np.mean(hits):5.1f} %, bias {bias:+.2f} se")


def decisions() -> None:
    """How often the tests decide at 5 %, two-sided, and how."""
    draws: dict[str, Callable[[int], Integers]] = {
        "power law 1.5": lambda seed: discrete_power_law(1.5, 1_000, xmax=XMAX, seed=seed),
        "power law 2.5": lambda seed: discrete_power_law(2.5, 1_000, xmax=XMAX, seed=seed),
        "lognormal (1, 1)": lambda seed: rounded_lognormal(1.0, 1.0, 1_000, xmax=XMAX, seed=seed),
        "lognormal (3, 0.5)": lambda seed: rounded_lognormal(3.0, 0.5, 1_000, xmax=XMAX, seed=seed),
        "exponential 0.1": lambda seed: discrete_exponential(0.1, 1_000, xmax=XMAX, seed=seed),
        "cutoff (1.5, 0.02)": lambda seed: power_law_with_cutoff(1.5, 0.02, 1_000, xmax=XMAX, seed=seed),
    }
    print(f"\nLikelihood-ratio tests at 5 %, % of {ERROR_REPEATS} samples of 1000 values, xmin 1, xmax {XMAX}")
    print(f"{'truth':20}{'power law / lognormal':>24}{'power law / exponential':>26}{'lambda > 0':>12}")
    for name, draw in draws.items():
        fits = [fit_tail(Histogram.of(draw(seed)), xmin=1, xmax=XMAX) for seed in range(ERROR_REPEATS)]
        lognormal, exponential = (decided(fits, other) for other in ("lognormal", "exponential"))
        cutoff = 100 * np.mean([fit.p_powerlaw_vs_cutoff < 0.05 for fit in fits])
        print(f"{name:20}{lognormal:>24}{exponential:>26}{cutoff:12.1f}")


def decided(fits: Iterable[TailFit], other: str) -> str:
    signs = [
        np.sign(getattr(fit, f"z_powerlaw_vs_{other}")) * (getattr(fit, f"p_powerlaw_vs_{other}") < 0.05)
        for fit in fits
    ]
    return f"{100 * np.mean(np.array(signs) > 0):.1f} / {100 * np.mean(np.array(signs) < 0):.1f}"


def p_values() -> None:
    print(
        f"\nThe p-value of the scan's power law, {P_REPLICATES} replicates each, % of {ERROR_REPEATS} samples of 1000 values"
    )
    print(f"{'truth':32}{'p <= 0.05':>10}{'p <= 0.10':>10}{'mean p':>8}{'ms a replicate':>16}")

    def broken(seed: int) -> Integers:
        """A law from 5 on, and fewer small values than it would have."""
        return np.concatenate([np.random.default_rng(seed).integers(1, 5, 400),
                               discrete_power_law(2.0, 600, xmin=5, xmax=XMAX, seed=seed)])  # fmt: skip

    draws: dict[str, Callable[[int], Integers]] = {
        "power law 1.5": lambda seed: discrete_power_law(1.5, 1_000, xmax=XMAX, seed=seed),
        "power law 2.5": lambda seed: discrete_power_law(2.5, 1_000, xmax=XMAX, seed=seed),
        "power law 2.0 from 5 on": broken,
        "lognormal (2, 0.8)": lambda seed: rounded_lognormal(2.0, 0.8, 1_000, xmax=XMAX, seed=seed),
        "exponential 0.1": lambda seed: discrete_exponential(0.1, 1_000, xmax=XMAX, seed=seed),
    }
    for name, draw in draws.items():
        start = time.process_time()
        values = np.array([p_value(draw(seed), seed) for seed in range(ERROR_REPEATS)])
        each = (time.process_time() - start) / ERROR_REPEATS / P_REPLICATES * 1e3
        low, more = (100 * np.mean(values <= level) for level in (0.05, 0.10))
        print(f"{name:32}{low:10.1f}{more:10.1f}{values.mean():8.2f}{each:16.2f}")


def p_value(sample: Integers, seed: int) -> float:
    histogram = Histogram.of(sample)
    scan = scan_xmin(histogram, xmax=XMAX)
    return ks_p_value(histogram, scan, xmax=XMAX, replicates=P_REPLICATES, seed=seed, key=b"benchmark")


def speed() -> None:
    print("\nProcessor seconds, one thread")
    for name, (sample, xmax) in SAMPLES.items():
        histogram = Histogram.of(sample)
        scan = scan_xmin(histogram, xmax=xmax)
        fit, _ = seconds(lambda h=histogram, top=xmax: fit_tail(h, xmin=1, xmax=top))
        p, _ = seconds(lambda h=histogram, s=scan, top=xmax: ks_p_value(
            h, s, xmax=top, replicates=100, seed=1, key=b"s"))  # fmt: skip
        print(f"{name:40} all four laws {fit:.4f}, p-value of 100 replicates {p:.3f}")


def header() -> None:
    cpus = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":")[1].strip() for line in cpus if line.startswith("model name")), platform.processor())
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"{model}, {os.cpu_count()} cores, load {load}; one thread; Python {platform.python_version()}, ", end="")
    print(f"numpy {np.__version__}, scipy {scipy.__version__}", end="")
    print(f", powerlaw {powerlaw.__version__}" if powerlaw else "")


def main() -> None:
    header()
    if powerlaw is None:
        print("\npowerlaw is not installed here (pip install powerlaw): no comparison with it")
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare_scans()
            compare_likelihoods()
    weaker_distance()
    weaker_support()
    speed()
    coverage()
    decisions()
    p_values()


if __name__ == "__main__":
    main()
