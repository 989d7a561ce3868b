"""The streamed passes against a plain two-pass twin that stacks all of u and sorts it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import loaded, tiny_llama

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.lattice.thresholds import gate, tau_of
from critnb.model.forward import ForwardPasses, Setting

DEFS = tuple(SpikeDef)
RATES = (0.01, 0.03)
TAU0 = 1.5


@pytest.fixture(scope="module")
def model():
    return loaded(tiny_llama())


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(7).integers(0, 257, size=(10, 32))


def stacked_units(model, tokens, *, gain=1.0, burn_in=0):
    """All of u as [N, T, L, F], read by hooks of its own, one window at a time; the MLP's output scaled in place."""
    found = {}
    handles = []
    for number, block in enumerate(model.causal.model.layers):
        handles.append(
            block.mlp.down_proj.register_forward_pre_hook(lambda _m, a, n=number: found.__setitem__(n, a[0].clone()))
        )
        handles.append(block.mlp.register_forward_hook(lambda _m, _a, out: out * gain))
    rows = []
    with torch.inference_mode():
        for window in tokens:
            model.causal.model(torch.from_numpy(window)[None], use_cache=False)
            rows.append(torch.stack([found[n][0] for n in range(model.n_layers)], dim=1)[burn_in:])
    for handle in handles:
        handle.remove()
    return torch.stack(rows).numpy()


def scores(u, calibration, spike_def):
    z = (u.astype(np.float64) - calibration.mu) / (calibration.sigma.astype(np.float64) + CANON.CONST.EPS)
    return z if spike_def is SpikeDef.SPIKE_ONE_SIDED_POS else np.abs(z)


def passes_of(model, burn_in=0, batch_tokens=96):
    return ForwardPasses(model, batch_tokens=batch_tokens, burn_in=burn_in)


def targets_of(passes, tokens, calibration):
    base = base_rates(passes, tokens, calibration, DEFS, TAU0)
    return RateTargets(TAU0, passes.model.n_units, base, RATES)


@pytest.mark.parametrize("burn_in", [0, 5])
def test_moments_equal_numpy_on_all_of_u(model, tokens, burn_in):
    u = stacked_units(model, tokens, burn_in=burn_in)
    found = calibrate(passes_of(model, burn_in), tokens)
    assert found.n_samples == u.shape[0] * u.shape[1]
    np.testing.assert_allclose(found.mu, u.mean(axis=(0, 1), dtype=np.float64), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.sigma, u.std(axis=(0, 1), dtype=np.float64), rtol=1e-5)
    z = scores(u, found, SpikeDef.SPIKE_ONE_SIDED_POS)
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=1e-4)


def test_moments_do_not_depend_on_the_batch_size(model, tokens):
    one, all_ = (calibrate(passes_of(model, batch_tokens=size), tokens) for size in (32, 320))
    np.testing.assert_allclose(one.mu, all_.mu, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one.sigma, all_.sigma, rtol=1e-5)


def test_base_rates_equal_a_plain_count(model, tokens):
    passes = passes_of(model)
    calibration = calibrate(passes, tokens)
    u = stacked_units(model, tokens)
    found = base_rates(passes, tokens, calibration, DEFS, TAU0)
    for spike_def in DEFS:
        plain = (scores(u, calibration, spike_def) > TAU0).mean(axis=(0, 1, 3))
        np.testing.assert_allclose(found[spike_def], plain, atol=2 / u[..., 0, :].size)


