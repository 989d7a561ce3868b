"""Models larger than a device: blocks that wait elsewhere change no bit, and what cannot be placed is refused in a line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from models import loaded, model_files_of, save, tiny_llama

from critnb.canon import SpikeDef
from critnb.contract import STAGES
from critnb.errors import DependencyError, ModelError, ParamsError
from critnb.events import RateTargets, base_rates, calibrate, match_rates
from critnb.model import loading, placement
from critnb.model.checks import require_sound
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.partial import require_repeatable
from critnb.model.placement import each_weight, placing
from critnb.model.stability import stability
from critnb.model.weights import not_finite
from critnb.params import Compute, validate
from critnb.system import extras

CPU, CARD = torch.device("cpu"), torch.device("cuda:0")
AUTO = Compute(device_map="auto")


@pytest.fixture
def files(tmp_path):
    return model_files_of(save(tmp_path, tiny_llama()))


def all_that_stages_take(model):
    tokens = np.random.default_rng(1).integers(0, 257, size=(4, 24))
    require_sound(model)
    require_repeatable(model, model.ids(tokens[:1]))
    passes = ForwardPasses(model, batch_tokens=48)
    calibration = calibrate(passes, tokens)
    base = base_rates(passes, tokens, calibration, tuple(SpikeDef), 1.2)
    targets = RateTargets(1.2, model.n_units, base, (0.02,))
    thresholds, counts = match_rates(passes, tokens, calibration, targets, Setting(gain=0.9))
    growth = stability(passes, tokens[:2], Setting(), directions=2, seed=1, seq_id=np.arange(2))
    return [calibration.mu, calibration.sigma, thresholds.tau, counts, growth.log_growth, growth.wide]


def in_bfloat16():
    model = loaded(tiny_llama())
    model.causal.to(torch.bfloat16)
    return model


def test_blocks_that_wait_in_memory_for_their_turn_change_no_bit():
    model = in_bfloat16()
    cpu_offload(model.causal, execution_device=CPU)
    assert all(weight.is_meta for weight in model.causal.parameters())
    for plain, offloaded in zip(all_that_stages_take(in_bfloat16()), all_that_stages_take(model), strict=True):
        np.testing.assert_array_equal(plain, offloaded)
    # and they wait again
    assert all(weight.is_meta for weight in model.causal.parameters())


def test_weights_that_wait_are_looked_at():
    model = in_bfloat16()
    with torch.no_grad():
        model.causal.model.layers[1].mlp.up_proj.weight[3, 2] = torch.nan
    plain = {name: weight.clone() for name, weight in model.causal.named_parameters()}
    cpu_offload(model.causal, execution_device=CPU)
    assert not_finite(model.causal) == ["model.layers.1.mlp.up_proj.weight"]
    for name, weight in each_weight(model.causal):
        torch.testing.assert_close(weight, plain.get(name, weight), equal_nan=True)


def test_where_the_processor_is_all_there_is_auto_is_a_model_of_the_processor(files):
    model, plain = loading.load(files, AUTO), loading.load(files, Compute(device="cpu"))
    assert (model.device, model.placed) == (CPU, {})
    assert loading.hardware(model.device, model.placed) == loading.hardware(plain.device)
    ids = model.ids(np.arange(20)[None])
    assert torch.equal(model.causal(ids).logits, plain.causal(ids).logits)


def test_a_model_that_fits_nowhere_is_refused(files, monkeypatch):
    monkeypatch.setattr(placement, "_memory", lambda: {0: 1000, "cpu": 9000})
    with pytest.raises(ModelError) as raised:
        loading.load(files, AUTO)
    first, second = str(raised.value).splitlines()
    assert "devices and memory of this machine have 1e-05 GB" in first
    assert "use a machine with more" in second


def test_parts_that_would_wait_on_a_disk_are_refused(files, monkeypatch):
    parts = {
        "model.embed_tokens": "cpu",
        "model.layers": "disk",
        "model.norm": "cpu",
        "model.rotary_emb": "cpu",
        "lm_head": "cpu",
    }
    monkeypatch.setattr(loading, "placing", lambda *_: {"device_map": parts})
    with pytest.raises(ModelError, match="devices and memory of this machine have"):
        loading.load(files, AUTO)


def test_parts_on_several_devices_are_recorded_and_token_ids_go_to_the_first():
    causal = SimpleNamespace(hf_device_map={"embed": 0, "blocks.0": 0, "blocks.1": "cuda:1", "head": "cpu"})
    parts = placement.placed(causal, SimpleNamespace())
    assert parts == {"embed": "cuda:0", "blocks.0": "cuda:0", "blocks.1": "cuda:1", "head": "cpu"}
    assert placement.main_device(causal, CPU) == CARD
    assert loading.hardware(CPU, parts)["device_map"] == parts
    one = SimpleNamespace(hf_device_map={"": CARD})
    assert placement.placed(one, SimpleNamespace()) == {}


def test_weights_go_straight_to_one_device_where_accelerate_is_there(files, monkeypatch):
    assert placing(Compute(), CARD, files) == {"device_map": {"": CARD}}
    assert placing(Compute(), CPU, files) == {}
    monkeypatch.setattr(extras, "find_spec", lambda _name: None)
    assert placing(Compute(), CARD, files) == {}
    with pytest.raises(DependencyError) as raised:
        placing(AUTO, CARD, files)
    assert str(raised.value) == (
        "compute.device_map auto divides a model among devices with accelerate, which is not installed; "
        "pip install 'critnb[large]'"
    )


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        ({"device_map": "tp"}, "tensor parallelism divides the units of a layer among devices"),
        ({"device_map": "tensor_parallel"}, "tensor parallelism divides the units of a layer among devices"),
        ({"device_map": "auto", "device": "cuda:1"}, "device_map auto takes all devices that there are"),
        ({"device_map": "balanced"}, "compute.device_map"),
    ],
)
def test_other_divisions_are_refused_by_name(compute, said):
    with pytest.raises(ParamsError, match=said):
        validate({"compute": compute}, origin="test")


def test_no_stage_s_id_follows_from_where_weights_are():
    assert not [each for spec in STAGES for each in spec.reads if each.startswith("compute.device")]
    assert not [spec for spec in STAGES if "compute" in spec.reads]


@pytest.mark.parametrize(
    ("asked", "size", "driver", "warned"),
    [
        ("auto", 10**9, False, True),
        ("auto", 10**6, False, False),
        ("auto", 10**6, True, True),
        ("cpu", 10**10, True, False),
    ],
)
def test_auto_that_finds_no_gpu_says_so_where_it_matters(asked, size, driver, warned, monkeypatch):
    monkeypatch.setattr(loading, "has_gpu_driver", lambda: driver)
    said = loading.without_gpu(asked, CPU, SimpleNamespace(id="a/model", weights_bytes=size))
    assert (said is not None) is warned
    assert said is None or ("a/model" in said and torch.__version__ in said and "\n" not in said)
    assert loading.without_gpu(asked, CARD, SimpleNamespace(id="a/model", weights_bytes=size)) is None


@pytest.mark.gpu
def test_a_model_on_a_card_and_one_divided_between_card_and_memory_agree(files, monkeypatch):
    whole = loading.load(files, Compute(device="cuda"))
    assert all(weight.is_cuda for weight in whole.causal.parameters())
    sizes = sum(weight.nbytes for weight in whole.causal.parameters())
    monkeypatch.setattr(placement, "_memory", lambda: {0: sizes // 2, "cpu": 10**9})
    divided = loading.load(files, AUTO)
    assert set(divided.placed.values()) == {"cuda:0", "cpu"}
    for one, other in zip(all_that_stages_take(whole), all_that_stages_take(divided), strict=True):
        np.testing.assert_array_equal(one, other)
