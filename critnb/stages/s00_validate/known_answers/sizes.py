"""The rows of sizes and durations: avalanches of known processes, and samples of known laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, SizeDef
from critnb.criticality import closed_forms
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.sizes.crackling import crackling
from critnb.criticality.sizes.exponents import Exponents, exponents
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.sizes.scaling import CriticalReference, critical_pool, reference
from critnb.criticality.synthetic import (
    Runs,
    directed_percolation,
    discrete_exponential,
    discrete_power_law,
    lattice_cascades,
    poisson_branching,
    rounded_lognormal,
)
from critnb.criticality.tails import Histogram, fit_tail, ks_p_value, mle_exponent, scan_xmin
from critnb.stages.s00_validate.known_answers.answer import ERRORS, SEED, KnownAnswer

Integers = npt.NDArray[np.int64]
Draw = Callable[[int], Integers]

# After this many generations a run has at least as many events, more than any that the table counts.
_RUNS, _GENERATIONS = 200_000, 1000
_CASCADES, _CLUSTERS, _DRAWS = 50_000, 10_000, 20_000
_SEQUENCES = 100
# bond directed percolation at its threshold, from all configurations of ten generations; far out it is 1.4732
_PERCOLATION_GAMMA = 1.363273
_FAR = 1000
_SCANS, _SCANNED, _XMIN = 100, 3000, 10
_TESTED, _REPLICATES, _LEVEL = 30, 39, 0.1
_COMPARED, _DECIDED = 20, 2.0
_REFERENCE = Lattice(n_layers=16, n_tokens=128, n_units=100)
_JUDGED, _JUDGED_CASCADES, _POOL = 24, 3000, 30_000
_INTERVAL = 0.95


def critical_runs() -> Runs:
    """Return runs of the critical branching process."""
    return poisson_branching(_RUNS, 1.0, max_generations=_GENERATIONS, seed=SEED)


def size_rows(runs: Runs) -> Iterator[KnownAnswer]:
    """Yield the rows of sizes and durations; ``runs`` are those of ``critical_runs``."""
    yield from _branching_rows(runs)
    yield from _power_law_rows()
    yield from _scan_rows()
    yield from _p_value_rows()
    yield from _likelihood_ratio_rows()
    yield from _cascade_rows()
    yield from _reference_rows()
    yield from _percolation_rows()


def _branching_rows(runs: Runs) -> Iterator[KnownAnswer]:
    name = f"{_RUNS:,} runs of critical branching"
    for size, share in enumerate(closed_forms.borel_pmf(np.arange(1, 5)), start=1):
        yield KnownAnswer.of_share(name, f"P(S = {size})", runs.sizes == size, float(share))
    for duration, share in enumerate(closed_forms.poisson_branching_durations(4), start=1):
        yield KnownAnswer.of_share(name, f"P(D = {duration})", runs.durations == duration, float(share))
    means = closed_forms.mean_size_by_duration(12)
    for duration in (2, 3, 4, 10):
        chosen = runs.sizes[runs.durations == duration]
        yield KnownAnswer.of_mean(name, f"E[S | D = {duration}]", chosen, float(means[duration - 1]))
    for (low, high), tau in {(1, 1000): 1.4823, (10, 1000): 1.4981}.items():
        yield _exponent(name, f"exponent of S on {low} to {high}", runs.sizes, (low, high), tau)
    yield _exponent(name, "exponent of D on 3 to 12 (far out: 2)", runs.durations, (3, 12), 1.5831)
    durations = np.arange(3, 13)
    gamma = float(np.polyfit(np.log(durations), np.log(means[durations - 1]), 1)[0])
    yield _crackling(name, "gamma at durations of 3 to 12 (far out: 2)", runs, longest=12, gamma=gamma)


def _exponent(
    input_: str, estimator: str, values: Integers, support: tuple[int, int | None], exponent: float
) -> KnownAnswer:
    """Return the row of a maximum-likelihood exponent on a support; its error follows from that of the mean log."""
    low, high = support
    logs = np.log(values[(values >= low) & (True if high is None else values <= high)])
    error = logs.std() / np.sqrt(len(logs))
    found, below, above = mle_exponent(logs.mean() + error * np.array([0, 1, -1]), xmin=low, xmax=high)
    return KnownAnswer(input_, estimator, float(found), exponent, float(ERRORS * (above - below) / 2))


def _crackling(input_: str, estimator: str, runs: Runs, *, longest: int, gamma: float) -> KnownAnswer:
    """Return the row of gamma over the durations from 3 on; the runs are dealt to sequences, which are resampled."""
    used = runs.durations <= longest
    n = int(used.sum())
    sample = AvalancheSample(
        runs.sizes[used], runs.durations[used], np.arange(n) % _SEQUENCES, np.zeros(n, dtype=np.bool_)
    )
    found = crackling(sample, multinomial_weights(_SEQUENCES, CANON.CONST.BOOTSTRAP_REPS, SEED))
    return KnownAnswer.of_interval(
        input_, estimator, found=found.gamma, known=gamma, interval=(found.ci_low, found.ci_high)
    )


def _power_law_rows() -> Iterator[KnownAnswer]:
    for exponent, xmax, words in ((1.5, 100, "1 to 100"), (2.5, 100, "1 to 100"), (2.5, None, "1 on")):
        drawn = discrete_power_law(exponent, _DRAWS, xmax=xmax, seed=SEED)
        found = fit_tail(Histogram.of(drawn), xmin=1, xmax=xmax)
        name = f"{_DRAWS:,} draws of a power law of {exponent:g}"
        yield KnownAnswer(name, f"exponent on {words}", found.alpha_powerlaw, exponent, ERRORS * found.alpha_se)


def _scan_rows() -> Iterator[KnownAnswer]:
    """Half of each sample is a power law from xmin on, half is spread evenly over the values below it."""
    exponent, half = 2.5, _SCANNED // 2
    body = np.arange(half) % (_XMIN - 1) + 1
    tails = (discrete_power_law(exponent, half, xmin=_XMIN, xmax=_FAR, seed=SEED + n) for n in range(_SCANS))
    scans = [scan_xmin(Histogram.of(np.concatenate([body, tail])), xmax=_FAR) for tail in tails]
    lowest, found = (np.array([getattr(scan, field) for scan in scans]) for field in ("xmin", "alpha"))
    drawn = multinomial_weights(_SCANS, CANON.CONST.BOOTSTRAP_REPS, SEED)
    medians = np.array([np.median(np.repeat(lowest, times)) for times in drawn])
    name = f"{_SCANS} samples, a power law of {exponent:g} from {_XMIN} on"
    yield KnownAnswer.of_share(name, f"share of scans with an xmin below {_XMIN}", lowest < _XMIN, 0.0)
    yield KnownAnswer.of_replicates(
        name, "median xmin of the scan", found=float(np.median(lowest)), known=_XMIN, replicates=medians
    )
    yield KnownAnswer.of_mean(name, "mean exponent of the scan", found, exponent)


def _p_value_rows() -> Iterator[KnownAnswer]:
    """Of a power law the p-value is spread evenly over 0 to 1; of an exponential it is small.

    The scan keeps half of the values, since the last hundred of an exponential look like any law.
    """
    p = _p_values(lambda seed: discrete_power_law(2.0, 400, xmax=_FAR, seed=seed), n=_TESTED)
    even = (1 + 1 / (_REPLICATES + 1)) / 2
    yield KnownAnswer.of_mean(f"{_TESTED} samples of a power law", "mean p-value of the scan", p, even)
    few = _TESTED // 3
    p = _p_values(lambda seed: discrete_exponential(0.1, 2000, xmax=_FAR, seed=seed), n=few)
    yield KnownAnswer.of_share(f"{few} samples of an exponential", f"share with p ≤ {_LEVEL:g}", p <= _LEVEL, 1.0)


def _p_values(draw: Draw, *, n: int) -> npt.NDArray[np.float64]:
    return np.array([_p_value(Histogram.of(draw(SEED + repeat)), str(repeat).encode()) for repeat in range(n)])


def _p_value(sample: Histogram, key: bytes) -> float:
    least = sample.n // 2
    scan = scan_xmin(sample, xmax=_FAR, min_tail=least)
    return ks_p_value(sample, scan, xmax=_FAR, replicates=_REPLICATES, seed=SEED, key=key, min_tail=least)


def _likelihood_ratio_rows() -> Iterator[KnownAnswer]:
    """The sign of Vuong's z says which law is favoured: positive, the power law."""
    draws: dict[str, tuple[Draw, str, int]] = {
        "a lognormal": (lambda seed: rounded_lognormal(2.0, 0.8, 1000, xmax=_FAR, seed=seed), "lognormal", -1),
        "an exponential": (lambda seed: discrete_exponential(0.1, 1000, xmax=_FAR, seed=seed), "exponential", -1),
        "a power law": (lambda seed: discrete_power_law(1.5, 1000, xmax=_FAR, seed=seed), "exponential", 1),
    }
    for truth, (draw, other, sign) in draws.items():
        fits = [fit_tail(Histogram.of(draw(SEED + n)), xmin=1, xmax=_FAR) for n in range(_COMPARED)]
        z = np.array([getattr(fit, f"z_powerlaw_vs_{other}") for fit in fits])
        law = "power law" if sign > 0 else other
        estimator = f"share with z beyond {_DECIDED:g} for the {law}"
        yield KnownAnswer.of_share(f"{_COMPARED} samples of {truth}", estimator, sign * z > _DECIDED, 1.0)


