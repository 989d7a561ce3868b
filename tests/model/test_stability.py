"""Growth of perturbations on linear residual networks, whose Jacobians are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import loaded, tiny, tiny_llama
from torch import nn

from critnb.canon import Intervention
from critnb.criticality.bootstrap import multinomial_weights
from critnb.criticality.stability import summarise_stability
from critnb.errors import DataError
from critnb.model import stability as module
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel
from critnb.model.stability import stability
from critnb.model.taps import LayerTaps, Taps

WINDOWS, TOKENS, WIDTH, LAYERS = 3, 7, 6, 40


class LinearBlock(nn.Module):
    """h + g W h, the projection being W and its input the stream."""

    def __init__(self, weight):
        super().__init__()
        self.attention, self.projection = nn.Identity(), nn.Linear(WIDTH, WIDTH, bias=False)
        self.projection.weight.data = torch.tensor(weight, dtype=torch.float32)

    def forward(self, hidden_states):
        return hidden_states + self.attention(torch.zeros_like(hidden_states)) + self.projection(hidden_states)


class Body(nn.Module):
    def __init__(self, weights, embedding):
        super().__init__()
        self.layers = nn.ModuleList(LinearBlock(weight) for weight in weights)
        self.embedding = nn.Embedding.from_pretrained(torch.tensor(embedding, dtype=torch.float32))

    def forward(self, input_ids, use_cache=False):
        hidden = self.embedding(input_ids)
        for block in self.layers:
            hidden = block(hidden)
        return SimpleNamespace(last_hidden_state=hidden)


class Causal(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.model = body

    @property
    def base_model(self):
        return self.model

    def get_input_embeddings(self):
        return self.model.embedding


def growth_of(weights, *, embedding=None, gain=1.0, directions=3, dtype=torch.float32):
    """Return the growth of a network of blocks h -> h + g W h, and its embeddings."""
    rng = np.random.default_rng(5)
    given = rng.normal(size=(WINDOWS * TOKENS, WIDTH)) if embedding is None else embedding
    body = Body(weights, given).to(dtype)
    taps = Taps(tuple(LayerTaps(b, b.projection, b.projection, b.attention) for b in body.layers), WIDTH)
    model = LanguageModel(Causal(body).requires_grad_(False), None, taps, torch.device("cpu"), dtype, None)
    tokens = np.arange(WINDOWS * TOKENS).reshape(WINDOWS, TOKENS)
    setting = Setting(Intervention.MLP_GLOBAL, gain)
    passes = ForwardPasses(model, batch_tokens=2 * TOKENS)
    return stability(passes, tokens, setting, directions=directions, seed=2, seq_id=np.arange(WINDOWS)), given


def test_scaling_and_rotating_the_stream_scales_and_rotates_what_perturbs_it():
    rng = np.random.default_rng(1)
    rotations = [np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0] for _ in range(LAYERS)]
    for weights in ([0.5 * np.eye(WIDTH)] * LAYERS, [q - np.eye(WIDTH) for q in rotations]):
        found, _ = growth_of(weights)
        assert np.abs(found.log_growth).max() < 1e-3
        assert abs(found.log_growth.mean()) < 1e-5


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_what_the_stream_does_not_hold_grows_by_its_own_factor(gain):
    # the stream lies in the first half of the coordinates and stays as it is, the others grow by 1 + 0.3 g a layer
    embedding = np.random.default_rng(3).normal(size=(WINDOWS * TOKENS, WIDTH)) * ([1] * 3 + [0] * 3)
    weight = np.diag([0.0] * 3 + [0.3] * 3)
    found, _ = growth_of([weight] * LAYERS, embedding=embedding, gain=gain)
    assert np.allclose(found.log_growth[..., -1], np.log(1 + 0.3 * gain), atol=1e-3)
    # an isotropic perturbation has its second half grown: exact at every layer, over all layers together
    total = 0.5 * np.log((1 + (1 + 0.3 * gain) ** (2 * LAYERS)) / 2)
    assert np.allclose(found.log_growth.sum(axis=-1), total, atol=0.35)


def test_the_growth_of_any_linear_network_is_that_of_its_jacobians():
    rng = np.random.default_rng(11)
    weights = [0.4 * rng.normal(size=(WIDTH, WIDTH)) for _ in range(LAYERS)]
    found, embedding = growth_of(weights, directions=2)
    start = embedding.reshape(WINDOWS, TOKENS, WIDTH)
    for k in range(2):
        stream = start
        delta = (
            module._direction(torch.tensor(start, dtype=torch.float32), np.arange(WINDOWS), k, 2).numpy().astype(float)
        )
        for layer, weight in enumerate(weights):
            jacobian = np.eye(WIDTH) + weight
            before = size(delta, stream)
            delta, stream = delta @ jacobian.T, stream @ jacobian.T
            assert np.allclose(found.log_growth[:, k, layer], np.log(size(delta, stream) / before), atol=2e-3)


def size(delta, stream):
    return np.sqrt(((delta**2).sum(axis=-1) / (stream**2).sum(axis=-1)).mean(axis=-1))


def test_the_growth_of_one_block_is_that_of_an_exact_derivative():
    # a block of Llama, against torch's forward-mode derivative along the same direction
    model = loaded(tiny("llama"))
    tokens = np.random.default_rng(0).integers(1, 257, size=(2, 9))
    found = stability(
        ForwardPasses(model, batch_tokens=100), tokens, Setting(), directions=1, seed=4, seq_id=np.array([8, 3])
    )
    h = model.causal.model.embed_tokens(torch.from_numpy(tokens))
    direction = module._direction(h, np.array([8, 3]), 0, 4)
    calls = {}
    block = model.causal.model.layers[0]
    handle = block.register_forward_pre_hook(lambda _m, a, k: calls.update(args=a, kwargs=k), with_kwargs=True)
    with torch.no_grad():
        model.body(input_ids=torch.from_numpy(tokens), use_cache=False)
    handle.remove()
    after, moved = torch.func.jvp(lambda x: block.forward(x, *calls["args"][1:], **calls["kwargs"]), (h,), (direction,))
    expected = np.log(size(moved.detach().numpy(), after.detach().numpy()) / size(direction.numpy(), h.numpy()))
    assert np.allclose(found.log_growth[:, 0, 0], expected, atol=2e-4)


def test_half_precision_is_followed_in_float32():
    tokens = np.random.default_rng(0).integers(1, 257, size=(3, 16))

    def growth(causal):
        passes = ForwardPasses(loaded(causal), batch_tokens=100)
        return stability(
            passes, tokens, Setting(Intervention.MLP_GLOBAL, 1.5), directions=2, seed=0, seq_id=np.arange(3)
        )

    rounded = tiny_llama(n_layers=4).to(torch.bfloat16)
    half, full = growth(rounded), growth(tiny_llama(n_layers=4).to(torch.bfloat16).float())
    # positions are handed to the blocks in bfloat16
    assert np.abs(half.log_growth - full.log_growth).max() < 0.02
    assert np.abs(half.wide.mean(axis=1) - half.log_growth[:, 0].mean(axis=1)).max() < 1e-3
    assert all(weight.dtype is torch.bfloat16 for weight in rounded.parameters())


def test_burn_in_windows_and_the_seed():
    model = loaded(tiny_llama())
    tokens = np.random.default_rng(0).integers(1, 257, size=(4, 16))

    def growth(rows=slice(None), seed=0, burn_in=0, batch_tokens=10**6):
        passes = ForwardPasses(model, batch_tokens=batch_tokens, burn_in=burn_in)
        found = stability(passes, tokens[rows], Setting(), directions=2, seed=seed, seq_id=np.arange(4)[rows])
        return found.log_growth

    whole = growth()
    assert np.allclose(growth(slice(2, 3)), whole[2:3], atol=1e-3)
    assert np.allclose(growth(batch_tokens=16), whole, atol=1e-3)
    assert not np.allclose(growth(seed=1), whole, atol=1e-3)
    assert np.isfinite(growth(burn_in=15)).all()


def test_a_perturbation_that_vanishes_is_not_available():
    found, _ = growth_of([-np.eye(WIDTH)] * 2)
    summary = summarise_stability(found.log_growth, found.wide, multinomial_weights(WINDOWS, 50, 1))
    assert np.isnan(summary.exponent.value)
    assert "vanished" in summary.exponent.reason


def test_the_summary_is_a_mean_with_an_interval_over_windows():
    rng = np.random.default_rng(0)
    growth = rng.normal(0.3, 0.1, size=(20, 4, 6))
    summary = summarise_stability(growth, growth[:, 0] + 0.01, multinomial_weights(20, 4000, 1))
    assert summary.exponent.value == pytest.approx(growth.mean(), rel=1e-12)
    assert summary.exponent.low < growth.mean() < summary.exponent.high
    assert summary.beyond_first.value == pytest.approx(growth[:, :, 1:].mean(), rel=1e-12)
    assert summary.step_deviation == pytest.approx(0.01, rel=1e-9)
    width = summary.exponent.high - summary.exponent.low
    # Student's interval, which the expanded percentiles stand for
    assert width == pytest.approx(2 * 2.093 * growth.mean(axis=(1, 2)).std(ddof=1) / np.sqrt(20), rel=0.1)
    single = summarise_stability(growth[:1, :1, :1], growth[:1, 0, :1], multinomial_weights(1, 50, 1))
    assert np.isnan(single.exponent.low)
    assert single.exponent.reason == "one window: no interval"
    assert np.isnan(single.beyond_first.value)
    with pytest.raises(DataError, match="do not fit"):
        summarise_stability(growth, growth[:, 0], multinomial_weights(19, 50, 1))


def test_a_direction_is_random_and_in_proportion_to_the_stream_of_each_token():
    stream = torch.randn(2, 5, 4000) * torch.tensor([1.0, 10.0, 1e3, 0.1, 0.0])[:, None]
    found = module._direction(stream, np.array([4, 9]), 1, 3)
    lengths, of_stream = (each.square().sum(dim=-1).sqrt().numpy() for each in (found, stream))
    assert np.allclose(lengths, of_stream * np.sqrt(4000), rtol=0.05)
    alone = module._direction(stream[1:], np.array([9]), 1, 3)
    assert torch.equal(alone, found[1:])
    cosine = (found[0, 0] * module._direction(stream, np.array([4, 9]), 0, 3)[0, 0]).sum() / lengths[0, 0] ** 2
    assert abs(float(cosine)) < 0.1
