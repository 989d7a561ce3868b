"""Every row of the table on a small random model of the real transformers class, from its directory to rasters."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from models import ROWS_AND_VARIANTS, loaded, loaded_from, save, tiny, tiny_loaded

from critnb.canon import PACK_ROOT, Intervention, SpikeDef
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.lattice.thresholds import gate
from critnb.model import checks
from critnb.model.architectures import ARCHITECTURES, architecture_of, known_model_types
from critnb.model.discovery import discover
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.taps import TapSource, reading_units, resolve

TOKENS = np.random.default_rng(0).integers(0, 257, size=(12, 32))
every = pytest.mark.parametrize("name", ROWS_AND_VARIANTS)
# the MLPs of these have no width of their own in the config
WIDTH = {"falcon": 128, "bloom": 128, "mpt": 128}

# classes of transformers without scaled-dot-product attention
ONE_ATTENTION = ("bloom", "codegen", "gemma2", "gptj", "gpt_neo", "granite_swa", "mpt", "vaultgemma", "xglm")
# attention and MLP read the same stream, so in layer 0 u is a function of the token alone and equal tokens tie
PARALLEL = {"cohere", "cohere2", "phi", "gptj", "codegen", "gpt_neox", "stablelm:parallel"} | {
    name
    for name in ROWS_AND_VARIANTS
    if name.startswith("falcon") and name not in ("falcon:sequential", "falcon:alibi")
}


def sound(model, tokens) -> None:
    """Assert both checks and their company, layer by layer."""
    assert checks.identity_deviation(model, tokens) == 0.0
    assert checks.unit_reading_deviation(model, tokens) == 0.0
    assert checks.causality_deviation(model, tokens) == 0.0
    for judged in (*checks.linearity(model, tokens), *checks.attention_linearity(model, tokens)):
        assert judged.passed, judged
        assert judged.contribution > 0


def test_no_type_stands_in_two_rows():
    assert len(known_model_types()) == len(set(known_model_types()))


def test_every_row_is_tried():
    assert {name.partition(":")[0] for name in ROWS_AND_VARIANTS} == set(known_model_types())


@every
def test_a_row_is_sound_in_every_layer(name):
    model = tiny_loaded(name)
    assert model.taps.source is TapSource.ROW
    assert (model.n_layers, model.n_units) == (len(model.taps.layers), WIDTH.get(name.partition(":")[0], 48))
    sound(model, TOKENS[:2])


@every
def test_a_search_finds_the_taps_of_a_row(name):
    """What a row says is not needed: without it the same modules are found, or such as give the same."""
    model, model_type = tiny_loaded(name), name.partition(":")[0]
    found = resolve(model.causal, discover(model.causal, model_type), TapSource.DISCOVERY)
    if name == "hyperclovax":
        # its post-norms are identities here, so that a branch and its norm are the same place
        assert discover(model.causal, model_type).mlp == "mlp"
        found = type(found)(found.layers, found.n_units)
        assert [layer.projection for layer in found.layers] == [layer.projection for layer in model.taps.layers]
    else:
        assert found.layers == model.taps.layers
    assert found.n_units == model.n_units


@every
def test_from_a_directory_to_rasters(name, tmp_path):
    """The stages' work through their functions: checks, calibration, rates matched at two gains, held-out rasters."""
    model = loaded_from(save(tmp_path / "model", tiny(name)))
    assert model.causal.config._attn_implementation == ("eager" if name in ONE_ATTENTION else "sdpa")
    passes = ForwardPasses(model, batch_tokens=128)
    sound(model, TOKENS[:2])
    calibration = calibrate(passes, TOKENS[:8])
    defs, rates = tuple(SpikeDef), (0.01, 0.02)
    targets = RateTargets(1.5, model.n_units, base_rates(passes, TOKENS[:8], calibration, defs, 1.5), rates)
    plain, _ = match_rates(passes, TOKENS[:8], calibration, targets, Setting())
    rasters = [extract(passes, TOKENS[8:], calibration, plain.tau, defs, Setting())]
    for setting in (Setting(gain=0.8), Setting(Intervention.ATTN_GLOBAL, 0.8)):
        thresholds, counts = match_rates(passes, TOKENS[:8], calibration, targets, setting)
        frame = thresholds.to_frame()
        if name not in PARALLEL:
            assert gate(frame)["passed"].all()
        assert (frame["events"] <= frame["target_events"]).all()
        assert (frame["events"] + frame["ties"] > frame["target_events"]).all()
        np.testing.assert_array_equal(extract(passes, TOKENS[:8], calibration, thresholds.tau, defs, setting), counts)
        rasters.append(extract(passes, TOKENS[8:], calibration, plain.tau, defs, setting))
    assert rasters[0].shape == (2, 2, 4, model.n_layers, 32)
    # a gain moves every layer that reads a stream which the scaled branch has changed
    for raster in rasters[1:]:
        assert (raster != rasters[0])[..., 1:, :].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "bloom", "falcon", "opt", "gemma2", "granite", "olmo2", "phi3"])
