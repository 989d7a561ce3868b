"""One raster of a control, judged by the code that judges S05.

What no criterion reads is left out by settings: the second adjacency, sizes in sites, the p-values of the KS fits. What a raster
alone does not have, such as a grid of gains, makes its criteria not available.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from critnb.canon import CANON, Adjacency, ControlId, NullId, SizeDef
from critnb.criticality.bootstrap import Interval, multinomial_weights
from critnb.criticality.branching import BranchingSums
from critnb.criticality.control_rates import LatticeShape, Outcomes
from critnb.criticality.null_sample import NullSample
from critnb.criticality.nulltest import null_branching
from critnb.criticality.overlap import spike_def_overlap
from critnb.criticality.shuffled_input import ShuffledInput
from critnb.criticality.sizes.analysis import Settings, SizeShard, analyse_sizes
from critnb.criticality.sizes.sample import AvalancheSample, Lattice
from critnb.criticality.sizes.scaling import critical_pool
from critnb.criticality.summary import summarise
from critnb.criticality.synthetic import CONTROLS, one_condition_raster
from critnb.criticality.token_shuffles import AgainstShuffles
from critnb.criticality.verdicts import Case, judge_all
from critnb.criticality.verdicts.needs import NOT_OF_A_RASTER
from critnb.gates import Verdict
from critnb.lattice import PRIMARY, RASTER_NULLS, Raster, null_when_asked
from critnb.stages.s05_analysis.tables import Statistics, cases, metrics

_CONST = CANON.CONST
_ADJACENCY = Adjacency.ADJ_4N
# more events than this at a site are never drawn; S05 takes the units of an MLP
_UNITS = 100


@dataclass(frozen=True)
class ControlRaster:
    """Which raster of which control is judged, on which lattice."""

    control_id: ControlId
    shape: LatticeShape
    number: int
    seed: int = _CONST.CONTROL_SEED
    replicates: int = _CONST.CONTROL_REPLICATES


def judge_control(which: ControlRaster) -> Outcomes:
    """Draw one raster of a control and judge it."""
    shape = which.shape
    counts = CONTROLS[which.control_id].draw(
        shape.windows, layers=shape.layers, tokens=shape.tokens, seed=which.seed, number=which.number
    )
    return judge_raster(one_condition_raster(counts), seed=which.seed + which.number, replicates=which.replicates)


def judge_raster(raster: Raster, *, seed: int, replicates: int) -> Outcomes:
    """Judge a raster of one condition, as S05 judges one at g*; ``seed`` and ``replicates`` are those of its nulls.

    The tests of its own criteria are the whole family that p-values are adjusted over; more conditions only make it stricter.
    Of the raster nulls it is said whether b_tot exceeds each at SIGNIFICANCE_LEVEL, unadjusted; a null that
    cannot be drawn of it is left out.
    """
    case = case_of(raster, seed=seed, replicates=replicates)
    outcomes = {
        str(judged.criterion.id): judged.verdict
        for judged in judge_all(case)
        if judged.criterion.id not in NOT_OF_A_RASTER
    }
    drawn = [null for null in RASTER_NULLS.values() if null.noun in case.excess]
    return outcomes | {str(null.null_id): _exceeds(case.excess[null.noun][1]) for null in drawn}


def _exceeds(p: float) -> Verdict:
    if np.isnan(p):  # the null, or b_tot, is not available
        return Verdict.NOT_AVAILABLE
    return Verdict.PASS if p <= _CONST.SIGNIFICANCE_LEVEL else Verdict.FAIL


def case_of(raster: Raster, *, seed: int, replicates: int) -> Case:
    """Return what is judged of a raster of one condition: its statistics beside its nulls'."""
    _, n, layers, tokens = raster.counts.shape
    weights = _weights(n)
    nulls = {null_id: NullSample.of([_sums(raster, null_id, seed, replicates)]) for null_id in RASTER_NULLS}
    settings = Settings(
        Lattice(layers, tokens, _UNITS), _ADJACENCY, weights, _pool(layers, tokens),
        p_replicates=0, seed=_CONST.BOOTSTRAP_SEED, null_seed=seed,
        adjacencies=(_ADJACENCY,), size_defs=(SizeDef.SIZE_EVENTS,),
    )  # fmt: skip
    (condition,) = raster.conditions
    summary = summarise(
        raster, nulls, permuted=null_when_asked(raster, PRIMARY, seed=seed), adjacency=_ADJACENCY,
        replicates=_CONST.BOOTSTRAP_REPS, seed=_CONST.BOOTSTRAP_SEED,
    )  # fmt: skip
    sizes = {0: analyse_sizes(SizeShard(raster, replicates), settings)}
    found = Statistics(
        raster, summary, sizes, *_nothing_shuffled(), spike_def_overlap(raster),
        dict.fromkeys(RASTER_NULLS, np.ones(1, dtype=np.bool_)), _ADJACENCY,
    )  # fmt: skip
    gstar = {(condition.spike_def_id, condition.target_rate): condition.gain}
    (case,) = cases(found, metrics(found).assign(g=condition.gain), weights, gstar).values()
    return case


def _sums(raster: Raster, null_id: NullId, seed: int, replicates: int) -> BranchingSums:
    return null_branching(
        raster.counts[0], raster.seq_id, null_id,
        seed=seed, condition_key=raster.conditions[0].key(), replicates=range(replicates), tokens=raster.tokens,
    )  # fmt: skip


def _nothing_shuffled() -> tuple[ShuffledInput, AgainstShuffles]:
    nothing = np.full(1, np.nan)
    no_interval = Interval(nothing, nothing, np.zeros(1, dtype=np.int64))
    return ShuffledInput(nothing, nothing, nothing, nothing), AgainstShuffles(nothing, nothing, nothing, no_interval)


@lru_cache(maxsize=4)
def _weights(windows: int) -> npt.NDArray[np.int64]:
    return multinomial_weights(windows, _CONST.BOOTSTRAP_REPS, _CONST.BOOTSTRAP_SEED)


@lru_cache(maxsize=4)
def _pool(layers: int, tokens: int) -> AvalancheSample:
    return critical_pool(
        Lattice(layers, tokens, _UNITS), cascades=_CONST.REFERENCE_CASCADES, seed=_CONST.REFERENCE_SEED
    )
