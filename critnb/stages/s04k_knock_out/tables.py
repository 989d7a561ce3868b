"""T10 and gates of S04K from what its forward passes counted: knock-outs and the growth of disturbances. No model, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, GCondition, Intervention, SpikeDef, Stage
from critnb.criticality.bootstrap import between_windows, multinomial_weights, percentile_interval
from critnb.criticality.branching import branching_sums, expected_under_permutation
from critnb.criticality.knock_outs import KnockOutSummary, KnockOutSums, Ratio, Variant, summarise_knock_outs
from critnb.criticality.stability import summarise_stability
from critnb.gates import Gate
from critnb.lattice import Raster
from critnb.pipeline.artifacts import load_raster
from critnb.pipeline.session import StageSession
from critnb.report.assembly import finished
from critnb.report.provenance import Provenance
from critnb.report.schema import T10
from critnb.report.tables import write_table
from critnb.runs import Run
from critnb.stages.s02b_select_gstar.work import load_gstar
from critnb.stages.s04k_knock_out.counted import Counted, Key, key_of, load_counted, save_counted, sums_by_condition

_BASELINE = CANON.CONST.GAIN_BASELINE
_OUT = CANON.OUTPUT
# nats per layer; growths of two steps differ by more where perturbations are not small
_STEP_DEVIATION_MAX = 0.01
# columns of T10 by their fields of KnockOutSummary
_RATIOS = {
    "sigma_depth": "sigma_depth",
    "sigma_depth_places": "at_places",
    "offspring": "offspring",
    "offspring_places": "offspring_at_places",
    "lost_share": "lost_share",
    "new_share": "new_share",
    "causal_share": "causal_share",
}


def chosen_raster(stage: StageSession) -> Raster:
    """Return S03's raster of the conditions and windows that are knocked out, conditions in the order of T10's rows.

    Of each spike definition and rate the conditions at g1 and g*, one where they are the same; the first
    ``knock_outs.windows`` windows, or all where there are fewer.
    """
    raster = load_raster(stage.upstream(Stage.S03))
    wanted = [
        cond_id
        for (spike_def, rate), gain in load_gstar(stage.upstream(Stage.S02B)).items()
        for each in dict.fromkeys((_BASELINE, gain))
        for cond_id in raster.conditions.where(
            intervention_id=Intervention.MLP_GLOBAL, spike_def_id=SpikeDef(spike_def), target_rate=rate, gain=each
        )
    ]
    windows = slice(stage.params.knock_outs.windows)
    chosen = raster.take(wanted)
    return Raster(chosen.counts[:, windows], chosen.conditions, chosen.seq_id[windows])


def exponents(stability: pd.DataFrame, weights: NDArray[np.int64]) -> pd.DataFrame:
    """Return a row per gain: the Lyapunov exponent along depth in nats per layer with its interval, its reason, and checks.

    ``beyond_first``, ``spread`` and ``step_deviation`` are those of ``StabilitySummary``.
    """
    rows = []
    for gain, of_gain in stability.groupby("gain", sort=True):
        n_windows, n_layers = of_gain["seq_id"].nunique(), of_gain["layer"].nunique()
        narrow, wide = (of_gain.loc[of_gain["is_wide"] == which, "log_growth"].to_numpy() for which in (False, True))
        found = summarise_stability(narrow.reshape(n_windows, -1, n_layers), wide.reshape(n_windows, n_layers), weights)
        of_all, later = found.exponent, found.beyond_first
        values = (of_all.value, of_all.low, of_all.high, later.value, later.low, later.high)
        rows.append((gain, *values, found.spread, found.step_deviation, of_all.reason))
    numbers = ["g", *_named("lyapunov"), *_named("beyond_first"), "spread", "step_deviation"]
    return pd.DataFrame(rows, columns=[*numbers, "lyapunov_reason"]).astype(dict.fromkeys(numbers, np.float64))


def _named(name: str) -> tuple[str, str, str]:
    return name, f"{name}_ci_low", f"{name}_ci_high"


@dataclass(frozen=True, eq=False)
class KnockOutResult:
    """What the notebook shows and figures are drawn from: T10, exponents by gain, and the summary of each condition."""

    t10: pd.DataFrame
    exponents: pd.DataFrame
    summaries: Mapping[Key, KnockOutSummary]
    counted: Counted
    provenance: Provenance


def tabulate(stage: StageSession, counted: Counted, provenance: Provenance) -> KnockOutResult:
    """Write what the forward passes gave and table T10, and return them with what else follows from them."""
    save_counted(stage, counted)
    raster = chosen_raster(stage)
    weights = _weights(stage, raster)
    sums = sums_by_condition(counted.knock_outs, raster)
    summaries = {
        key: summarise_knock_outs(each, weights, seed=stage.params.nulls.seed, window_ids=raster.seq_id)
        for key, each in sums.items()
    }
    growth = exponents(counted.stability, weights)
    rows = _rows(raster, summaries, weights, load_gstar(stage.upstream(Stage.S02B)), counted.reason)
    of_gain = growth[["g", *_named("lyapunov"), "lyapunov_reason"]]
    rows = rows.merge(of_gain, on="g", how="left", validate="many_to_one")
    rows["lyapunov_reason"] = rows["lyapunov_reason"].fillna(counted.reason)
    t10 = finished(rows, T10, provenance)
    write_table(stage.run, T10.name, t10)
    stage.conditions(raster.conditions.to_frame())
    return KnockOutResult(t10, growth, summaries, counted, provenance)


def _weights(stage: StageSession, raster: Raster) -> NDArray[np.int64]:
    analysis = stage.params.analysis
    return multinomial_weights(len(raster.seq_id), analysis.bootstrap_reps, analysis.bootstrap_seed)


def _rows(
    raster: Raster,
    summaries: Mapping[Key, KnockOutSummary],
    weights: NDArray[np.int64],
    gstar: Mapping[tuple[str, float], float],
    reason: str,
) -> pd.DataFrame:
    of_raster = _raster_columns(raster, weights)
    rows = []
    for (spike_def, rate), gain in gstar.items():
        for g_condition, g in ((GCondition.g1, _BASELINE), (GCondition.gstar, gain)):
            key = spike_def, rate, g
            identity = {"spike_def_id": spike_def, "target_rate": rate, "g_condition": str(g_condition), "g": g}
            rows.append({**identity, **of_raster[key], **_columns(summaries.get(key), reason)})
    first = raster.conditions[0]
    return pd.DataFrame(rows).assign(
        model_role=str(first.model_role), dataset_role=str(first.dataset_role), n_sequences=len(raster.seq_id)
    )


def _columns(found: KnockOutSummary | None, reason: str) -> dict[str, Any]:
    """Return the columns of a condition's summary; of none, the reason why there is none."""
    missing = Ratio(float("nan"), reason=reason)
    columns: dict[str, Any] = {}
    for column, name in _RATIOS.items():
        ratio = missing if found is None else getattr(found, name)
        columns |= {column: ratio.value, f"{column}_ci_low": ratio.low, f"{column}_ci_high": ratio.high}
    if found is None:
        return columns | {
            "sigma_depth_p": float("nan"),
            "events_out": 0,
            "reason": reason,
            "causal_share_reason": reason,
        }
    return columns | {
        "sigma_depth_p": found.p_value,
        "events_out": found.events_out,
        "reason": found.sigma_depth.reason,
        "causal_share_reason": found.causal_share.reason,
    }


