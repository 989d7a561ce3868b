"""S04K: put events out and run the blocks above again, at g1 and g*; disturb the stream at every gain of the grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, SliceRole, Stage
from critnb.criticality.knock_outs import KnockOutSums
from critnb.errors import RerunError
from critnb.events.knock_out import KnockOutRule, knock_out_key
from critnb.events.perturbed import Perturbed, growth_of, joined, sums_of
from critnb.lattice import ConditionTable, Raster
from critnb.lattice.thresholds import tau_of
from critnb.model.forward import Setting
from critnb.model.shards import Shard, spans
from critnb.pipeline.session import Arrays, StageSession
from critnb.report.provenance import Provenance
from critnb.stages.s01_calibrate.work import upstream_calibration
from critnb.stages.s04k_knock_out.counted import Counted, knock_out_frame, load_counted, stability_frame
from critnb.stages.s04k_knock_out.tables import KnockOutResult, chosen_raster, tabulate
from critnb.stages.shared.shards import mapped


def measure(stage: StageSession) -> KnockOutResult:
    """Knock out events and disturb the stream, and write the counts and table T10.

    What the forward passes of an earlier run gave is adopted where only what draws figures differs. A model whose blocks
    cannot be run again from a kept stream leaves empty counts with the reason.
    """
    # loaded first, so that the record names the model also where an earlier run's counts are adopted
    _ = stage.model
    counted = _count(stage) if stage.earlier is None else load_counted(stage.earlier)
    return tabulate(stage, counted, Provenance.of(stage.run, stage.run.record.model))


def _count(stage: StageSession) -> Counted:
    raster = chosen_raster(stage)
    tokens = stage.slice(SliceRole.A_raster).tokens[: len(raster.seq_id)]
    settings = [Setting(Intervention.MLP_GLOBAL, gain) for gain in stage.params.gain.grid]
    try:
        found = _perturbed(stage, raster, tokens, settings)
        sums = _by_condition(raster.conditions, {setting: sums_of(arrays) for setting, arrays in found.items()})
        growths = [growth_of(found[setting]) for setting in settings]
        growth = {setting.gain: (each.log_growth, each.wide) for setting, each in zip(settings, growths, strict=True)}
        reason = ""
    except RerunError as error:
        sums = [KnockOutSums.zeros((len(tokens), 0))] * len(raster.conditions)
        nothing = np.zeros((len(tokens), 1, 0)), np.zeros((len(tokens), 0))
        growth = {setting.gain: nothing for setting in settings}
        reason = str(error)
    return Counted(
        knock_out_frame(sums, list(raster.conditions), raster.seq_id), stability_frame(growth, raster.seq_id), reason
    )


def _perturbed(
    stage: StageSession, raster: Raster, tokens: NDArray[np.int64], settings: list[Setting]
) -> dict[Setting, Arrays]:
    """Return what was counted under each setting; a finished one survives an interruption as a checkpoint."""
    work = Perturbed(
        tokens, raster.seq_id, upstream_calibration(stage)[0], _rules(stage, raster.conditions, settings),
        directions=stage.params.knock_outs.directions, seed=stage.params.nulls.seed,
    )  # fmt: skip
    passes = stage.forward_passes()
    # settings with knock-outs take by far the longest, so each is divided over all workers
    parts = spans(len(tokens), batch=passes.batch_windows(tokens.shape[1]), parts=stage.engine.passes_at_once())
    names = {setting: f"perturb_gain_{setting.gain:g}" for setting in settings}
    steps = {name: [Shard(setting, *part) for part in parts] for setting, name in names.items()}
    found: dict[str, Arrays] = mapped(stage, "perturb", work, steps, passes=passes, each=len(tokens), join=joined)
    return {setting: found[name] for setting, name in names.items()}


def _rules(
    stage: StageSession, conditions: ConditionTable, settings: list[Setting]
) -> dict[Setting, list[KnockOutRule]]:
    """Return the rules of the conditions under each setting, in the order of the conditions."""
    run, seed = stage.upstream(Stage.S03), stage.params.nulls.seed
    thresholds = run.parquet(run.result(CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME))
    rules: dict[Setting, list[KnockOutRule]] = {setting: [] for setting in settings}
    for each in conditions:
        tau = tau_of(thresholds, each.intervention_id, each.gain, [each.spike_def_id], [each.target_rate])[0, 0]
        rule = KnockOutRule(each.spike_def_id, tau, knock_out_key(seed, each.key()))
        rules[Setting(each.intervention_id, each.gain)].append(rule)
    return rules


def _by_condition(conditions: ConditionTable, found: dict[Setting, KnockOutSums]) -> list[KnockOutSums]:
    """Return the sums [V, N, L-1] of each condition from those [C, V, N, L-1] of its setting."""
    place = dict.fromkeys(found, 0)
    sums = []
    for each in conditions:
        setting = Setting(each.intervention_id, each.gain)
        sums.append(found[setting][place[setting]])
        place[setting] += 1
    return sums
