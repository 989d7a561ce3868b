"""Shard functions of the stages: they travel, and their parts, joined, are what one pass over everything gives, bit for bit."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from models import loaded, tiny_llama

from critnb.canon import DatasetRole, Intervention, ModelRole, NullId, SpikeDef
from critnb.criticality.branching import branching_sums
from critnb.events import calibrate, extract, gather
from critnb.events.knock_out import KnockOutRule, knock_out, knock_out_key
from critnb.events.perturbed import Perturbed, growth_of, joined, sums_of
from critnb.events.shards import Extracted, ExtractedAndScored, side_by_side
from critnb.lattice import Condition, ConditionTable, Raster
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import Tried
from critnb.model.likelihood import WindowLikelihoods
from critnb.model.shards import Shard, spans
from critnb.model.stability import stability
from critnb.stages.s04_nulls.shuffled import Shuffled, ShuffleShard, Wanted, one_after_another, shuffled_tokens

WINDOWS, LENGTH, BATCH, BURN_IN = 7, 12, 2, 1
DEFS = tuple(SpikeDef)
ONE, OTHER = Setting(), Setting(gain=1.3)
TOKENS = np.random.default_rng(5).integers(1, 257, size=(WINDOWS, LENGTH))
IDS = np.arange(100, 100 + WINDOWS, dtype=np.int32)


@pytest.fixture(scope="module")
def model():
    return loaded(tiny_llama())


def passes_of(model):
    return ForwardPasses(model, batch_tokens=BATCH * LENGTH, burn_in=BURN_IN)


@pytest.fixture(scope="module")
def calibration(model):
    return calibrate(passes_of(model), TOKENS)


def in_parts(work, model, setting, join, *, parts):
    """Each part with passes of its own and a function that was pickled, as on as many workers."""
    shards = [Shard(setting, *span) for span in spans(WINDOWS, batch=BATCH, parts=parts)]
    assert len(shards) == parts
    return join([pickle.loads(pickle.dumps(work))(passes_of(model), shard) for shard in shards])


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("parts", [1, 3])
def test_what_is_perturbed_together_and_in_parts_is_what_is_perturbed_alone(model, calibration, parts):
    keys = [b"a", b"b", b"c"]
    kinds = [(DEFS[0], 1.6), (DEFS[1], 2.2), (DEFS[0], 99.0)]
    tau = [np.full(model.n_layers, each) for _, each in kinds]
    rules = [
        KnockOutRule(kind, of_rule, knock_out_key(3, key))
        for (kind, _), of_rule, key in zip(kinds, tau, keys, strict=True)
    ]
    work = Perturbed(TOKENS, IDS, calibration, {ONE: rules[:1], OTHER: rules}, directions=2, seed=3)
    for setting, n in ((ONE, 1), (OTHER, 3), (Setting(gain=0.8), 0)):
        found = in_parts(work, model, setting, joined, parts=parts)
        alone = stability(passes_of(model), TOKENS, setting, directions=2, seed=3, seq_id=IDS)
        assert_same(growth_of(found).arrays(), alone.arrays())
        assert sums_of(found).shape[0] == n
        for number in range(n):
            expected = knock_out(
                passes_of(model), TOKENS, calibration, tau[number][None, None], kinds[number][:1], setting,
                seed=3, seq_id=IDS, condition_keys=[[keys[number]]],
            )[0, 0]  # fmt: skip
            assert_same(sums_of(found)[number].arrays(), expected.arrays())
        assert n == 0 or sums_of(found).lost_above.sum() > 0


def test_blocks_are_tried_once_for_all_settings(model, calibration, monkeypatch):
    from critnb.model import partial

    tried = []
    monkeypatch.setattr(partial, "require_repeatable", lambda *_: tried.append(1))
    fresh = replace(model, tried=Tried())
    work = Perturbed(TOKENS, IDS, calibration, {}, directions=1, seed=3)
    # a worker has passes of its own for each shard
    for setting in (ONE, OTHER):
        work(passes_of(fresh), Shard(setting, 0, WINDOWS))
    assert tried == [1]


@pytest.mark.parametrize("parts", [1, 4])
def test_counts_and_likelihoods_in_parts(model, calibration, parts):
    tau = np.full((2, 2, model.n_layers), 1.5)
    work = ExtractedAndScored(Extracted(TOKENS, calibration, {OTHER: tau}, DEFS))
    read = WindowLikelihoods(WINDOWS, OTHER, burn_in=BURN_IN)
    counts = extract(passes_of(model), TOKENS, calibration, tau, DEFS, OTHER, on_logits=read)
    found = in_parts(work, model, OTHER, side_by_side, parts=parts)
    assert_same(found, {"counts": counts, "nll_mean": read.nll_mean})


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_shuffles_in_parts_are_each_matched_alone(model, calibration, parts):
    conditions = ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.A, kind, rate, 1.3, Intervention.MLP_GLOBAL, NullId.NULL_NONE)
        for kind, rate in ((DEFS[0], 0.01), (DEFS[1], 0.02))
    )
    counts = np.random.default_rng(1).poisson(0.3, size=(2, WINDOWS, model.n_layers, LENGTH - BURN_IN))
    real = Raster(counts.astype(np.uint16), conditions, IDS)
    work = Shuffled(TOKENS, IDS, calibration, {OTHER: Wanted.of(real, WINDOWS)}, [0], seed=9)
    shards = [ShuffleShard(OTHER, *span) for span in spans(5, batch=1, parts=parts)]
    found = one_after_another([pickle.loads(pickle.dumps(work))(passes_of(model), shard) for shard in shards])
    assert found["events"].shape == (2, 5, WINDOWS)
    wanted = real.counts.sum(axis=(1, 3), dtype=np.int64)
    np.testing.assert_array_equal(found["missed"], np.zeros((2, 5)))
    np.testing.assert_array_equal(found["events"].sum(axis=2), np.tile(wanted.sum(axis=1)[:, None], 5))
    for number in range(5):
        tokens = shuffled_tokens(TOKENS, IDS, [0], seed=9, shuffle=number)
        for row, kind in enumerate(DEFS):
            largest = gather(passes_of(model), tokens, calibration, (kind,), wanted[row][None, None], OTHER)
            alone = largest.finish().counts
            expected = branching_sums(alone[0, 0][None]).arrays()
            for name, array in expected.items():
                np.testing.assert_array_equal(found[name][row, number], array[0], err_msg=name)