def _raster_columns(raster: Raster, weights: NDArray[np.int64]) -> dict[Key, dict[str, float]]:
    """Return b_depth and its excess over the permutation's closed form on the same windows, of each condition."""
    found = {}
    for condition, counts in zip(raster.conditions, raster.counts, strict=True):
        real, expected = branching_sums(counts), expected_under_permutation(counts)
        b_depth = float(real.pooled().b_depth)
        columns = {"b_depth": b_depth, "delta_b_depth": b_depth - float(expected.pooled().b_depth)}
        resampled = real.weighted(weights).b_depth - expected.weighted(weights).b_depth
        interval = percentile_interval(between_windows(resampled, weights))
        ends = {"delta_b_depth_ci_low": float(interval.low), "delta_b_depth_ci_high": float(interval.high)}
        found[key_of(condition)] = columns | ends
    return found


def retabulate(stage: StageSession, run: Run) -> None:
    """Write T10 again from the counts of a finished run of S04K and the raster of S03."""
    tabulate(stage, load_counted(run), Provenance.of(stage.run, run.record.model))


def gates(stage: StageSession) -> list[Gate]:
    """Return the gates of S04K: the base pass gives the kept raster, events were put out, controls put out as many."""
    counted, raster = load_counted(stage.own), chosen_raster(stage)
    sums = sums_by_condition(counted.knock_outs, raster)
    weights = _weights(stage, raster)
    return [
        _same_raster(raster, sums, counted.reason),
        _put_out(sums, counted.reason),
        _controls(sums, counted.reason),
        _small(exponents(counted.stability, weights), counted.reason),
    ]


