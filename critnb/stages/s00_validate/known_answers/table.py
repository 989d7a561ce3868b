"""The table of known answers, what its figures draw, and the rows of lattices and of activity in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import CANON, Adjacency, NullId
from critnb.criticality import closed_forms
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.branching import branching_sums
from critnb.criticality.multistep import Multistep, lag_slopes, multistep
from critnb.criticality.nulltest import NullComparison, compare, null_branching
from critnb.criticality.sizes.avalanches import find_avalanches
from critnb.criticality.synthetic import (
    Runs,
    bernoulli,
    driven_branching,
    periodic_cluster_counts,
    persistent_rows,
    subsample,
    toy_raster,
)
from critnb.lattice import WITHOUT_TOKENS, null_of
from critnb.stages.s00_validate.known_answers import sizes
from critnb.stages.s00_validate.known_answers.answer import ERRORS, SEED, KnownAnswer

Floats = npt.NDArray[np.float64]
# a fit, and the standard error of each of its slopes [K]
Regression = tuple[Multistep, Floats]

_DENSITIES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
_TABLED_DENSITY, _AUTOCORRELATION = 0.2, 0.3
_BOXES = (64, 32, 64)
_SEQUENCES, _TOKENS, _SEEN = 96, 1024, 0.1
_PARAMETERS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
_NULL_REPEATS, _NULL_REPLICATES, _LEVEL = 500, 99, 0.05


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """What the notebook shows.

    table: input, estimator, found, known answer, tolerance, passed. clusters: clusters per site by adjacency, size and
    density. runs: of critical branching. subsampled: by (m, p), the regression of driven activity of which a share p of
    the events is seen.
    """

    table: pd.DataFrame
    clusters: pd.DataFrame
    runs: Runs
    subsampled: dict[tuple[float, float], Regression]


def known_answers() -> KnownAnswers:
    """Draw every input, run the estimators on it, and compare what they find with the answer."""
    clusters = _clusters()
    runs = sizes.critical_runs()
    subsampled = {(m, p): _regression(m, 3.0, p) for m in _PARAMETERS for p in (1.0, _SEEN)}
    answers = [
        *_toy_raster(),
        *_independent_sites(),
        *_null_tests(),
        *_cluster_rows(clusters),
        *_persistent_rows(),
        *sizes.size_rows(runs),
        *_subsampled_rows(subsampled),
    ]
    return KnownAnswers(_table(answers), clusters, runs, subsampled)


def _table(answers: Iterable[KnownAnswer]) -> pd.DataFrame:
    frame = pd.DataFrame([asdict(answer) for answer in answers]).rename(columns={"known": "known answer"})
    return frame.assign(passed=(frame["found"] - frame["known answer"]).abs() <= frame["tolerance"])


def _toy_raster() -> Iterator[KnownAnswer]:
    raster = toy_raster()
    branching = branching_sums(raster.counts[0]).pooled()
    found = find_avalanches(raster.counts[0], raster.seq_id, Adjacency.ADJ_4N)
    name = "toy raster"
    yield KnownAnswer(name, "b_time", float(branching.b_time), 1 / 3, 1e-12)
    yield KnownAnswer(name, "b_depth", float(branching.b_depth), 1 / 2, 1e-12)
    yield KnownAnswer(name, "number of avalanches", float(len(found)), 1.0, 0.0)
    yield KnownAnswer(name, "span in tokens", float(found.span_tokens[0]), 2.0, 0.0)
    yield KnownAnswer(name, "span in layers", float(found.span_layers[0]), 2.0, 0.0)


def _independent_sites() -> Iterator[KnownAnswer]:
    """On small lattices, where a wrong treatment of sites without a successor shows."""
    shape = sequences, layers, tokens = (4000, 8, 16)
    pairs = {"b_time": sequences * layers * (tokens - 1), "b_depth": sequences * (layers - 1) * tokens}
    for density in (0.05, 0.3):
        found = branching_sums(bernoulli(density, shape, seed=SEED)).pooled()
        for estimator, n in pairs.items():
            # a share of the density * n eligible sites
            error = float(np.sqrt((1 - density) / n))
            value = float(getattr(found, estimator))
            yield KnownAnswer(f"independent sites, p = {density:g}", estimator, value, density, ERRORS * error)


def _null_tests() -> Iterator[KnownAnswer]:
    """Sites in random order are their own null: delta_b is zero, and the test rejects as often as its level says."""
    rasters = bernoulli(_TABLED_DENSITY, (_NULL_REPEATS, 8, 4, 24), seed=SEED).astype(np.uint16)
    name = f"{_NULL_REPEATS} rasters of independent sites"
    for null_id in WITHOUT_TOKENS:
        words = null_of(null_id).name
        compared = [_against_null(counts, null_id, repeat) for repeat, counts in enumerate(rasters)]
        delta = np.array([one.delta for one in compared])
        rejected = np.array([one.p_one_sided <= _LEVEL for one in compared])
        yield KnownAnswer.of_mean(name, f"mean Δb_tot, {words}", delta, 0.0)
        yield KnownAnswer.of_share(name, f"share with p ≤ {_LEVEL:g}, {words}", rejected, _LEVEL)


def _against_null(counts: npt.NDArray[np.uint16], null_id: NullId, repeat: int) -> NullComparison:
    null = null_branching(
        counts,
        np.arange(len(counts), dtype=np.int32),
        null_id,
        seed=SEED,
        condition_key=str(repeat).encode(),
        replicates=range(_NULL_REPLICATES),
    )
    return compare(float(branching_sums(counts).pooled().b_tot), null.pooled().b_tot)


def _clusters() -> pd.DataFrame:
    """Return, by adjacency, density and size: clusters per site found in periodic boxes, their error, the exact number."""
    return pd.concat([_cluster_frame(a, density) for a in Adjacency for density in _DENSITIES], ignore_index=True)


def _cluster_frame(adjacency: Adjacency, density: float) -> pd.DataFrame:
    exact = closed_forms.clusters_per_site(density, adjacency)
    counts = periodic_cluster_counts(bernoulli(density, _BOXES, seed=SEED), adjacency, len(exact))
    per_site = counts / (_BOXES[1] * _BOXES[2])
    error = per_site.std(axis=0, ddof=1) / np.sqrt(len(counts))
    columns = {"size": np.arange(1, len(exact) + 1), "found": per_site.mean(axis=0), "error": error, "exact": exact}
    return pd.DataFrame(columns).assign(adjacency=str(adjacency), density=density)


def _cluster_rows(clusters: pd.DataFrame) -> Iterator[KnownAnswer]:
    name = f"independent sites, p = {_TABLED_DENSITY:g}, periodic box"
    for adjacency, words in {Adjacency.ADJ_4N: "4 neighbours", Adjacency.ADJ_8N: "8 neighbours"}.items():
        found = clusters[(clusters["density"] == _TABLED_DENSITY) & (clusters["adjacency"] == adjacency)]
        for size, per_site, error, exact in found[["size", "found", "error", "exact"]].to_numpy():
            yield KnownAnswer(name, f"clusters of {size:g} per site, {words}", per_site, exact, ERRORS * error)


def _persistent_rows() -> Iterator[KnownAnswer]:
    p, r, sequences = _TABLED_DENSITY, _AUTOCORRELATION, 1000
    found = branching_sums(persistent_rows(p, r, (sequences, 8, 16), seed=SEED))
    replicates = found.weighted(multinomial_weights(sequences, CANON.CONST.BOOTSTRAP_REPS, SEED))
    for estimator, answer in {"b_time": p + r * (1 - p), "b_depth": p}.items():
        yield KnownAnswer.of_replicates(
            f"persistent rows, p = {p:g}, r = {r:g}", estimator,
            found=float(getattr(found.pooled(), estimator)), known=answer, replicates=getattr(replicates, estimator),
        )  # fmt: skip


def _regression(m: float, drive: float | Floats, p: float) -> Regression:
    """Regress driven activity [N, 1, P] of which each event is seen with probability p."""
    seed = SEED + round(100 * m)
    seen = subsample(driven_branching(m, drive, _TOKENS, _SEQUENCES, seed=seed), p, seed=SEED)[:, None, :]
    weights = multinomial_weights(_SEQUENCES, CANON.CONST.BOOTSTRAP_REPS, SEED)
    fit = multistep(seen, weights=weights)
    return fit, lag_slopes(seen, len(fit.lags), weights=weights).std(axis=0)


def _subsampled_rows(found: dict[tuple[float, float], Regression]) -> Iterator[KnownAnswer]:
    for m in (0.9, 0.98):
        name, (fit, errors) = f"driven branching, m = {m:g}, {_SEEN:.0%} seen", found[m, _SEEN]
        for place, slope in enumerate(closed_forms.subsampled_slopes(np.array([1, 2]), m=m, p=_SEEN)):
            error = ERRORS * float(errors[place])
            yield KnownAnswer(name, f"slope r{place + 1}", float(fit.r[place]), float(slope), error)
        yield _parameter(name, fit, m)
    uneven, _ = _regression(0.9, np.linspace(1.0, 5.0, _SEQUENCES), 1.0)
    yield _parameter("driven branching, m = 0.9, drives of 1 to 5", uneven, 0.9)


def _parameter(input_: str, fit: Multistep, m: float) -> KnownAnswer:
    interval = fit.m_ci_low, fit.m_ci_high
    return KnownAnswer.of_interval(input_, "m of the multistep regression", found=fit.m, known=m, interval=interval)
