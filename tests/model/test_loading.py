"""Loading: what a directory must hold, in which precision it is computed, and what is refused in a line."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from models import loaded_from, save, tiny_llama
from transformers import (
    BloomConfig,
    FalconConfig,
    GPT2Config,
    MambaConfig,
    MptConfig,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
)

from critnb.canon import ModelRole
from critnb.errors import ModelError, ParamsError
from critnb.model.loading import choose_device, choose_dtype, context_length


def test_a_model_is_loaded_as_it_was_saved(saved):
    model = loaded_from(saved)
    assert (model.n_layers, model.n_units, model.context_length) == (2, 24, 64)
    assert (model.dtype, model.device.type, model.causal.training) == (torch.float32, "cpu", False)
    assert not any(parameter.requires_grad for parameter in model.causal.parameters())
    ids = torch.arange(8)[None]
    with torch.inference_mode():
        assert torch.equal(model.causal(input_ids=ids).logits, tiny_llama(n_layers=2)(input_ids=ids).logits)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("config.json", "{}", "config.json"),
        ("config.json", '{"model_type": "no-such-type"}', "config.json"),
        ("config.json", '{"model_type": ["llama"]}', "config.json"),
        ("config.json", '{"model_type": "llama", "num_hidden_layers": null}', "config.json"),
        ("config.json", '{"model_type": "llama", "num_attention_heads": "2"}', "config.json"),
        ("config.json", '{"model_type": "llama", "dtype": "float99"}', "config.json"),
        ("tokenizer.json", "{}", "the tokenizer"),
        ("tokenizer.json", "{", "the tokenizer"),
        ("tokenizer.json", '{"a": ' * 100_000, "the tokenizer"),
        ("tokenizer_config.json", '{"tokenizer_class": 3}', "the tokenizer"),
    ],
)
def test_a_broken_file_is_named_with_its_model_and_what_is_wrong(copy, name, content, part):
    (copy / name).write_text(content)
    with pytest.raises(ModelError, match=f"^tiny: not loadable as a causal language model: {part}: ") as caught:
        loaded_from(copy)
    first, remedy = str(caught.value).splitlines()
    assert len(first) < 320
    assert "/critnb-" not in first
    assert remedy.startswith("fetch the model anew, or use one of those that spec/06_ARCHITECTURES.md lists")


def test_too_little_memory_is_told_apart(copy, monkeypatch):
    def starved(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("critnb.model.loading.load_weights", starved)
    with pytest.raises(
        ModelError, match=r"^tiny: too little memory to load the weights; the weights alone take \S+e-05 GB"
    ):
        loaded_from(copy)


def test_a_library_that_panics_is_one_more_reason(copy, monkeypatch):
    class Panic(BaseException):
        """What libraries in Rust raise is no Exception."""

    def panics(*_: object, **__: object) -> None:
        raise Panic("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr("critnb.model.loading.AutoTokenizer.from_pretrained", panics)
    with pytest.raises(ModelError, match=r"the tokenizer: Panic: called `Option::unwrap"):
        loaded_from(copy)


def test_a_tokenizer_that_cuts_at_random(copy):
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["model"]["dropout"] = 0.1
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"cuts the same text at random \(dropout = 0\.1 in tokenizer\.json\)"):
        loaded_from(copy)


def test_quantised_weights(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "fp8"}}))
    with pytest.raises(ModelError, match=r"'llama' with weights that are quantised"):
        loaded_from(copy)


def test_no_temporary_folder_is_left_behind(copy, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    loaded_from(copy)
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError):
        loaded_from(copy)
    assert not list(tmp_path.glob("critnb-*"))


def test_code_that_comes_with_a_model_is_not_run(copy):
    config = json.loads((copy / "config.json").read_text())
    mine = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "evil", "auto_map": mine}))
    (copy / "evil.py").write_text(f"open({str(copy / 'was_here')!r}, 'w')")
    with pytest.raises(ModelError, match="not loadable"):
        loaded_from(copy)
    assert not (copy / "was_here").exists()


def test_an_architecture_that_no_row_names_and_no_search_finds(tmp_path):
    config = OpenAIGPTConfig(vocab_size=257, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    directory = save(tmp_path / "gpt1", OpenAIGPTLMHeadModel(config))
    with pytest.raises(ModelError, match=r"'openai-gpt' has no recognisable MLP") as caught:
        loaded_from(directory)
    assert str(caught.value).splitlines()[1].endswith("or add a row to critnb/model/architectures.py")


def test_the_record_says_where_the_taps_came_from(saved):
    model = loaded_from(saved)
    files = SimpleNamespace(id="tiny", revision=None, weights_sha256="0" * 64, tokenizer_sha256="1" * 64)
    facts = model.facts(files, ModelRole.BASE)
    assert (facts["taps"], facts["attention"], facts["class"]) == ("row", "sdpa", "LlamaForCausalLM")


@pytest.mark.parametrize(
    ("config", "length"),
    [
        (GPT2Config(n_positions=77), 77),
        (MptConfig(max_seq_len=99), 99),
        (BloomConfig(seq_length=2048), None),
        (FalconConfig(alibi=True), None),
        (FalconConfig(max_position_embeddings=55), 55),
        (MambaConfig(), None),
    ],
)
def test_the_context_is_told_by_the_config(config, length):
    assert context_length(config) == length


@pytest.mark.parametrize(
    ("asked", "stored", "used"),
    [
        ("auto", torch.float32, torch.float32),
        ("auto", torch.bfloat16, torch.bfloat16),
        ("auto", torch.float16, torch.float32),
        ("auto", None, torch.float32),
        ("float16", torch.float32, torch.float16),
        ("float32", torch.bfloat16, torch.float32),
    ],
)
def test_the_dtype_follows_from_params_and_weights_and_from_no_machine(asked, stored, used):
    assert choose_dtype(asked, stored) is used


def test_weights_stored_in_bfloat16_are_computed_in_it(tmp_path):
    directory = save(tmp_path / "half", tiny_llama(n_layers=1).to(torch.bfloat16))
    assert loaded_from(directory).dtype is torch.bfloat16
    assert loaded_from(directory, dtype="float32").dtype is torch.float32


def test_a_device_that_is_not_there():
    with pytest.raises(ParamsError, match=r"compute\.device: cuda:99 is not on this machine; use auto or cpu"):
        choose_device("cuda:99")
    assert choose_device("cpu").type == "cpu"
