"""Knock-outs against a plain twin with hooks of its own, on toy networks whose answer is known, and on what is degenerate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import loaded, tiny_llama

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.knock_outs import KnockOutSums, Variant, summarise_knock_outs
from critnb.errors import DataError
from critnb.events import calibrate
from critnb.events.calibration import Calibration
from critnb.events.knock_out import knock_out
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.toy import THRESHOLD, Toy

DEFS = tuple(SpikeDef)
GAIN = Setting(Intervention.MLP_GLOBAL, 1.4)
KEYS = [[b"a", b"b"], [b"c", b"d"]]
BURN_IN = 2


@pytest.fixture(scope="module")
def model():
    return loaded(tiny_llama(n_layers=4))


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(7).integers(0, 257, size=(6, 24))


@pytest.fixture(scope="module")
def calibration(model, tokens):
    return calibrate(ForwardPasses(model, batch_tokens=48, burn_in=BURN_IN), tokens)


@pytest.fixture(scope="module")
def tau(model):
    return np.broadcast_to(np.array([1.6, 2.2])[None, :, None], (2, 2, model.n_layers)).copy()


def knocked(model, tokens, calibration, tau, *, batch_tokens=10**6, seq_id=None, seed=1, setting=GAIN):
    passes = ForwardPasses(model, batch_tokens=batch_tokens, burn_in=BURN_IN)
    ids = np.arange(len(tokens)) if seq_id is None else seq_id
    return knock_out(passes, tokens, calibration, tau, DEFS, setting, seed=seed, seq_id=ids, condition_keys=KEYS)


@pytest.fixture(scope="module")
def sums(model, tokens, calibration, tau):
    return knocked(model, tokens, calibration, tau)


def events_of_twin(model, tokens, calibration, tau, spike_def, out=None):
    """Return the events bool [N, T, F] of each layer in whole passes; ``out`` (layer, mask) puts units to their mean."""
    found, handles = {}, []

    def hook_of(layer):
        def hook(_module, args):
            u = args[0].clone()
            if out is not None and out[0] == layer:
                mean = torch.from_numpy(calibration.mu[layer]).expand_as(u[:, BURN_IN:])
                u[:, BURN_IN:][torch.from_numpy(out[1])] = mean[torch.from_numpy(out[1])]
            found[layer] = u
            return (u,)

        return hook

    for layer, block in enumerate(model.causal.model.layers):
        handles.append(block.mlp.down_proj.register_forward_pre_hook(hook_of(layer)))
        handles.append(block.mlp.register_forward_hook(lambda _m, _a, given: given * GAIN.gain))
    with torch.inference_mode():
        model.causal.model(torch.from_numpy(tokens), use_cache=False)
    for handle in handles:
        handle.remove()
    events = []
    for layer in range(model.n_layers):
        u = found[layer].numpy()[:, BURN_IN:].astype(np.float64)
        z = (u - calibration.mu[layer]) / (calibration.sigma[layer].astype(np.float64) + CANON.CONST.EPS)
        events.append((z if spike_def is SpikeDef.SPIKE_ONE_SIDED_POS else np.abs(z)) > tau[layer])
    return events


@pytest.mark.parametrize("d", [0, 1])
def test_every_sum_is_that_of_a_plain_twin(model, tokens, calibration, tau, sums, d):
    r = 0
    before = events_of_twin(model, tokens, calibration, tau[d, r], DEFS[d])
    for layer in range(model.n_layers - 1):
        after = events_of_twin(model, tokens, calibration, tau[d, r], DEFS[d], out=(layer, before[layer]))
        at = d, r, Variant.EVENTS, slice(None), layer
        lost = [(b & ~a).sum(axis=(1, 2)) for b, a in zip(before, after, strict=True)]
        new = [(a & ~b).sum(axis=(1, 2)) for b, a in zip(before, after, strict=True)]
        assert before[layer].any()
        assert np.array_equal(sums.out[at], before[layer].sum(axis=(1, 2)))
        assert np.array_equal(sums.lost_next[at], lost[layer + 1])
        assert np.array_equal(sums.new_next[at], new[layer + 1])
        assert np.array_equal(sums.lost_above[at], sum(lost[layer + 1 :]))
        assert np.array_equal(sums.new_above[at], sum(new[layer + 1 :]))
        assert np.array_equal(sums.events_next[d, r, :, layer], before[layer + 1].sum(axis=(1, 2)))
        here = before[layer].any(axis=-1)
        for pairs, expected, above in (
            (sums.pairs[at], sums.expected[at], after[layer + 1]),
            (sums.pairs_before[d, r, :, layer], sums.expected_before[d, r, :, layer], before[layer + 1]),
        ):
            occupied = above.any(axis=-1)
            assert np.array_equal(pairs, (here & occupied).sum(axis=1))
            assert np.allclose(expected, here.sum(axis=1) * occupied.sum(axis=1) / here.shape[1], rtol=1e-15)
    assert sums.lost_next[d, r].sum() > 0
    assert sums.new_next[d, r].sum() > 0


def test_controls_put_out_as_many_and_only_what_has_no_event(model, tokens, calibration, tau, monkeypatch):
    from critnb.events import knock_out as module

    seen = []
    plain = module._Work._put_out

    def watched(self, layer, variant):
        places = plain(self, layer, variant)
        seen.append((self, layer, variant, places))
        return places

    monkeypatch.setattr(module._Work, "_put_out", watched)
    knocked(model, tokens, calibration, tau)
    n_units, length = model.n_units, tokens.shape[1] - BURN_IN
    for work, layer, variant, places in seen:
        events = work.base[layer]
        assert len(np.unique(places)) == len(places)
        if variant is Variant.EVENTS:
            assert np.array_equal(places, events)
            continue
        assert not np.isin(places, events).any()
        kept = places // n_units if variant is Variant.RANDOM_UNITS else unit_in_window(places, n_units, length)
        of_events = events // n_units if variant is Variant.RANDOM_UNITS else unit_in_window(events, n_units, length)
        assert np.array_equal(np.sort(kept), np.sort(of_events))


def unit_in_window(places, n_units, length):
    return places // (n_units * length) * n_units + places % n_units


@pytest.mark.slow
def test_a_window_alone_gives_what_it_gives_among_others(model, tokens, calibration, tau, sums):
    alone = knocked(model, tokens[3:4], calibration, tau, seq_id=np.array([3]))
    batched = KnockOutSums.concatenate(
        [knocked(model, tokens[rows], calibration, tau, seq_id=np.arange(6)[rows]) for rows in (slice(4), slice(4, 6))]
    )
    for name, array in sums.arrays().items():
        assert np.array_equal(alone.arrays()[name], array[..., 3:4, :]), name
        assert np.array_equal(batched.arrays()[name], array), name
    assert np.array_equal(knocked(model, tokens, calibration, tau, batch_tokens=48).out, sums.out)


def test_another_seed_draws_other_controls_and_the_same_knock_out(model, tokens, calibration, tau, sums):
    other = knocked(model, tokens, calibration, tau, seed=2)
    for variant in Variant:
        same = np.array_equal(other.lost_next[:, :, variant], sums.lost_next[:, :, variant])
        assert same is (variant is Variant.EVENTS)


def test_without_events_or_effects_every_number_is_zero(model, tokens, calibration, tau):
    silent = knocked(model, tokens, calibration, tau + 1e6)
    assert not any(array.any() for array in silent.arrays().values())
    # at gain 0 the MLP adds nothing, so that putting units out changes nothing to the last bit
    unread = knocked(model, tokens, calibration, tau, setting=Setting(Intervention.MLP_GLOBAL, 0.0))
    assert unread.out.any()
    for name in ("lost_next", "new_next", "lost_above", "new_above"):
        assert not getattr(unread, name).any()
    for variant in Variant:
        assert np.array_equal(unread.pairs[:, :, variant], unread.pairs_before)
        assert np.array_equal(unread.excess(variant), unread.excess_before)


def test_units_without_spread_are_put_to_their_mean_and_nothing_warns(model, tokens, calibration, tau):
    flat = Calibration(calibration.mu, np.zeros_like(calibration.sigma), calibration.n_samples)
    found = knocked(model, tokens[:2], flat, tau)
    # everything above its mean is an event; fewer units than events are left for the control
    assert (found.out[0, :, Variant.RANDOM_UNITS] <= found.out[0, :, Variant.EVENTS]).all()
    assert all(np.isfinite(array).all() for array in found.arrays().values())


def test_one_layer_and_shapes_that_do_not_fit_are_refused(model, tokens, calibration, tau):
    single = loaded(tiny_llama(n_layers=1))
    with pytest.raises(DataError, match="one layer"):
        knocked(single, tokens, calibration, tau[..., :1])
    with pytest.raises(DataError, match="do not fit"):
        knocked(model, tokens, calibration, tau[..., :-1])


def toy_summary(toy, seed):
    model, tokens = toy.network(seed)
    calibration = Calibration(
        np.zeros((toy.layers, toy.units), np.float32), np.ones((toy.layers, toy.units), np.float32), 1
    )
    sums = knock_out(
        ForwardPasses(model, batch_tokens=10**6),
        tokens,
        calibration,
        np.full((1, 1, toy.layers), THRESHOLD),
        DEFS[:1],
        Setting(),
        seed=seed,
        seq_id=np.arange(len(tokens)),
        condition_keys=[[b"toy"]],
    )
    return summarise_knock_outs(sums[0, 0], multinomial_weights(len(tokens), 500, seed), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("toy", [Toy(0.6, churn=True), Toy(0.95), Toy(0.0, shared=0.8, churn=True)])
def test_the_answer_of_a_toy_network_lies_in_its_interval_about_as_often_as_it_should(toy):
    found = [toy_summary(toy, seed) for seed in range(25)]
    inside = [each.sigma_depth.low <= toy.sigma_depth <= each.sigma_depth.high for each in found]
    # at 95 % fewer than 20 of 25 have a probability of 0.2 %
    assert sum(inside) >= 20
    assert abs(np.mean([each.sigma_depth.value for each in found]) - toy.sigma_depth) < 0.01
    assert abs(np.mean([each.offspring.value for each in found]) - toy.offspring()) < 0.03
    assert all(each.lost_share.value > 0 for each in found)


def test_a_shared_input_makes_layers_active_together_and_nothing_is_passed_on():
    found = toy_summary(Toy(0.0, shared=0.8), 0)
    assert (found.sigma_depth.value, found.sigma_depth.low, found.sigma_depth.high) == (0.0, 0.0, 0.0)
    assert (found.causal_share.value, found.p_value) == (0.0, 1.0)


def test_where_the_layer_below_drives_everything_the_whole_excess_goes():
    share = toy_summary(Toy(0.9), 0).causal_share
    assert share.low <= 1.0 <= share.high
