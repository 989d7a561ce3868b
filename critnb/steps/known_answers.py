"""The known answers of S00: what the estimators give on inputs whose answer is known, as a table and three figures.

Tolerances are four of the estimator's own standard errors, so about one right answer in 16 000 falls outside. Everything
is drawn with fixed seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, Adjacency, NullId
from critnb.criticality import known
from critnb.criticality.avalanches import find_avalanches
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.branching import branching_sums
from critnb.criticality.multistep import Multistep, lag_slopes, multistep
from critnb.criticality.nulltest import NullComparison, compare, null_branching
from critnb.criticality.synthetic import (
    Runs,
    bernoulli,
    directed_percolation,
    discrete_power_law,
    driven_branching,
    lattice_cascades,
    periodic_cluster_counts,
    poisson_branching,
    subsample,
    toy_raster,
)
from critnb.criticality.tails import mle_exponent
from critnb.lattice import RASTER_NULLS

Floats = npt.NDArray[np.float64]
# a fit, and the standard error of each of its slopes [K]
Regression = tuple[Multistep, Floats]

_SEED = 1337
_ERRORS = 4.0
_NORMAL_QUANTILE = 1.96
_DENSITIES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_TABLED_DENSITY = 0.2
_BOXES = (64, 32, 64)
# After this many generations a run has at least as many events, more than any that the table counts.
_RUNS, _GENERATIONS = 200_000, 1000
_CASCADES, _CLUSTERS, _DRAWS = 50_000, 10_000, 20_000
_SEQUENCES, _TOKENS, _SEEN = 96, 1024, 0.1
_PARAMETERS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
_NULL_REPEATS, _NULL_REPLICATES, _LEVEL = 500, 99, 0.05


@dataclass(frozen=True)
class Answer:
    """One row of the table: right where found lies within the tolerance of the known answer."""

    input: str
    estimator: str
    found: float
    known: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """What the notebook shows.

    table: input, estimator, found, known answer, tolerance, passed. clusters: clusters per site by adjacency, size and
    density. runs: of critical branching. subsampled: the regression of driven activity of which a share p of the events
    is seen, by (m, p).
    """

    table: pd.DataFrame
    clusters: pd.DataFrame
    runs: Runs
    subsampled: dict[tuple[float, float], Regression]


def known_answers() -> KnownAnswers:
    """Draw every input, run the estimators on it, and set what they find beside the answer."""
    clusters = _clusters()
    runs = poisson_branching(_RUNS, 1.0, max_generations=_GENERATIONS, seed=_SEED)
    subsampled = {(m, p): _regression(m, 3.0, p) for m in _PARAMETERS for p in (1.0, _SEEN)}
    rows = [
        *_toy_raster(),
        *_independent_sites(),
        *_null_tests(),
        *_cluster_rows(clusters),
        *_branching_rows(runs),
        *_power_law_rows(),
        *_cascade_rows(),
        *_percolation_rows(),
        *_subsampled_rows(subsampled),
    ]
    return KnownAnswers(_table(rows), clusters, runs, subsampled)


def _table(rows: Iterable[Answer]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(row) for row in rows]).rename(columns={"known": "known answer"})
    return frame.assign(passed=(frame["found"] - frame["known answer"]).abs() <= frame["tolerance"])


def _share(input_: str, estimator: str, hits: npt.NDArray[np.bool_], share: float) -> Answer:
    """Return the row of a share of independent draws."""
    error = np.sqrt(share * (1 - share) / len(hits))
    return Answer(input_, estimator, float(hits.mean()), share, float(_ERRORS * error))


def _mean(input_: str, estimator: str, values: npt.NDArray[np.number], mean: float) -> Answer:
    """Return the row of a mean over independent draws."""
    error = values.std() / np.sqrt(len(values))
    return Answer(input_, estimator, float(values.mean()), mean, float(_ERRORS * error))


def _toy_raster() -> Iterator[Answer]:
    raster = toy_raster()
    branching = branching_sums(raster.counts[0]).pooled()
    found = find_avalanches(raster.counts[0], raster.seq_id, Adjacency.ADJ_4N)
    name = "toy raster"
    yield Answer(name, "b_time", float(branching.b_time), 1 / 3, 1e-12)
    yield Answer(name, "b_depth", float(branching.b_depth), 1 / 2, 1e-12)
    yield Answer(name, "number of avalanches", float(len(found)), 1.0, 0.0)
    yield Answer(name, "span in tokens", float(found.span_tokens[0]), 2.0, 0.0)
    yield Answer(name, "span in layers", float(found.span_layers[0]), 2.0, 0.0)


def _independent_sites() -> Iterator[Answer]:
    """On small lattices, where a wrong treatment of sites without a successor shows."""
    shape = sequences, layers, tokens = (4000, 8, 16)
    pairs = {"b_time": sequences * layers * (tokens - 1), "b_depth": sequences * (layers - 1) * tokens}
    for density in (0.05, 0.3):
        found = branching_sums(bernoulli(density, shape, seed=_SEED)).pooled()
        for estimator, n in pairs.items():
            # a share of the density * n eligible sites
            error = float(np.sqrt((1 - density) / n))
            value = float(getattr(found, estimator))
            yield Answer(f"independent sites, p = {density:g}", estimator, value, density, _ERRORS * error)


def _null_tests() -> Iterator[Answer]:
    """Sites in random order are their own null: delta_b is zero, and the test rejects as often as its level says."""
    rasters = bernoulli(_TABLED_DENSITY, (_NULL_REPEATS, 8, 4, 24), seed=_SEED).astype(np.uint16)
    name = f"{_NULL_REPEATS} rasters of independent sites"
    for null_id, words in zip(RASTER_NULLS, ("permutation", "circular shift"), strict=True):
        compared = [_against_null(counts, null_id, repeat) for repeat, counts in enumerate(rasters)]
        delta = np.array([one.delta for one in compared])
        rejected = np.array([one.p_one_sided <= _LEVEL for one in compared])
        yield _mean(name, f"mean Δb_tot, {words}", delta, 0.0)
        yield _share(name, f"share with p ≤ {_LEVEL:g}, {words}", rejected, _LEVEL)


def _against_null(counts: npt.NDArray[np.uint16], null_id: NullId, repeat: int) -> NullComparison:
    null = null_branching(
        counts,
        np.arange(len(counts), dtype=np.int32),
        null_id,
        seed=_SEED,
        condition_key=str(repeat).encode(),
        replicates=range(_NULL_REPLICATES),
    )
    return compare(float(branching_sums(counts).pooled().b_tot), null.pooled().b_tot)


def _clusters() -> pd.DataFrame:
    """Return, by adjacency, density and size: clusters per site found in periodic boxes, their error, the exact number."""
    return pd.concat([_cluster_frame(a, density) for a in Adjacency for density in _DENSITIES], ignore_index=True)


def _cluster_frame(adjacency: Adjacency, density: float) -> pd.DataFrame:
    exact = known.clusters_per_site(density, adjacency)
    counts = periodic_cluster_counts(bernoulli(density, _BOXES, seed=_SEED), adjacency, len(exact))
    per_site = counts / (_BOXES[1] * _BOXES[2])
    error = per_site.std(axis=0, ddof=1) / np.sqrt(len(counts))
    columns = {"size": np.arange(1, len(exact) + 1), "found": per_site.mean(axis=0), "error": error, "exact": exact}
    return pd.DataFrame(columns).assign(adjacency=str(adjacency), density=density)


def _cluster_rows(clusters: pd.DataFrame) -> Iterator[Answer]:
    name = f"independent sites, p = {_TABLED_DENSITY:g}, periodic box"
    for adjacency, words in {Adjacency.ADJ_4N: "4 neighbours", Adjacency.ADJ_8N: "8 neighbours"}.items():
        rows = clusters[(clusters["density"] == _TABLED_DENSITY) & (clusters["adjacency"] == adjacency)]
        for size, found, error, exact in rows[["size", "found", "error", "exact"]].to_numpy():
            yield Answer(name, f"clusters of {size:g} per site, {words}", found, exact, _ERRORS * error)


def _branching_rows(runs: Runs) -> Iterator[Answer]:
    name = f"{_RUNS:,} runs of critical branching"
    for size, share in enumerate(known.borel_pmf(np.arange(1, 5)), start=1):
        yield _share(name, f"P(S = {size})", runs.sizes == size, float(share))
    for duration, share in enumerate(known.poisson_branching_durations(4), start=1):
        yield _share(name, f"P(D = {duration})", runs.durations == duration, float(share))
    means = known.mean_size_by_duration(10)
    for duration in (2, 3, 4, 10):
        yield _mean(name, f"E[S | D = {duration}]", runs.sizes[runs.durations == duration], float(means[duration - 1]))
    for (low, high), tau in {(1, 1000): 1.4823, (10, 1000): 1.4981}.items():
        yield _exponent(name, f"exponent of S on {low} to {high}", runs.sizes, (low, high), tau)
    yield _exponent(name, "exponent of D on 3 to 12 (far out: 2)", runs.durations, (3, 12), 1.5831)


def _power_law_rows() -> Iterator[Answer]:
    for exponent, xmax, words in ((1.5, 100, "1 to 100"), (2.5, None, "1 on")):
        drawn = discrete_power_law(exponent, _DRAWS, xmax=xmax, seed=_SEED)
        yield _exponent(f"{_DRAWS:,} draws of a power law", f"exponent on {words}", drawn, (1, xmax), exponent)


def _exponent(
    input_: str, estimator: str, values: npt.NDArray[np.int64], support: tuple[int, int | None], exponent: float
) -> Answer:
    """Return the row of a maximum-likelihood exponent on a support; its error is what that of the mean log makes of it."""
    low, high = support
    logs = np.log(values[(values >= low) & (True if high is None else values <= high)])
    error = logs.std() / np.sqrt(len(logs))
    found, below, above = mle_exponent(logs.mean() + error * np.array([0, 1, -1]), xmin=low, xmax=high)
    return Answer(input_, estimator, float(found), exponent, float(_ERRORS * (above - below) / 2))


def _cascade_rows() -> Iterator[Answer]:
    layers, tokens, m_time, m_depth = 8, 128, 0.6, 0.4
    drawn = lattice_cascades(_CASCADES, n_layers=layers, n_tokens=tokens, m_time=m_time, m_depth=m_depth, seed=_SEED)
    name = f"{_CASCADES:,} critical cascades on {layers} x {tokens}"
    spans = known.cascade_spans(3, n_across=layers, m_along=m_time, m_across=m_depth).mean(axis=0)
    room = drawn.t_min < tokens - 3
    for span, share in enumerate(spans, start=1):
        yield _share(name, f"P(span in tokens = {span})", drawn.span_tokens[room] == span, float(share))
    mean = known.cascade_mean_size(n_layers=layers, n_tokens=tokens, m_time=m_time, m_depth=m_depth)
    yield _mean(name, "mean size", drawn.size, mean)


def _percolation_rows() -> Iterator[Answer]:
    p, early, late = known.DIRECTED_PERCOLATION_THRESHOLD, 16, 64
    sizes, durations = directed_percolation(p, _CLUSTERS, max_generations=late, seed=_SEED)
    name = f"{_CLUSTERS:,} clusters of directed percolation"
    yield _share(name, "P(D = 1)", durations == 1, (1 - p) ** 2)
    yield _share(name, "P(S = 2)", sizes == 2, 2 * p * (1 - p) ** 3)
    before, after = (np.count_nonzero(durations > generation) for generation in (early, late))
    found = 1 + np.log(before / after) / np.log(late / early)
    error = np.sqrt(1 / after - 1 / before) / np.log(late / early)
    alpha = known.DIRECTED_PERCOLATION.alpha
    yield Answer(name, f"alpha from survival of {early} to {late}", float(found), alpha, float(_ERRORS * error))


def _regression(m: float, drive: float | Floats, p: float) -> Regression:
    """Regress driven activity [N, 1, P] of which each event is seen with probability p."""
    seed = _SEED + round(100 * m)
    seen = subsample(driven_branching(m, drive, _TOKENS, _SEQUENCES, seed=seed), p, seed=_SEED)[:, None, :]
    weights = multinomial_weights(_SEQUENCES, CANON.CONST.BOOTSTRAP_REPS, _SEED)
    fit = multistep(seen, weights=weights)
    return fit, lag_slopes(seen, len(fit.lags), weights=weights).std(axis=0)


def _subsampled_rows(found: dict[tuple[float, float], Regression]) -> Iterator[Answer]:
    for m in (0.9, 0.98):
        name, (fit, errors) = f"driven branching, m = {m:g}, {_SEEN:.0%} seen", found[m, _SEEN]
        for place, slope in enumerate(known.subsampled_slopes(np.array([1, 2]), m=m, p=_SEEN)):
            error = _ERRORS * float(errors[place])
            yield Answer(name, f"slope r{place + 1}", float(fit.r[place]), float(slope), error)
        yield _parameter(name, fit, m)
    uneven, _ = _regression(0.9, np.linspace(1.0, 5.0, _SEQUENCES), 1.0)
    yield _parameter("driven branching, m = 0.9, drives of 1 to 5", uneven, 0.9)


def _parameter(input_: str, fit: Multistep, m: float) -> Answer:
    error = (fit.m_ci_high - fit.m_ci_low) / (2 * _NORMAL_QUANTILE)
    return Answer(input_, "m of the multistep regression", fit.m, m, _ERRORS * error)
