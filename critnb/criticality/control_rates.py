"""How often each criterion passes on the controls: counts of judged rasters, their rates, and the table of the pack.

A rate is a share of all rasters, so that a criterion that is not available on a raster does not pass on it: no false alarm on a
negative control, and no detection on a positive one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from critnb.canon import CANON, ControlId, Criterion, CriterionKind, NullId, pack_path
from critnb.criticality.synthetic import CONTROLS, NETWORKS, described
from critnb.criticality.verdicts.needs import NOT_OF_A_RASTER
from critnb.gates import Verdict
from critnb.lattice import RASTER_NULLS

Floats = npt.NDArray[np.float64]
# the outcome of one raster by criterion, and by raster null whether b_tot exceeds it at SIGNIFICANCE_LEVEL
Outcomes = Mapping[str, Verdict]

_CONST = CANON.CONST
_LATTICE = ["layers", "tokens", "windows"]
COUNTS = ["control_id", "test", *_LATTICE, "seed", "rasters", "passes", "fails", "not_available", "first"]
NOT_MEASURED = "no raster of this lattice was judged"
NULL = "null"
# what networks are judged by, and lattices cannot be
OF_NETWORKS = str(Criterion.S6_KNOCK_OUT)


@dataclass(frozen=True, order=True)
class LatticeShape:
    """The lattice that controls are judged on: layers L, tokens T and windows N."""

    layers: int
    tokens: int
    windows: int

    def __str__(self) -> str:
        return f"{self.layers} x {self.tokens} x {self.windows}"


@dataclass(frozen=True)
class WorstRates:
    """A criterion's largest rate over the negative controls and least over the positive ones, and on which; NaN where
    there is none."""

    false_alarm: float
    false_alarm_on: str
    detection: float
    detection_on: str


def tally(judged: Mapping[ControlId, Sequence[Outcomes]], shape: LatticeShape, *, seed: int) -> pd.DataFrame:
    """Return COUNTS: how often each test of each control passed, failed and was not available; first: in its first raster."""
    rows = []
    for control_id, outcomes in judged.items():
        for test in outcomes[0] if outcomes else ():
            counted = Counter(one[test] for one in outcomes)
            by_verdict = (counted[verdict] for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE))
            lattice = (shape.layers, shape.tokens, shape.windows, seed, len(outcomes))
            rows.append((str(control_id), str(test), *lattice, *by_verdict, str(outcomes[0][test])))
    return pd.DataFrame(rows, columns=COUNTS).astype(dict.fromkeys(COUNTS[2:-1], "int64"))


def rates(counts: pd.DataFrame, shape: LatticeShape) -> pd.DataFrame:
    """Return one row per control and test, in the registry's order: kind, counts, rate with its 95 % interval, reason.

    counts: COUNTS. positive: whether the control is; kind: that of the criterion, or NULL for a raster null. A test that counts
    lack has no rasters, and its reason says why.
    """
    pairs = [(str(id_), test) for id_ in CONTROLS for test in tests()] + [(str(id_), OF_NETWORKS) for id_ in NETWORKS]
    keys = pd.MultiIndex.from_tuples(pairs, names=["control_id", "test"])
    found = counts.set_index(["control_id", "test"]).reindex(keys).reset_index()
    whole = ["rasters", "passes", "fails", "not_available"]
    found[whole] = found[whole].fillna(0).astype("int64")
    found[_LATTICE] = found[_LATTICE].fillna(dict(zip(_LATTICE, astuple(shape), strict=True))).astype("int64")
    rate, low, high = share_with_interval(found["passes"].to_numpy(), found["rasters"].to_numpy())
    reasons = [_missing(str(test)) if none else "" for test, none in zip(found["test"], rate != rate, strict=True)]
    columns: dict[str, Any] = {
        "control_id": found["control_id"],
        "positive": [described(name).positive for name in found["control_id"]],
        "test": found["test"],
        "kind": [_kind(test) for test in found["test"]],
        "lattice": [str(LatticeShape(*sides)) for sides in found[_LATTICE].to_numpy().tolist()],
        **{name: found[name] for name in whole},
        "rate": rate,
        "rate_ci_low": low,
        "rate_ci_high": high,
        "first": found["first"].fillna("").astype("str"),
        "seed": found["seed"].fillna(_CONST.CONTROL_SEED).astype("int64"),
        "reason": reasons,
    }
    return pd.DataFrame(columns)


def counts_of(rates_: pd.DataFrame, shape: LatticeShape) -> pd.DataFrame:
    """Return COUNTS of what ``rates`` has made of a lattice, the rows without rasters, and of networks, left out."""
    some = rates_[(rates_["rasters"] > 0) & (rates_["test"] != OF_NETWORKS)]
    lattice = dict(zip(_LATTICE, astuple(shape), strict=True))
    return some.assign(**lattice)[COUNTS].reset_index(drop=True)


def tests() -> list[str]:
    """Return what is counted: every criterion, and every null that acts on rasters."""
    return [*map(str, Criterion), *map(str, RASTER_NULLS)]


def _kind(test: str) -> str:
    return str(Criterion(test).kind) if test in set(Criterion) else NULL


def _missing(test: str) -> str:
    if test in set(Criterion):
        return NOT_OF_A_RASTER.get(Criterion(test), NOT_MEASURED)
    return "the lattices hold no tokens" if RASTER_NULLS[NullId(test)].reads_tokens else NOT_MEASURED


def share_with_interval(hits: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return the shares hits / of [K] and the ends of their 95 % intervals; NaN where ``of`` is zero.

    Source: Clopper and Pearson 1934, Biometrika 26, 404: exact, from quantiles of the beta distribution.
    """
    share, low, high = (np.full(len(hits), np.nan) for _ in range(3))
    some = of > 0
    k, n = hits[some].astype(np.float64), of[some].astype(np.float64)
    share[some] = k / n
    # without a hit, or without a miss, the quantile has a parameter of zero and the end is 0, or 1
    low[some] = np.where(k > 0, stats.beta.ppf(0.025, np.maximum(k, 1), n - k + 1), 0.0)
    high[some] = np.where(k < n, stats.beta.ppf(0.975, k + 1, np.maximum(n - k, 1)), 1.0)
    return share, low, high


