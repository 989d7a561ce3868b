"""What a criterion is judged on, and how its clauses make a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from critnb.canon import CANON
from critnb.criticality.verdicts.chi_peak import ChiPeak
from critnb.criticality.verdicts.family import NullTest
from critnb.gates import Verdict

_CONST = CANON.CONST
# the two ends of an interval, NaN where it is not available
Ends = tuple[float, float]
NO_INTERVAL: Ends = (float("nan"), float("nan"))
# the name in ``Case.reasons`` under which b_tot, its excess over the nulls and their intervals have their reason
BRANCHING = "b_tot"
# Gains and distances are decimal fractions: 1.2 - 1.0 must not miss 0.2 by a rounding error.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class BranchingByIntervention:
    """Branching by intervention at g*: sigma_depth pooled over layers, minus that of as many random units, and its interval.

    Events that vanish in the next layer minus those that appear, per event put out; p: one-sided, that it is above zero. NaN
    where not available, and then ``reason`` says why. windows: how many have random signs, 0 where that is not known.
    """

    sigma_depth: float
    ci: Ends
    p: float = float("nan")
    reason: str = ""
    windows: int = 0


@dataclass(frozen=True)
class Case:
    """Everything that is judged for one spike definition and rate.

    row: the statistics of table T01 at g*, and of T05 where a criterion needs them; excess: that of b_tot over each raster
    null with its one-sided p, by the null's noun; reasons: by the name of a statistic, why it is not available; other_gstar:
    g* of the other spike definition at the same rate, NaN where there is none; same_events: whether both definitions give the
    same raster at every gain of the grid; sites_apart: how many of the n_sites sites differ between them at g*; n_layers
    and n_tokens: the lattice; knock_out: at g*, None where none were run; null_replicates: the fewest behind a p of ``excess``,
    0 where that is not known.
    """

    row: Mapping[str, float]
    excess: Mapping[str, tuple[float, float]]
    gstar: float
    peak: ChiPeak
    reasons: Mapping[str, str]
    other_gstar: float
    same_events: bool = False
    sites_apart: float = float("nan")
    n_sites: int = 0
    n_layers: int = 0
    n_tokens: int = 0
    knock_out: BranchingByIntervention | None = None
    null_replicates: int = 0

    def __getitem__(self, name: str) -> float:
        return float(self.row.get(name, float("nan")))

    def interval(self, stem: str) -> Ends:
        """Return the ends of a statistic's interval."""
        return self[f"{stem}_ci_low"], self[f"{stem}_ci_high"]


@dataclass(frozen=True)
class Clause:
    """One demand of a gate: whether it is met, None where that is not known, and words that say so."""

    met: bool | None
    words: str


def decide(clauses: Sequence[Clause]) -> tuple[Verdict, str]:
    """Return the verdict on clauses that must all be met, and the words of those that decided it.

    One unknown clause makes the whole not available: what is missing neither supports nor refutes.
    """
    unknown = [clause.words for clause in clauses if clause.met is None]
    if unknown:
        # what is missing first makes the clauses after it unknown too
        return Verdict.NOT_AVAILABLE, unknown[0]
    failed = [clause.words for clause in clauses if not clause.met]
    verdict = Verdict.FAIL if failed else Verdict.PASS
    return verdict, "; ".join(failed or [clause.words for clause in clauses])


def available(case: Case, stem: str, value: float, ci: Ends) -> Clause:
    """Return the clause that a statistic and its interval are available; the estimator's own reason where they are not."""
    if np.isnan([value, *ci]).any():
        return Clause(None, case.reasons.get(stem) or "the number or its interval is not available")
    return Clause(True, f"{_number(value)} {interval_words(ci)}")


def within(name: str, value: float, target: float, limit: float, *, missing: str = "") -> Clause:
    """Return the clause that a value lies within ``limit`` of a target; ``missing`` says why one is not available."""
    if np.isnan([value, target]).any():
        return Clause(None, missing or f"{name} is not available")
    met = abs(value - target) <= limit + _ROUNDING
    return Clause(met, f"{name} {_number(value)} is {'' if met else 'not '}within {limit:g} of {_number(target)}")


def narrow(ci: Ends) -> Clause:
    """Return the clause that an interval is no wider than BOOTSTRAP_CI_WIDTH_MAX and not of width zero."""
    width, limit = ci[1] - ci[0], _CONST.BOOTSTRAP_CI_WIDTH_MAX
    if np.isnan(width):
        return Clause(None, "there is no interval")
    if width == 0:
        return Clause(False, "the interval has width zero")
    met = width <= limit
    return Clause(met, f"the interval is {width:.2f} wide" + ("" if met else f", over {limit:g}"))


def above(name: str, ci: Ends, other: Ends, missing: str) -> Clause:
    """Return the clause that an interval lies above another; ``missing`` says why there is nothing to compare."""
    return _beside(name, ci, other, missing, side="above", met=ci[0] > other[1])


def below(name: str, ci: Ends, other: Ends, missing: str) -> Clause:
    """Return the clause that an interval lies below another; ``missing`` says why there is nothing to compare."""
    return _beside(name, ci, other, missing, side="below", met=ci[1] < other[0])


def _beside(name: str, ci: Ends, other: Ends, missing: str, *, side: str, met: bool) -> Clause:
    if np.isnan([*ci, *other]).any():
        return Clause(None, missing)
    return Clause(met, f"{name} {interval_words(ci)} is {'' if met else 'not '}{side} {interval_words(other)}")


def missing_excess(case: Case) -> list[Clause]:
    """Return the unknown clause that a raster null has no comparison with b_tot; nothing where all have."""
    without = [noun for noun, found in case.excess.items() if np.isnan(found).any()]
    return [Clause(None, case.reasons.get(BRANCHING) or f"no comparison with the {noun}") for noun in without[:1]]


def exceeds_nulls(case: Case) -> NullTest | None:
    """Return the test that b_tot exceeds every raster null; None where it has no comparison with one.

    It does where it exceeds each, so the largest p decides (an intersection-union test: Berger 1982, Technometrics 24, 295).
    """
    if not case.excess or missing_excess(case):
        return None
    noun, (delta, p) = max(case.excess.items(), key=lambda each: (each[1][1], -each[1][0]))
    words, n = f"excess over the {noun} {delta:.3f}", case.null_replicates
    return NullTest("b_tot over every raster null", p, words, least_p(n), f"{n} replicates of the nulls")


def least_p(replicates: int) -> float:
    """Return the smallest p of a value among replicates of a null, 0 where their number is not known."""
    return 1 / (replicates + 1) if replicates else 0.0


def interval_words(ci: Ends) -> str:
    """Return an interval in brackets, to three decimals."""
    return f"[{ci[0]:.3f}, {ci[1]:.3f}]"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
