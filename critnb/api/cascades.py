"""Avalanches of any event counts, and the statistics of their sizes and durations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.activity import null_replicate
from critnb.api.arguments import enough, identifier, whole
from critnb.api.arrays import EventCounts, EventsLike, event_counts
from critnb.api.estimates import Estimate, Estimates, TableResult, html_table, text_table
from critnb.canon import CANON, Adjacency, SizeDef
from critnb.criticality import (
    Avalanches,
    AvalancheSample,
    Crackling,
    Exponents,
    find_avalanches,
    label_sites,
    multinomial_weights,
)
from critnb.criticality import crackling as estimate_crackling
from critnb.criticality import exponents as estimate_exponents
from critnb.criticality.sizes.exponents import ResampledEstimate
from critnb.errors import ParamsError
from critnb.lattice.conditions import COND_ID

_CONST = CANON.CONST
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class AvalancheSet(TableResult):
    """The avalanches of event counts; arrays have one entry per avalanche, in order of sequence and first site."""

    found: Avalanches
    events: EventCounts
    adjacency: Adjacency

    @property
    def size(self) -> Ints:
        """Events of each avalanche."""
        return self.found.size

    @property
    def duration(self) -> Ints:
        """Tokens (time bins) from first to last, both included."""
        return self.found.span_tokens.astype(np.int64)

    @property
    def touches_edge(self) -> npt.NDArray[np.bool_]:
        """Whether the window or the stack of layers may have cut the avalanche off."""
        return self.found.touches_edge

    def labels(self) -> npt.NDArray[np.int32]:
        """Return int32 [N, L, T]: the avalanche_id of occupied sites, else -1."""
        labels = label_sites(self.events.for_avalanches(), self.events.seq_id, self.adjacency)
        return labels[:, 1:-1] if self.events.shape[1] == 1 else labels

    def sample(self, size_def: SizeDef = SizeDef.SIZE_EVENTS) -> AvalancheSample:
        """Return the avalanches in the form that the estimators of ``critnb.criticality`` take."""
        return AvalancheSample.of(self.found, self.events.seq_id, size_def)

    def headline(self) -> str:
        """Return the number of avalanches and the events that they are of."""
        cut = int(self.touches_edge.sum())
        return (
            f"{len(self)} avalanche{'s' * (len(self) != 1)} ({self.adjacency}), {cut} cut by an edge; {self.events!r}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per avalanche: seq_id, avalanche_id, size, area, spans, extremes, touches_edge."""
        return self.on_lattice().to_frame(0).drop(columns=COND_ID)

    def on_lattice(self) -> Avalanches:
        """Return the avalanches with layers counted as in ``events``: ``found`` may have an empty row above."""
        return replace(self.found, l_min=self.found.l_min - self._above, l_max=self.found.l_max - self._above)

    def describe(self) -> pd.DataFrame:
        """Return mean, median and largest of size, area and spans."""
        frame = self.to_frame()[["size", "area", "span_tokens", "span_layers"]]
        found = frame.agg(["mean", "median", "max"]).T.rename(columns={"max": "largest"})
        return found.rename_axis("of").reset_index()

    @property
    def _above(self) -> np.int32:
        return np.int32(self.events.shape[1] == 1)

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        return f"{self.headline()}\n{text_table(self.describe())}"

    def _repr_html_(self) -> str:
        return html_table(self.headline(), self.describe())


@dataclass(frozen=True, eq=False, repr=False)
class CracklingEstimates(Estimates):
    """The slope gamma of log E[S|D] on log D, beside that of one permuted replicate; ``passed``: its interval is narrow."""

    gamma: Estimate
    r2: float
    passed: bool
    found: Crackling = field(repr=False)

    def headline(self) -> str:
        """Return the estimator and its data in one line."""
        used = f"{len(self.found.durations)} durations, {int(self.found.n.sum())} avalanches"
        return f"Crackling: E[S|D] ~ D^gamma on {used}, r2 {self.r2:.4g}"

    def points(self) -> pd.DataFrame:
        """Return the points that the slope rests on: duration, n avalanches, mean_size."""
        found = self.found
        return pd.DataFrame({"duration": found.durations, "n": found.n, "mean_size": found.mean_size})


@dataclass(frozen=True, eq=False, repr=False)
class ExponentEstimates(Estimates):
    """Exponents of sizes and durations and the relation that ties them at criticality, each beside a permuted replicate's.

    tau_S, alpha_D and gamma_uncensored are of the avalanches that touch no edge; gamma_pred = (alpha_D - 1)/(tau_S - 1);
    dcc = |gamma_uncensored - gamma_pred|.
    """

    tau_S: Estimate
    alpha_D: Estimate
    gamma: Estimate
    gamma_uncensored: Estimate
    gamma_pred: Estimate
    dcc: Estimate
    real: Exponents = field(repr=False)
    permuted: Exponents = field(repr=False)

    def headline(self) -> str:
        """Return the estimator and its data in one line."""
        real = self.real
        return (
            f"Exponents of {real.n_avalanches} avalanches, {real.n_uncensored} of them touch no edge; "
            f"supports from S = {real.size_scan.xmin}, D = {real.duration_scan.xmin}; null: a permuted replicate, same supports"
        )