def worst(rates_: pd.DataFrame, test: str) -> WorstRates:
    """Return the worst rates of one test; no control is named where none gives an alarm, or none is missed."""
    rows = rates_[(rates_["test"] == test) & rates_["rate"].notna()].set_index("control_id")
    negative, positive = (rows.loc[rows["positive"] == kind, "rate"] for kind in (False, True))
    alarm, found = float(negative.max()), float(positive.min())
    return WorstRates(
        alarm, str(negative.idxmax()) if alarm > 0 else "", found, str(positive.idxmin()) if found < 1 else ""
    )


def off_limits(rates_: pd.DataFrame) -> list[str]:
    """Return in words the rates of signatures that are surely beyond what is allowed: the interval leaves the limit out.

    A negative control may pass in CONTROL_FALSE_ALARM_MAX of the rasters, a positive one must in CONTROL_DETECTION_MIN.
    """
    signatures = rates_[rates_["kind"] == str(CriterionKind.SIGNATURE)]
    alarms = signatures[~signatures["positive"] & (signatures["rate_ci_low"] > _CONST.CONTROL_FALSE_ALARM_MAX)]
    missed = signatures[signatures["positive"] & (signatures["rate_ci_high"] < _CONST.CONTROL_DETECTION_MIN)]
    return [f"{row.test} on {row.control_id}: {row.rate:.0%}" for row in [*alarms.itertuples(), *missed.itertuples()]]


def table_path() -> Path:
    """Return where the pack's table of counts lies."""
    return pack_path(CANON.PATH.CONTROL_RATES_TABLE)


@lru_cache(maxsize=1)
def stored_counts() -> pd.DataFrame:
    """Return the pack's table, COUNTS of several lattices, as ``benchmarks/controls.py`` measured them."""
    return pd.read_csv(table_path()) if table_path().is_file() else pd.DataFrame(columns=COUNTS)


def stored(shape: LatticeShape) -> pd.DataFrame:
    """Return COUNTS of one lattice from the pack's table, with no rows where it has none."""
    found = stored_counts()
    here = (found["layers"] == shape.layers) & (found["tokens"] == shape.tokens) & (found["windows"] == shape.windows)
    return found[here & (found["test"] != OF_NETWORKS)].reset_index(drop=True)


def stored_networks() -> pd.DataFrame:
    """Return COUNTS of the toy networks from the pack's table; they have a lattice of their own, whatever the run's."""
    found = stored_counts()
    return found[found["test"] == OF_NETWORKS].reset_index(drop=True)
