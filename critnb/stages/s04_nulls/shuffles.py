"""S04: many shuffles of the first windows' tokens at matched rates, reduced to branching sums per window."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, SliceRole
from critnb.criticality.branching import BranchingSums, branching_sums, expected_under_permutation
from critnb.criticality.token_shuffles import TokenShuffles, joined
from critnb.events import Calibration, match_counts
from critnb.events.screening_bounds import FirstBounds
from critnb.lattice import ConditionTable, Raster
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.windows import Slice
from critnb.pipeline.session import Arrays, StageSession
from critnb.report.words import SPIKE_NAMES
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04_nulls.tables import at_chosen_gains
from critnb.stages.s04_nulls.work import shuffled_tokens
from critnb.stages.shared.shards import mapped

_EXPECTED = "expected_"


def shuffle(stage: StageSession) -> TokenShuffles:
    """Shuffle the tokens of the first ``nulls.shuffle_windows`` windows ``nulls.shuffles`` times, and write what branching is left.

    For every condition at g1 and g* under MLP_GLOBAL. Thresholds are matched again in each shuffle: it has as many events in
    each layer as the real raster has in these windows. A finished gain survives an interruption as a checkpoint.
    """
    real, windows = at_chosen_gains(stage), stage.slice(SliceRole.A_raster)
    n_windows = min(stage.params.nulls.shuffle_windows, len(windows.tokens))
    calibration, _ = upstream_calibration(stage)
    passes, settings = stage.forward_passes(), _settings(real)

    def compute(passes: ForwardPasses, setting: Setting) -> Arrays:
        return _of_gain(stage, passes, calibration, _at_gain(real, setting), windows, n_windows, setting)

    n_passes = n_windows * stage.params.nulls.shuffles
    steps = {f"shuffle_{setting.intervention}_gain_{setting.gain:g}": [setting] for setting in settings}
    arrays: dict[str, Arrays] = mapped(stage, "shuffle", compute, steps, passes=passes, each=n_passes)
    window_id = windows.window_id[:n_windows]
    parts = [
        _from_arrays(each, _at_gain(real, setting).conditions, window_id)
        for each, setting in zip(arrays.values(), settings, strict=True)
    ]
    found = joined(parts, real.conditions)
    stage.save_parquet(CANON.OUTPUT.TOKEN_SHUFFLES_PARQUET_BASENAME, found.to_frame())
    return found


def _settings(real: Raster) -> list[Setting]:
    return [Setting(Intervention.MLP_GLOBAL, gain) for gain in sorted({c.gain for c in real.conditions})]


def _at_gain(real: Raster, setting: Setting) -> Raster:
    return real.take(real.conditions.where(gain=setting.gain))


def _of_gain(
    stage: StageSession,
    passes: ForwardPasses,
    calibration: Calibration,
    real: Raster,
    windows: Slice,
    n_windows: int,
    setting: Setting,
) -> Arrays:
    """Return what one gain's checkpoint holds: arrays [C, S, N] and missed [C, S]."""
    wanted = real.counts[:, :n_windows].sum(axis=(1, 3), dtype=np.int64)  # [C, L]
    tokens, window_id = windows.tokens[:n_windows], windows.window_id[:n_windows]
    special, seed = stage.model.tokenizer.all_special_ids, stage.params.nulls.seed
    bounds: FirstBounds = {}
    of_shuffles = []
    for number in range(stage.params.nulls.shuffles):
        shuffled = shuffled_tokens(tokens, window_id, special, seed=seed, shuffle=number)
        counts = _matched(passes, shuffled, calibration, real.conditions, wanted, setting, bounds)
        of_shuffles.append(_reduced(counts, wanted))
    return {name: np.stack([each[name] for each in of_shuffles], axis=1) for name in of_shuffles[0]}


def _matched(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    conditions: ConditionTable,
    wanted: NDArray[np.int64],
    setting: Setting,
    bounds: FirstBounds,
) -> NDArray[np.uint16]:
    """Return the counts [C, N, L, T] of conditions that want ``wanted`` [C, L] events.

    Pairs of definition and rate that are none of the conditions want no event.
    """
    kinds = tuple(dict.fromkeys(condition.spike_def_id for condition in conditions))
    rates = tuple(dict.fromkeys(condition.target_rate for condition in conditions))
    place = [(kinds.index(c.spike_def_id), rates.index(c.target_rate)) for c in conditions]
    events = np.zeros((len(kinds), len(rates), wanted.shape[1]), dtype=np.int64)
    for row, at in enumerate(place):
        events[at] = wanted[row]
    found = match_counts(passes, tokens, calibration, kinds, events, setting, first_bounds=bounds)
    return np.stack([found.counts[at] for at in place])


def _reduced(counts: NDArray[np.uint16], wanted: NDArray[np.int64]) -> Arrays:
    expected = expected_under_permutation(counts).arrays()
    return {
        **branching_sums(counts).arrays(),
        **{f"{_EXPECTED}{name}": array for name, array in expected.items()},
        "events": counts.sum(axis=(2, 3), dtype=np.int64),
        "missed": (wanted - counts.sum(axis=(1, 3), dtype=np.int64)).sum(axis=1),
    }


def _from_arrays(arrays: Arrays, conditions: ConditionTable, window_id: NDArray[np.int32]) -> TokenShuffles:
    sums = {name: array for name, array in arrays.items() if name.startswith(("time_", "depth_"))}
    expected = {name.removeprefix(_EXPECTED): a for name, a in arrays.items() if name.startswith(_EXPECTED)}
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
