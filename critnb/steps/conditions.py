"""The conditions of one setting, in the order in which the event passes return their counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from critnb.canon import DatasetRole, ModelRole, NullId, SpikeDef
from critnb.language.forward import Setting
from critnb.lattice import Condition, ConditionTable, Raster


def conditions_of(
    settings: Iterable[Setting],
    *,
    model_role: ModelRole,
    spike_defs: Sequence[SpikeDef],
    rates: Sequence[float],
    null_id: NullId = NullId.NULL_NONE,
) -> ConditionTable:
    """Return the conditions of dataset A under each setting: spike definitions outer, rates inner."""
    return ConditionTable(
        Condition(model_role, DatasetRole.A, spike_def, rate, setting.gain, setting.intervention, null_id)
        for setting in settings
        for spike_def in spike_defs
        for rate in rates
    )


def raster_of(counts: Sequence[NDArray[np.uint16]], conditions: ConditionTable, seq_id: NDArray[np.int32]) -> Raster:
    """Return the raster of counts [D, R, N, L, T] of each setting."""
    planes = np.concatenate([setting.reshape(-1, *setting.shape[2:]) for setting in counts])
    return Raster(planes, conditions, seq_id)
