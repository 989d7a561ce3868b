"""The conditions of a stage: the passes under each setting, the raster of their counts, and the rates in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, DatasetRole, Intervention, ModelRole, NullId, SliceRole, SpikeDef
from critnb.gates import Gate
from critnb.lattice import Condition, ConditionTable, HeldPlanes, Raster
from critnb.stages.shared.shards import mapped

# which brings torch along, and tables are made again without it
if TYPE_CHECKING:
    from critnb.model.elsewhere import Passes
    from critnb.model.forward import ForwardPasses, Setting
    from critnb.model.shards import Shard
    from critnb.pipeline.session import Arrays, StageSession

EVENT_KEYS = ["intervention_id", "gain", "spike_def_id", "target_rate"]


@dataclass(frozen=True)
class UnderSetting:
    """What passes under one setting gave: counts of its conditions, spike definitions outer, rates inner, and other arrays."""

    counts: HeldPlanes
    others: Arrays

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """Hold the ``counts`` [D, R, N, L, T] among ``arrays`` a condition at a time."""
        return cls(held(arrays["counts"]), {name: array for name, array in arrays.items() if name != "counts"})


def held(counts: NDArray[np.uint16]) -> HeldPlanes:
    """Hold the counts [D, R, N, L, T] of a setting a condition at a time."""
    planes = counts.reshape(-1, *counts.shape[2:])
    return HeldPlanes.of(planes, planes.shape[1:])


def passes_under(
    stage: StageSession,
    verb: str,
    settings: Iterable[Setting],
    n_windows: int,
    work: Callable[[ForwardPasses, Shard], Any],
    *,
    passes: Passes,
    join: Callable[[Sequence[Any]], Arrays],
) -> list[UnderSetting]:
    """Return what ``work`` finds under each setting, its shards joined; ``verb`` says what it does in progress bars.

    ``work`` gives counts [D, R, N, L, T] and what else it finds.
    A finished setting survives an interruption as a checkpoint. Settings under which the model does the same share one pass.
    """
    from critnb.model.shards import shards_of

    wanted = list(settings)
    run: dict[Setting, Setting] = {}
    for setting in wanted:
        run.setdefault(setting.in_effect(), setting)
    name = verb.replace(" ", "_")
    names = {setting: f"{name}_{setting.intervention}_gain_{setting.gain:g}" for setting in run.values()}
    batch = passes.batch_windows(stage.params.windows.seq_len)
    shards = shards_of(names, n_windows, batch=batch, workers=stage.engine.passes_at_once())
    steps = {name: shards[setting] for setting, name in names.items()}
    found = mapped(stage, verb, work, steps, passes=passes, each=n_windows, join=join, keep=UnderSetting.of)
    return [found[names[run[setting.in_effect()]]] for setting in wanted]


def conditions_of(
    settings: Iterable[Setting],
    *,
    model_role: ModelRole,
    spike_defs: Sequence[SpikeDef],
    rates: Sequence[float],
    dataset_role: DatasetRole = DatasetRole.A,
    null_id: NullId = NullId.NULL_NONE,
) -> ConditionTable:
    """Return the conditions of a data set under each setting: spike definitions outer, rates inner."""
    return ConditionTable(
        Condition(model_role, dataset_role, spike_def, rate, setting.gain, setting.intervention, null_id)
        for setting in settings
        for spike_def in spike_defs
        for rate in rates
    )


def raster_of(
    found: Sequence[HeldPlanes],
    conditions: ConditionTable,
    seq_id: NDArray[np.int32],
    tokens: NDArray[np.int64] | None = None,
) -> Raster:
    """Return the raster of the counts found under each setting; of windows' ``tokens`` [N, burn-in + T] the last T are its."""
    counts = HeldPlanes.joined(found)
    of_sites = None if tokens is None else tokens[:, tokens.shape[1] - counts.shape[-1] :].astype(np.int32)
    return Raster(counts, conditions, seq_id, of_sites)


def layer_rates(raster: Raster, n_units: int, *, suffix: str) -> pd.DataFrame:
    """Return, per condition and layer, the events and their rate, as columns ``events`` and ``achieved_rate`` + suffix."""
    _, n_sequences, n_layers, n_tokens = raster.counts.shape
    events = raster.counts.sum(axis=(1, 3), dtype=np.int64)  # [C, L]
    frame = raster.conditions.to_frame()[EVENT_KEYS]
    rates = frame.loc[frame.index.repeat(n_layers)].reset_index(drop=True)
    rates["layer"] = pd.Series(list(range(n_layers)) * len(frame), dtype="int32")
    rates[f"events{suffix}"] = events.ravel()
    rates[f"achieved_rate{suffix}"] = events.ravel() / (n_sequences * n_tokens * n_units)
    return rates


def mark(metrics: pd.DataFrame, gstar: Mapping[tuple[str, float], float]) -> pd.DataFrame:
    """Return metrics with is_g1 and is_gstar."""
    chosen = [gstar[key] for key in zip(metrics["spike_def_id"], metrics["target_rate"], strict=True)]
    is_global = metrics["intervention_id"] == str(Intervention.MLP_GLOBAL)
    return metrics.assign(
        is_g1=is_global & (metrics["gain"] == CANON.CONST.GAIN_BASELINE), is_gstar=metrics["gain"] == chosen
    )


def events_gate(raster: Raster, slice_role: SliceRole) -> Gate:
    """Return the gate that every condition of a slice's raster has events to analyse."""
    events = raster.counts.sum(axis=(1, 2, 3), dtype=np.int64)
    empty = np.flatnonzero(events == 0)
    return Gate.judge(
        "events in every condition",
        passed=not len(empty),
        value=f"fewest {events.min()}",
        condition=f"at least one event on {slice_role}",
        reason=f"none in condition {empty[0]}" if len(empty) else "",
    )