def test_half_precision_is_sound_too(name, dtype):
    sound(loaded(tiny(name).to(dtype)), TOKENS[:2])


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_attention_written_out_is_sound_too(name, tmp_path):
    model = loaded_from(save(tmp_path / "model", tiny(name)), attention="eager")
    assert model.causal.config._attn_implementation == "eager"
    sound(model, TOKENS[:2])


@every
def test_a_window_as_long_as_the_context_runs_and_the_context_is_the_models_own(name):
    model = tiny_loaded(name)
    assert model.context_length == (None if name in ("bloom", "falcon:alibi") else 64)
    longest = np.random.default_rng(1).integers(0, 257, size=(1, model.context_length or 300))
    shapes = []
    ForwardPasses(model, batch_tokens=64).run(longest, Setting(), lambda _f, _l, u: shapes.append(tuple(u.shape)))
    assert shapes == [(*longest.shape, model.n_units)] * model.n_layers


def by_hand(name, block, h):
    """Return u of a block for its MLP's input h, written out from the architecture's paper or code."""
    functional = torch.nn.functional
    mlp = getattr(block, "mlp", block)
    match name:
        case "llama":
            return functional.silu(mlp.gate_proj(h)) * mlp.up_proj(h)
        case "gemma" | "gemma2":
            return functional.gelu(mlp.gate_proj(h), approximate="tanh") * mlp.up_proj(h)
        case "phi3":
            gate, up = mlp.gate_up_proj.weight.chunk(2)
            return functional.silu(h @ gate.T) * (h @ up.T)
        case "gpt2":
            return functional.gelu(h @ mlp.c_fc.weight + mlp.c_fc.bias, approximate="tanh")
        case "gpt_neox" | "falcon":
            return functional.gelu(mlp.dense_h_to_4h(h))
        case "bloom":
            return functional.gelu(mlp.dense_h_to_4h(h), approximate="tanh")
        case "opt":
            return functional.relu(block.fc1(h)).view(2, -1, 48)
        case "nemotron" | "arcee":
            return functional.relu(mlp.up_proj(h)) ** 2


@pytest.mark.parametrize(
    "name",
    ["llama", "gemma", "gemma2", "phi3", "gpt2", "gpt_neox", "falcon", "bloom", "opt", "nemotron", "arcee"],
)
def test_u_is_what_the_formula_of_the_mlp_gives(name):
    model = tiny_loaded(name)
    read, inputs = {}, {}
    handles = []
    for layer, taps in enumerate(model.taps.layers):
        home = getattr(taps.block, "mlp", None) or taps.block.fc1
        handles.append(home.register_forward_pre_hook(lambda _m, a, n=layer: inputs.__setitem__(n, a[0].clone())))
    with torch.inference_mode(), reading_units(model.taps, lambda layer, u: read.__setitem__(layer, u.clone())):
        model.body(torch.from_numpy(TOKENS[:2]), use_cache=False)
        for handle in handles:
            handle.remove()
        for layer, taps in enumerate(model.taps.layers):
            torch.testing.assert_close(read[layer], by_hand(name, taps.block, inputs[layer]), rtol=1e-4, atol=1e-5)


def test_rows_are_told_by_model_type():
    assert all(architecture_of(name) is row for row in ARCHITECTURES for name in row.model_types)
    assert architecture_of("mamba") is None


@pytest.mark.parametrize("name", sorted(PARALLEL))
def test_u_of_the_first_layer_of_a_parallel_block_is_a_function_of_the_token(name):
    """Why ties are many there, and why it says nothing about context: layer 0 has seen none."""
    model = tiny_loaded(name)
    read = {}
    tokens = torch.tensor([[5, 6, 7, 5], [9, 8, 5, 6]])
    with torch.inference_mode(), reading_units(model.taps, lambda layer, u: read.__setitem__(layer, u.clone())):
        model.body(tokens, use_cache=False)
    fives = [read[layer][tokens == 5] for layer in (0, 1)]
    torch.testing.assert_close(fives[0], fives[0][:1].expand_as(fives[0]))
    assert (fives[1][0] - fives[1][1]).abs().max() > 1e-3


def test_the_page_lists_every_row():
    page = (PACK_ROOT / "spec" / "06_ARCHITECTURES.md").read_text()
    words = set(re.findall(r"[a-z0-9_]+", page.partition("## The checks")[0]))
    assert set(known_model_types()) <= words
