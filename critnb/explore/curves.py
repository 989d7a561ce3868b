"""The numbers of the panels beside the raster: branching over the gain, and sizes with the laws fitted to their tail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, NullId, SizeDef
from critnb.criticality import Branching, branching_sums, find_avalanches
from critnb.criticality.tails import Histogram
from critnb.errors import CritnbError, DependencyError
from critnb.explore.state import ExplorerState

_TAU_COLUMNS = ("tau_S", "tau_S_ci_low", "tau_S_ci_high", "xmin_S")
_NO_NUMBERS = float("nan")
_SHUFFLED = "opt_b_tot_token_shuffle"
QUANTITIES = ("b_time", "b_depth", "b_tot")


@dataclass(frozen=True, eq=False)
class BranchingCurves:
    """One spike definition and rate: ``rows`` of T01 by gain (or of S03's metrics, which have no null and no intervals).

    ``here`` is the selected condition's own branching and ``null_here`` that of its selected null, NaN where there is none,
    ``gain`` where they lie; ``missing`` says what is not available.
    """

    rows: pd.DataFrame
    gain: float
    here: Mapping[str, float]
    null_here: Mapping[str, float]
    gstar: float | None
    missing: str = ""


def branching_curves(state: ExplorerState) -> BranchingCurves:
    """Return the curves around the selection."""
    key = ("branching", state.selection.condition, state.selection.null_id)
    return state.keep(key, lambda: _branching_curves(state))


def _branching_curves(state: ExplorerState) -> BranchingCurves:
    missing = ""
    try:
        rows = state.chain.table(CANON.TABLE.T01_SUMMARY)
    except DependencyError as error:
        metrics = state.chain.metrics
        rows = metrics[metrics["intervention_id"] == str(Intervention.MLP_GLOBAL)].rename(columns={"gain": "g"})
        missing = f"no intervals and no null: {error}"
    rows = _of_condition(state, rows, any_gain=True).sort_values("g")
    return BranchingCurves(
        rows, state.selection.condition.gain, _ratios(state.branching), _null_here(state, rows), state.gstar(), missing
    )


def _null_here(state: ExplorerState, rows: pd.DataFrame) -> dict[str, float]:
    """Return the selected null's branching from its raster; without one, b_tot under shuffled tokens from T01."""
    try:
        return _ratios(branching_sums(state.null_counts()).pooled())
    except CritnbError:
        # the raster panel says so
        found = dict.fromkeys(QUANTITIES, _NO_NUMBERS)
    condition, null_id = state.selection.condition, state.selection.null_id
    if null_id is NullId.NULL_TOKEN_SHUFFLE_INPUT and condition.intervention_id is Intervention.MLP_GLOBAL:
        at_gain = rows[rows["g"] == condition.gain]
        found["b_tot"] = float(at_gain.get(_SHUFFLED, pd.Series(dtype=float)).max())
    return found


def _ratios(branching: Branching) -> dict[str, float]:
    return {name: float(getattr(branching, name)) for name in QUANTITIES}


@dataclass(frozen=True)
class Exponent:
    """An exponent with its interval, of the sizes from ``xmin`` on; NaN where it could not be estimated."""

    value: float
    low: float
    high: float
    xmin: float


@dataclass(frozen=True, eq=False)
class SizeCurves:
    """Sizes of all avalanches of a condition and of its null (None where there is none), and T04's row of fits.

    ``tau`` are the uncensored avalanches' exponents of T09, real and permuted; ``missing`` says which fits are not available.
    """

    real: Histogram
    null: Histogram | None
    fit: Mapping[str, float] = field(default_factory=dict)
    tau: Mapping[NullId, Exponent] = field(default_factory=dict)
    missing: str = ""

    def __getitem__(self, name: str) -> float:
        return self.fit.get(name, _NO_NUMBERS)

    @property
    def alpha(self) -> Exponent:
        """The power law's exponent of all avalanches, of T04."""
        name = "alpha_powerlaw"
        return Exponent(self[name], self[f"{name}_ci_low"], self[f"{name}_ci_high"], self["xmin"])

    @property
    def fitted(self) -> bool:
        """Whether T04 has a power law of this condition."""
        return bool(np.isfinite(self["alpha_powerlaw"]) and self["xmin"] >= 1)


def size_curves(state: ExplorerState) -> SizeCurves:
    """Return the size distribution of the selection."""
    key = ("size curves", state.selection.condition, state.selection.null_id)
    return state.keep(key, lambda: _size_curves(state))


def _size_curves(state: ExplorerState) -> SizeCurves:
    missing: list[str] = []
    null: Histogram | None
    try:
        null = _sizes(state, null=True)
    except CritnbError:
        # the raster panel says so
        null = None
    fit: Mapping[str, float] = {}
    tau: Mapping[NullId, Exponent] = {}
    if state.selection.condition.intervention_id is not Intervention.MLP_GLOBAL:
        missing.append(f"no fits: tails are fitted under {Intervention.MLP_GLOBAL}")
    else:
        try:
            fit, tau = _fit(state), _tau(state)
        except CritnbError as error:
            missing.append(f"no fits: {error}")
    return SizeCurves(_sizes(state, null=False), null, fit, tau, "; ".join(missing))


def _sizes(state: ExplorerState, *, null: bool) -> Histogram:
    raster = state.chain.raster
    counts = state.null_counts() if null else raster.counts[state.cond_id]
    key = ("sizes", state.selection.condition, state.selection.null_id if null else None)
    return state.keep(key, lambda: Histogram.of(find_avalanches(counts, raster.seq_id, state.chain.adjacency).size))


def _fit(state: ExplorerState) -> dict[str, float]:
    rows = _of_condition(state, state.chain.table(CANON.TABLE.T04_TAIL_FITS))
    if not len(rows):
        return {}
    numbers = {str(name): float(value) for name, value in rows.iloc[0].items() if isinstance(value, int | float)}
    # the columns of S, whether optional or not, by one name
    return {name.removeprefix("opt_"): value for name, value in numbers.items() if not name.startswith("opt_D_")}


def _tau(state: ExplorerState) -> dict[NullId, Exponent]:
    rows = _of_condition(state, state.chain.table(CANON.TABLE.T09_EXPONENTS))
    rows = rows[(rows["adjacency"] == str(state.chain.adjacency)) & (rows["size_def"] == str(SizeDef.SIZE_EVENTS))]
    return {
        NullId(row["null_id"]): Exponent(*(float(row[name]) for name in _TAU_COLUMNS)) for _, row in rows.iterrows()
    }


def _of_condition(state: ExplorerState, table: pd.DataFrame, *, any_gain: bool = False) -> pd.DataFrame:
    """Return the rows of the selected spike definition and target rate, and of its gain unless ``any_gain``."""
    condition = state.selection.condition
    kept = table["spike_def_id"].astype(str).eq(str(condition.spike_def_id))
    kept &= table["target_rate"].eq(condition.target_rate)
    return table[kept if any_gain else kept & table["g"].eq(condition.gain)]