def _small(growth: pd.DataFrame, reason: str) -> Gate:
    deviation = float(growth["step_deviation"].max()) if growth["step_deviation"].notna().all() else float("nan")
    return Gate.judge(
        "disturbances are small",
        passed=deviation <= _STEP_DEVIATION_MAX,
        value=deviation,
        condition=f"their growth with another step within {_STEP_DEVIATION_MAX:g} nats per layer, at every gain",
        reason=reason or next((words for words in growth["lyapunov_reason"] if words), ""),
    )


def _same_raster(raster: Raster, sums: Mapping[Key, KnockOutSums], reason: str) -> Gate:
    apart = sum(
        int(np.count_nonzero(_layer_counts(sums[key]) != counts.sum(axis=-1, dtype=np.int64)))
        for condition, counts in zip(raster.conditions, raster.counts, strict=True)
        if (key := key_of(condition)) in sums
    )
    n_counts = len(sums) * raster.counts[0, ..., 0].size
    return Gate.judge(
        "base pass gives the kept raster",
        passed=apart == 0 if sums else None,
        value=f"{n_counts - apart} of {n_counts} counts",
        condition=f"the events of every window and layer are those of {Stage.S03}",
        reason=reason
        or (f"set knock_outs.windows to whole batches of {Stage.S03}, which sum in the same order" if apart else ""),
    )


def _layer_counts(sums: KnockOutSums) -> NDArray[np.int64]:
    """Return the events [N, L] of the base pass."""
    return np.concatenate([sums.out[Variant.EVENTS], sums.events_next[:, -1:]], axis=1)


def _put_out(sums: Mapping[Key, KnockOutSums], reason: str) -> Gate:
    fewest = min((int(each.out[Variant.EVENTS].sum()) for each in sums.values()), default=0)
    return Gate.judge(
        "events put out in every condition",
        passed=fewest > 0 if sums else None,
        value=f"fewest {fewest}",
        condition="at least one event below the last layer",
        reason=reason,
    )


def _controls(sums: Mapping[Key, KnockOutSums], reason: str) -> Gate:
    events = sum(int(each.out[Variant.EVENTS].sum()) for each in sums.values())
    apart = sum(
        int(np.abs(each.out[variant] - each.out[Variant.EVENTS]).sum())
        for each in sums.values()
        for variant in (Variant.RANDOM_UNITS, Variant.RANDOM_PLACES)
    )
    return Gate.judge(
        "controls put out as many",
        passed=apart == 0 if events else None,
        value=f"{apart} units apart from {events} events",
        condition="random units and random places as many as events, in every window and layer",
        reason=reason or ("some sites or units have too few others to choose from" if apart else ""),
    )