def _cascade_rows() -> Iterator[KnownAnswer]:
    layers, tokens, m_time, m_depth = 8, 128, 0.6, 0.4
    drawn = lattice_cascades(_CASCADES, n_layers=layers, n_tokens=tokens, m_time=m_time, m_depth=m_depth, seed=SEED)
    name = f"{_CASCADES:,} critical cascades on {layers} x {tokens}"
    spans = closed_forms.cascade_spans(3, n_across=layers, m_along=m_time, m_across=m_depth).mean(axis=0)
    room = drawn.t_min < tokens - 3
    for span, share in enumerate(spans, start=1):
        yield KnownAnswer.of_share(name, f"P(span in tokens = {span})", drawn.span_tokens[room] == span, float(share))
    mean = closed_forms.cascade_mean_size(n_layers=layers, n_tokens=tokens, m_time=m_time, m_depth=m_depth)
    yield KnownAnswer.of_mean(name, "mean size", drawn.size, mean)


def _reference_rows() -> Iterator[KnownAnswer]:
    """Critical cascades, judged as observed avalanches are, by a reference drawn with another seed."""
    drawn = critical_pool(_REFERENCE, cascades=2 * _JUDGED * _JUDGED_CASCADES, seed=SEED + 1)
    pool = critical_pool(_REFERENCE, cascades=_POOL, seed=SEED)
    starts = _JUDGED_CASCADES * np.arange(_JUDGED)
    judged = [_judged(drawn.where(start + np.arange(_JUDGED_CASCADES)), pool) for start in starts]
    inside = np.array([expected.dcc_low <= found.dcc.value <= expected.dcc_high for found, expected in judged])
    name = f"{_JUDGED} samples of critical cascades on {_REFERENCE.n_layers} x {_REFERENCE.n_tokens}"
    yield KnownAnswer.of_share(name, f"share with dcc inside the reference's {_INTERVAL:.0%}", inside, _INTERVAL)
    # tau_S and alpha_D stand on a support that the sample chose, which shifts them; gamma does not
    apart = np.array([found.gamma.gamma - expected.gamma for found, expected in judged])
    yield KnownAnswer.of_mean(name, "mean gamma less the reference's", apart, 0.0)