def avalanches(x: EventsLike, *, adjacency: str = Adjacency.ADJ_4N) -> AvalancheSet:
    """Find avalanches: connected components of occupied sites over (time, layer) within a sequence.

    x: anything ``event_counts`` takes. A single row has no edge in depth, so there avalanches are runs of active bins.

    Raises:
        DataError: as ``event_counts``, or too many avalanches in a sequence.
        ParamsError: an unknown adjacency.
    """
    events, kind = event_counts(x), identifier(Adjacency, adjacency, "adjacency")
    return AvalancheSet(find_avalanches(events.for_avalanches(), events.seq_id, kind), events, kind)


def crackling(
    x: EventsLike | AvalancheSet,
    *,
    adjacency: str | None = None,
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.BOOTSTRAP_SEED,
) -> CracklingEstimates:
    """Estimate how the mean size of avalanches grows with their duration, over durations CRACKLING_D_RANGE.

    Noise has such a slope too, so compare it with the null. The interval resamples sequences. adjacency and errors: as
    ``exponents``.
    """
    real, permuted, weights = _beside_null(x, adjacency, bootstrap_reps, seed)
    of_real = estimate_crackling(real.sample(), weights)
    of_null = estimate_crackling(permuted.sample(), weights, among=of_real.durations)
    gamma = _slope(of_real, of_null, one=len(real.events) == 1)
    return CracklingEstimates(gamma, of_real.r2, of_real.passed, of_real)


def exponents(
    x: EventsLike | AvalancheSet,
    *,
    adjacency: str | None = None,
    size_def: str = SizeDef.SIZE_EVENTS,
    bootstrap_reps: int = _CONST.BOOTSTRAP_REPS,
    seed: int = _CONST.BOOTSTRAP_SEED,
) -> ExponentEstimates:
    """Estimate tau_S, alpha_D, gamma and the scaling relation, with intervals over resampled sequences.

    Supports start where the Kolmogorov-Smirnov distance is least and end at the largest value that the lattice allows.
    A number that the sample does not support is NaN, with the reason. adjacency: by default ADJ_4N, or that of the
    ``AvalancheSet`` given.

    Raises:
        DataError: as ``avalanches``.
        ParamsError: an unknown identifier, another adjacency than the avalanches given have, or fewer than two replicates.
    """
    kind = identifier(SizeDef, size_def, "size_def")
    real, permuted, weights = _beside_null(x, adjacency, bootstrap_reps, seed)
    lattice = real.events.lattice
    of_real = estimate_exponents(real.sample(kind), weights, lattice=lattice, size_def=kind)
    of_null = estimate_exponents(permuted.sample(kind), weights, lattice=lattice, size_def=kind, like=of_real)
    one = len(real.events) == 1
    return ExponentEstimates(
        tau_S=_resampled(of_real.tau_S, of_null.tau_S, of_real.size_scan.reason, of_null.size_scan.reason, one=one),
        alpha_D=_resampled(
            of_real.alpha_D, of_null.alpha_D, of_real.duration_scan.reason, of_null.duration_scan.reason, one=one
        ),
        gamma=_slope(of_real.crackling, of_null.crackling, one=one),
        gamma_uncensored=_slope(of_real.gamma, of_null.gamma, one=one),
        gamma_pred=_resampled(
            of_real.gamma_pred, of_null.gamma_pred, of_real.relation_reason, of_null.relation_reason, one=one
        ),
        dcc=_resampled(of_real.dcc, of_null.dcc, of_real.relation_reason, of_null.relation_reason, one=one),
        real=of_real,
        permuted=of_null,
    )


def _beside_null(
    x: EventsLike | AvalancheSet, adjacency: str | None, bootstrap_reps: int, seed: int
) -> tuple[AvalancheSet, AvalancheSet, Ints]:
    """Return the avalanches, those of a permuted replicate, and the bootstrap's weights [R, N]."""
    enough(bootstrap_reps=bootstrap_reps)
    whole(seed, "seed", least=None)
    if isinstance(x, AvalancheSet):
        if adjacency not in (None, x.adjacency):
            raise ParamsError(
                f"adjacency: these avalanches were found with {x.adjacency}; give the events to have {adjacency}"
            )
        real = x
    else:
        real = avalanches(x, adjacency=Adjacency.ADJ_4N if adjacency is None else adjacency)
    permuted = avalanches(null_replicate(real.events), adjacency=real.adjacency)
    return real, permuted, multinomial_weights(len(real.events), bootstrap_reps, seed)


def _resampled(
    real: ResampledEstimate, null: ResampledEstimate, reason: str, null_reason: str, *, one: bool
) -> Estimate:
    why = reason if np.isnan(real.value) or np.isnan(real.interval[0]) else _of_null(null.value, null_reason)
    return _without_interval(Estimate(real.value, *real.interval, null.value, reason=why), one)


def _slope(real: Crackling, null: Crackling, *, one: bool) -> Estimate:
    why = real.reason or _of_null(null.gamma, null.reason)
    return _without_interval(Estimate(real.gamma, real.ci_low, real.ci_high, null.gamma, reason=why), one)


def _of_null(value: float, reason: str) -> str:
    return f"null: {reason}" if np.isnan(value) else ""


def _without_interval(found: Estimate, one: bool) -> Estimate:
    """Return an estimate without interval for one sequence: resampled it is itself, and a width of zero means nothing."""
    if not one or np.isnan(found.value):
        return found
    return Estimate(found.value, null=found.null, reason=found.reason or "one sequence: no interval")