def test_target_rates_keep_the_layers_proportions_and_average_to_the_label(model, tokens):
    passes = passes_of(model)
    targets = targets_of(passes, tokens, calibrate(passes, tokens))
    for spike_def in DEFS:
        target = targets.target(spike_def, RATES[0])
        assert target.mean() == pytest.approx(RATES[0], rel=1e-12)
        np.testing.assert_allclose(target / targets.base[spike_def], target[0] / targets.base[spike_def][0])
    again = RateTargets.from_dict(targets.as_dict())
    np.testing.assert_array_equal(again.target(DEFS[1], RATES[1]), targets.target(DEFS[1], RATES[1]))


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.3])
@pytest.mark.parametrize(("burn_in", "batch_tokens"), [(0, 32), (0, 96), (0, 10_000), (3, 64)])
def test_thresholds_and_rasters_equal_a_full_sort(model, tokens, gain, burn_in, batch_tokens):
    passes = passes_of(model, burn_in, batch_tokens)
    calibration = calibrate(passes, tokens)
    targets = targets_of(passes, tokens, calibration)
    thresholds, counts = match_rates(passes, tokens, calibration, targets, Setting(gain=gain))
    u = np.concatenate(
        [stacked_units(model, tokens[i : i + 1], gain=gain, burn_in=burn_in) for i in range(len(tokens))]
    )
    for i, spike_def in enumerate(DEFS):
        v = scores(u, calibration, spike_def)
        for r in range(len(RATES)):
            for layer in range(model.n_layers):
                ordered = np.sort(v[:, :, layer].ravel())[::-1]
                k = thresholds.target_events[i, r, layer]
                assert thresholds.tau[i, r, layer] == pytest.approx(ordered[k], rel=1e-4)
                assert thresholds.events[i, r, layer] == k == counts[i, r, :, layer].sum()
    twin = extract(passes, tokens, calibration, thresholds.tau, DEFS, Setting(gain=gain))
    np.testing.assert_array_equal(twin, counts)


def test_extraction_equals_a_plain_comparison_event_by_event(model, tokens):
    passes = passes_of(model, batch_tokens=32)
    calibration = calibrate(passes, tokens[:4])
    thresholds, _ = match_rates(passes, tokens[:4], calibration, targets_of(passes, tokens[:4], calibration), Setting())
    held_out = tokens[4:]
    found = extract(passes, held_out, calibration, thresholds.tau, DEFS, Setting())
    u = stacked_units(model, held_out)
    for i, spike_def in enumerate(DEFS):
        v = scores(u, calibration, spike_def)
        for r in range(len(RATES)):
            plain = (v > thresholds.tau[i, r, :, None]).sum(axis=-1)  # [N, T, L]
            np.testing.assert_array_equal(found[i, r].transpose(0, 2, 1), plain)


def test_the_gate_holds_and_names_the_worst_layer(model, tokens):
    passes = passes_of(model)
    calibration = calibrate(passes, tokens)
    thresholds, _ = match_rates(passes, tokens, calibration, targets_of(passes, tokens, calibration), Setting(gain=0.9))
    frame = thresholds.to_frame()
    assert gate(frame)["passed"].all()
    frame.loc[(frame["layer"] == 1) & (frame["target_rate"] == RATES[1]), "events"] += 5
    judged = gate(frame)
    failed = judged[~judged["passed"]]
    assert set(failed["layer"]) == {1}
    assert set(failed["target_rate"]) == {RATES[1]}


def test_tau_survives_its_table(model, tokens):
    passes = passes_of(model)
    calibration = calibrate(passes, tokens)
    thresholds, _ = match_rates(passes, tokens, calibration, targets_of(passes, tokens, calibration), Setting(gain=0.9))
    again = tau_of(thresholds.to_frame(), Intervention.MLP_GLOBAL, 0.9, DEFS, RATES)
    np.testing.assert_array_equal(again, thresholds.tau)


def test_forward_windows_are_counted(model, tokens):
    passes = passes_of(model)
    calibration = calibrate(passes, tokens)
    targets_of(passes, tokens, calibration)
    assert passes.windows_run == 2 * len(tokens)


@pytest.mark.parametrize("intervention", list(Intervention))
def test_settings_that_count_as_one_are_one_to_the_model(model, tokens, intervention):
    passes = passes_of(model)
    calibration = calibrate(passes, tokens)
    targets = targets_of(passes, tokens, calibration)
    setting = Setting(intervention, 1.0)
    thresholds, counts = match_rates(passes, tokens, calibration, targets, setting)
    plain, plain_counts = match_rates(passes, tokens, calibration, targets, Setting())
    assert setting.in_effect() == Setting() != Setting(intervention, 0.8).in_effect()
    np.testing.assert_array_equal(thresholds.tau, plain.tau)
    np.testing.assert_array_equal(counts, plain_counts)