def _judged(sample: AvalancheSample, pool: AvalancheSample) -> tuple[Exponents, CriticalReference]:
    dealt = AvalancheSample(sample.size, sample.duration, np.arange(len(sample)) % _SEQUENCES, sample.censored)
    # the interval of the sample's own dcc is not asked for here
    weights = multinomial_weights(_SEQUENCES, 10, SEED)
    found = exponents(dealt, weights, lattice=_REFERENCE, size_def=SizeDef.SIZE_EVENTS)
    expected = reference(
        found, pool, size_max=_REFERENCE.largest_size(SizeDef.SIZE_EVENTS, inside=True),
        duration_max=_REFERENCE.longest_duration(inside=True), replicates=100, seed=SEED,
    )  # fmt: skip
    return found, expected


def _percolation_rows() -> Iterator[KnownAnswer]:
    p, early, late = closed_forms.DIRECTED_PERCOLATION_THRESHOLD, 16, 64
    runs = sizes, durations = directed_percolation(p, _CLUSTERS, max_generations=late, seed=SEED)
    name = f"{_CLUSTERS:,} clusters of directed percolation"
    yield KnownAnswer.of_share(name, "P(D = 1)", durations == 1, (1 - p) ** 2)
    yield KnownAnswer.of_share(name, "P(S = 2)", sizes == 2, 2 * p * (1 - p) ** 3)
    before, after = (np.count_nonzero(durations > generation) for generation in (early, late))
    found = 1 + np.log(before / after) / np.log(late / early)
    error = np.sqrt(1 / after - 1 / before) / np.log(late / early)
    alpha = closed_forms.DIRECTED_PERCOLATION.alpha
    yield KnownAnswer(name, f"alpha from survival of {early} to {late}", float(found), alpha, float(ERRORS * error))
    estimator = "gamma at durations of 3 to 10 (far out: 1.47)"
    yield _crackling(name, estimator, runs, longest=10, gamma=_PERCOLATION_GAMMA)
