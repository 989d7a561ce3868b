"""S04: many shuffles of the first windows' tokens at matched rates, reduced to branching sums per window."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, SliceRole
from critnb.criticality.branching import BranchingSums
from critnb.criticality.token_shuffles import TokenShuffles, joined
from critnb.lattice import ConditionTable, Raster
from critnb.model.forward import Setting
from critnb.model.shards import spans
from critnb.pipeline.session import Arrays, StageSession
from critnb.report.words import SPIKE_NAMES
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04_nulls.shuffled import EXPECTED, Shuffled, ShuffleShard, Wanted, one_after_another
from critnb.stages.s04_nulls.tables import at_chosen_gains
from critnb.stages.shared.shards import mapped


def shuffle(stage: StageSession) -> TokenShuffles:
    """Shuffle the tokens of the first ``nulls.shuffle_windows`` windows ``nulls.shuffles`` times, and write what branching is left.

    For every condition at g1 and g* under MLP_GLOBAL. Thresholds are matched again in each shuffle: it has as many events in
    each layer as the real raster has in these windows. A finished gain survives an interruption as a checkpoint.
    """
    real, windows = at_chosen_gains(stage), stage.slice(SliceRole.A_raster)
    n_windows = min(stage.params.nulls.shuffle_windows, len(windows.tokens))
    window_id, settings = windows.window_id[:n_windows], _settings(real)
    of_settings = {setting: _at_gain(real, setting) for setting in settings}
    work = Shuffled(
        windows.tokens[:n_windows],
        window_id,
        upstream_calibration(stage)[0],
        {setting: Wanted.of(raster, n_windows) for setting, raster in of_settings.items()},
        stage.model.tokenizer.all_special_ids,
        seed=stage.params.nulls.seed,
    )
    n_shuffles = stage.params.nulls.shuffles
    parts = spans(n_shuffles, batch=1, parts=stage.engine.passes_at_once())
    steps = {
        f"shuffle_{setting.intervention}_gain_{setting.gain:g}": [ShuffleShard(setting, *part) for part in parts]
        for setting in settings
    }
    each, passes = n_windows * n_shuffles, stage.forward_passes()
    arrays: dict[str, Arrays] = mapped(stage, "shuffle", work, steps, passes=passes, each=each, join=one_after_another)
    found = joined(
        [
            _from_arrays(each, of_settings[s].conditions, window_id)
            for each, s in zip(arrays.values(), settings, strict=True)
        ],
        real.conditions,
    )
    stage.save_parquet(CANON.OUTPUT.TOKEN_SHUFFLES_PARQUET_BASENAME, found.to_frame())
    return found


def _settings(real: Raster) -> list[Setting]:
    return [Setting(Intervention.MLP_GLOBAL, gain) for gain in sorted({c.gain for c in real.conditions})]


def _at_gain(real: Raster, setting: Setting) -> Raster:
    return real.take(real.conditions.where(gain=setting.gain))


def _from_arrays(arrays: Arrays, conditions: ConditionTable, window_id: NDArray[np.int32]) -> TokenShuffles:
    sums = {name: array for name, array in arrays.items() if name.startswith(("time_", "depth_"))}
    expected = {name.removeprefix(EXPECTED): a for name, a in arrays.items() if name.startswith(EXPECTED)}
    return TokenShuffles(
        conditions, window_id, BranchingSums(**sums), BranchingSums(**expected), arrays["events"], arrays["missed"]
    )


def shuffle_table(found: TokenShuffles) -> pd.DataFrame:
    """Return one row per condition: the excess of b_tot over the own permutation null, over shuffles."""
    excess = found.excess
    return pd.DataFrame(
        {
            "events": [SPIKE_NAMES[condition.spike_def_id] for condition in found.conditions],
            "rate": [condition.target_rate for condition in found.conditions],
            "gain": [condition.gain for condition in found.conditions],
            "shuffles": excess.shape[1],
            "windows": len(found.seq_id),
            "events missed (ties)": found.missed.max(axis=1),
            "excess, smallest": excess.min(axis=1),
            "median": np.median(excess, axis=1),
            "largest": excess.max(axis=1),
        }
    )
