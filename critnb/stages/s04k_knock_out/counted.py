"""What the forward passes of S04K counted, as its files hold it: a row per condition or gain, window, layer and variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON
from critnb.criticality.knock_outs import KnockOutSums, Variant
from critnb.lattice import Condition, Raster
from critnb.pipeline.session import StageSession
from critnb.runs import Run

_OUT = CANON.OUTPUT
# where the record says why a model gives neither knock-outs nor disturbances
NOT_AVAILABLE = "knock_outs_not_available"
# spike definition, target rate and gain of a condition
Key = tuple[str, float, float]
Growths = tuple[NDArray[np.float64], NDArray[np.float64]]
_KEYS = ["spike_def_id", "target_rate", "gain"]
_PLACES = ("variant", "seq_id", "layer")
_SHARED = ("events_next", "pairs_before", "expected_before")


@dataclass(frozen=True, eq=False)
class Counted:
    """What the forward passes of S04K gave, and why they gave nothing (else empty).

    knock_outs: rows of knockouts.parquet; stability: of stability.parquet.
    """

    knock_outs: pd.DataFrame
    stability: pd.DataFrame
    reason: str = ""


def save_counted(stage: StageSession, counted: Counted) -> None:
    """Write what the forward passes gave; why they gave nothing goes into the record."""
    stage.save_parquet(_OUT.KNOCKOUTS_PARQUET_BASENAME, counted.knock_outs)
    stage.save_parquet(_OUT.STABILITY_PARQUET_BASENAME, counted.stability)
    stage.summary(**{NOT_AVAILABLE: counted.reason})


def load_counted(run: Run) -> Counted:
    """Return what ``save_counted`` wrote in a run."""
    return Counted(
        run.parquet(run.result(_OUT.KNOCKOUTS_PARQUET_BASENAME)),
        run.parquet(run.result(_OUT.STABILITY_PARQUET_BASENAME)),
        str(run.record.metrics[NOT_AVAILABLE]),
    )


def knock_out_frame(
    sums: Sequence[KnockOutSums], conditions: Sequence[Condition], seq_id: NDArray[np.int32]
) -> pd.DataFrame:
    """Return knockouts.parquet: a row per condition, variant, window and layer below the last, from sums [V, N, L-1] each."""
    frames = [_frame_of(each, condition, seq_id) for each, condition in zip(sums, conditions, strict=True)]
    return pd.concat(frames, ignore_index=True)


def _frame_of(sums: KnockOutSums, condition: Condition, seq_id: NDArray[np.int32]) -> pd.DataFrame:
    n_layers = sums.shape[-1]
    index = pd.MultiIndex.from_product([[str(v.name).lower() for v in Variant], seq_id, range(n_layers)])
    counts = {
        name: np.broadcast_to(array, sums.out.shape).ravel() if name in _SHARED else array.ravel()
        for name, array in sums.arrays().items()
    }
    return pd.DataFrame(
        {
            "spike_def_id": str(condition.spike_def_id),
            "target_rate": condition.target_rate,
            "gain": condition.gain,
            "variant": index.get_level_values(0).astype(str),
            "seq_id": index.get_level_values(1).astype(np.int32),
            "layer": index.get_level_values(2).astype(np.int32),
            **counts,
        }
    )


def sums_by_condition(frame: pd.DataFrame, raster: Raster) -> dict[Key, KnockOutSums]:
    """Return the sums [V, N, L-1] of the raster's conditions from knockouts.parquet; of none that it has no rows of."""
    _, n_windows, n_layers, _ = raster.counts.shape
    shape = (len(Variant), n_windows, n_layers - 1)
    of_key = frame.set_index(_KEYS).sort_index()
    found = {}
    for key in map(key_of, raster.conditions):
        if key in of_key.index:
            rows = of_key.loc[[key]]
            arrays = {name: rows[name].to_numpy().reshape(shape) for name in frame if name not in (*_KEYS, *_PLACES)}
            found[key] = KnockOutSums.from_arrays(
                {str(name): array[0] if name in _SHARED else array for name, array in arrays.items()}
            )
    return found


def key_of(condition: Condition) -> Key:
    """Return what a condition is known by here."""
    return str(condition.spike_def_id), condition.target_rate, condition.gain


def stability_frame(growths: Mapping[float, Growths], seq_id: NDArray[np.int32]) -> pd.DataFrame:
    """Return stability.parquet: a row per gain, window, layer and direction, and one of direction 0 with the wide step.

    growths: log growths [N, K, L] and, with the wide step, [N, L] by gain.
    """
    frames = [
        _growth_frame(each, seq_id).assign(gain=gain, is_wide=is_wide)
        for gain, (growth, wide) in growths.items()
        for is_wide, each in ((False, growth), (True, wide[:, None]))
    ]
    return pd.concat(frames, ignore_index=True)[["gain", "seq_id", "direction", "layer", "is_wide", "log_growth"]]


def _growth_frame(growth: NDArray[np.float64], seq_id: NDArray[np.int32]) -> pd.DataFrame:
    _, directions, layers = growth.shape
    index = pd.MultiIndex.from_product([seq_id, range(directions), range(layers)])
    columns = (index.get_level_values(place).astype(np.int32) for place in range(3))
    return pd.DataFrame(dict(zip(("seq_id", "direction", "layer"), columns, strict=True))).assign(
        log_growth=growth.ravel()
    )
