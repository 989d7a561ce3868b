"""A toy network, judged by S6 as a model is: its events are put out, and the layers above are counted. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from critnb.canon import CANON, ControlId, SpikeDef
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.control_rates import OF_NETWORKS, LatticeShape, Outcomes
from critnb.criticality.knock_outs import summarise_knock_outs
from critnb.criticality.synthetic import NETWORKS
from critnb.criticality.verdicts import BranchingByIntervention, Case, ChiPeak, judge_all
from critnb.events.calibration import Calibration
from critnb.events.knock_out import knock_out
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.toy import THRESHOLD, Toy

_CONST = CANON.CONST
_SHAPE = LatticeShape(layers=5, tokens=32, windows=48)
_NAN = float("nan")


@dataclass(frozen=True)
class ControlNetwork:
    """Which draw of which network is judged."""

    control_id: ControlId
    number: int
    seed: int = _CONST.CONTROL_SEED
    shape: LatticeShape = _SHAPE


def judge_network(which: ControlNetwork) -> Outcomes:
    """Return the verdict of S6 on one draw of a toy network: knock-outs of every layer, intervals over its windows."""
    control, shape, seed = NETWORKS[which.control_id], which.shape, which.seed + which.number
    toy = Toy(control.gain, control.shared, churn=True, windows=shape.windows, tokens=shape.tokens, layers=shape.layers)
    model, tokens = toy.network(seed)
    # inputs are standard normal variables
    known = Calibration(np.zeros((toy.layers, toy.units), np.float32), np.ones((toy.layers, toy.units), np.float32), 1)
    sums = knock_out(
        ForwardPasses(model, batch_tokens=_CONST.BATCH_TOKENS), tokens, known,
        np.full((1, 1, toy.layers), THRESHOLD), tuple(SpikeDef)[:1], Setting(),
        seed=seed, seq_id=np.arange(len(tokens)), condition_keys=[[which.control_id.encode()]],
    )  # fmt: skip
    weights = multinomial_weights(len(tokens), _CONST.BOOTSTRAP_REPS, _CONST.BOOTSTRAP_SEED)
    found = summarise_knock_outs(sums[0, 0], weights, seed=seed)
    sigma = found.sigma_depth
    summary = BranchingByIntervention(sigma.value, (sigma.low, sigma.high), found.p_value, found.reason or sigma.reason)
    case = Case({}, {}, _CONST.GAIN_BASELINE, ChiPeak(1.0, 1.0, 1.0, True, True), {}, _NAN, knock_out=summary)
    return {OF_NETWORKS: next(one.verdict for one in judge_all(case) if str(one.criterion.id) == OF_NETWORKS)}
