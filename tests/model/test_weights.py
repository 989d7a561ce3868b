"""The weights that are loaded are those that the hashes cover, whole and finite; what else lies in a directory is not seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from models import byte_tokenizer, loaded_from, model_files_of, save, tiny
from safetensors.torch import load_file, save_file
from torch import Tensor

from critnb.canon import Exit
from critnb.errors import ModelError
from critnb.model.weights import not_finite

Tensors = dict[str, Tensor]
WEIGHTS = "model.safetensors"
UP = "model.layers.1.mlp.up_proj.weight"


def rewrite(directory: Path, change: Callable[[Tensors], Tensors]) -> None:
    """Replace the weights of a directory by changed ones."""
    tensors = change(load_file(directory / WEIGHTS))
    save_file({key: value.clone() for key, value in tensors.items()}, directory / WEIGHTS, metadata={"format": "pt"})


def without(*parts: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {key: value for key, value in tensors.items() if not any(part in key for part in parts)}


def logits(directory: Path) -> Tensor:
    with torch.inference_mode():
        return loaded_from(directory).causal(input_ids=torch.arange(8)[None]).logits


def refusal(directory: Path) -> str:
    with pytest.raises(ModelError) as caught:
        loaded_from(directory)
    assert caught.value.exit_code is Exit.BAD_INPUT
    first, remedy = str(caught.value).splitlines()
    assert first.startswith("tiny")
    assert "fetch the model anew" in remedy
    return first


def test_missing_tensors_are_counted_and_a_few_are_named(copy):
    gone = [key for key in load_file(copy / WEIGHTS) if ".layers.1." in key]
    rewrite(copy, without(".layers.1."))
    said = refusal(copy)
    assert f"(model type 'llama'): the weights lack tensors of the model ({len(gone)}): {sorted(gone)[0]}, " in said
    assert said.endswith(f"and {len(gone) - 3} more")


def test_one_missing_tensor(copy):
    rewrite(copy, without("model.norm.weight"))
    assert refusal(copy).endswith("lack tensors of the model (1): model.norm.weight")


def test_a_head_that_is_not_tied_must_be_stored(copy):
    config = json.loads((copy / "config.json").read_text())
    assert "lm_head.weight" not in load_file(copy / WEIGHTS)
    (copy / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    assert refusal(copy).endswith("lack tensors of the model (1): lm_head.weight")


def test_embeddings_may_be_stored_as_the_head_that_is_tied_to_them(saved, copy):
    name = "model.embed_tokens.weight"
    rewrite(copy, lambda tensors: {("lm_head.weight" if key == name else key): each for key, each in tensors.items()})
    assert torch.equal(logits(copy), logits(saved))


@pytest.mark.parametrize("name", ["model.layers.1.mlp.extra.weight", "model.layers.2.mlp.up_proj.weight", "other"])
def test_tensors_that_the_model_has_not(copy, name):
    rewrite(copy, lambda tensors: {**tensors, name: torch.zeros(3)})
    assert refusal(copy).endswith(f"hold tensors that the model has not (1): {name}")


def test_names_of_tensors_cannot_forge_a_line(copy):
    rewrite(copy, lambda tensors: {**tensors, "x\nS00 done\x1b[2J": torch.zeros(3)})
    assert refusal(copy).endswith(r"the model has not (1): x\nS00 done\x1b[2J")


@pytest.mark.parametrize(
    "name", ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.0.self_attn.masked_bias"]
)
def test_what_older_versions_stored_and_newer_ones_compute(saved, copy, name):
    rewrite(copy, lambda tensors: {**tensors, name: torch.full((4,), 7.0)})
    assert torch.equal(logits(copy), logits(saved))


def test_the_causal_masks_of_gpt_2_as_the_hub_has_it(tmp_path):
    directory = save(tmp_path / "tiny", tiny("gpt2"))
    before = logits(directory)
    mask = torch.ones(64, 64).tril().view(1, 1, 64, 64)
    rewrite(directory, lambda tensors: {**tensors, **{f"transformer.h.{n}.attn.bias": mask for n in range(3)}})
    assert torch.equal(logits(directory), before)


def test_tensors_of_another_shape(copy):
    rewrite(copy, lambda tensors: {**tensors, UP: tensors[UP][:, :-1]})
    assert refusal(copy).endswith(f"of another shape than the model's (1): {UP} is [24, 15], not [24, 16]")


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn, torch.int64])
def test_codes_of_numbers_are_not_taken_for_the_numbers(copy, dtype):
    rewrite(copy, lambda tensors: {**tensors, UP: tensors[UP].to(dtype)})
    assert refusal(copy).endswith(f"only together with scales (1): {UP}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(copy, value):
    def spoil(tensors: Tensors) -> Tensors:
        # a token that no text need have
        tensors["model.embed_tokens.weight"][200, 3] = value
        return tensors

    rewrite(copy, spoil)
    assert refusal(copy).endswith("hold values that are not finite (1): model.embed_tokens.weight")


def test_values_whose_sum_alone_overflows_are_finite():
    layer = torch.nn.Linear(4, 4)
    layer.weight.data.fill_(torch.finfo(torch.float32).max)
    assert not_finite(layer) == []
    layer.bias.data[2] = float("nan")
    assert not_finite(layer) == ["bias"]


def test_a_config_of_far_more_numbers_than_are_stored(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_size": 10**6, "intermediate_size": 10**6}))
    said = refusal(copy)
    assert said.startswith("tiny: config.json describes ")
    assert "the weights have " in said


def test_shards_are_loaded_as_one_file_is(saved, copy):
    tensors = load_file(copy / WEIGHTS)
    (copy / WEIGHTS).unlink()
    shards = {"one.safetensors": list(tensors)[::2], "two.safetensors": list(tensors)[1::2]}
    for name, keys in shards.items():
        save_file({key: tensors[key] for key in keys}, copy / name, metadata={"format": "pt"})
    weight_map = {key: name for name, keys in shards.items() for key in keys}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    # not named by the index: seen by no one
    save_file({UP: torch.zeros(24, 16)}, copy / "zero.safetensors", metadata={"format": "pt"})
    assert torch.equal(logits(copy), logits(saved))


def spoilt_tokenizer(folder: Path) -> Path:
    """Write a tokenizer of the same vocabulary that cuts otherwise; return its file."""
    tokenizer = json.loads(byte_tokenizer().backend_tokenizer.to_str())
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}
    (folder / "other.json").write_text(json.dumps(tokenizer))
    return folder / "other.json"


@pytest.mark.parametrize("where", ["special_tokens_map.json", "tokenizer_config.json"])
@pytest.mark.parametrize("argument", ["tokenizer_file", "vocab_file"])
def test_a_tokenizer_s_settings_name_no_file_elsewhere(copy, tmp_path, where, argument):
    other = spoilt_tokenizer(tmp_path)
    settings = json.loads((copy / where).read_text()) if (copy / where).exists() else {}
    (copy / where).write_text(json.dumps({**settings, argument: str(other)}))
    assert loaded_from(copy).tokenizer("banana")["input_ids"] == byte_tokenizer()("banana")["input_ids"]


def test_positional_arguments_of_a_tokenizer_are_refused(copy):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "init_inputs": ["/other.json"]}))
    with pytest.raises(ModelError, match="has init_inputs, which may name any file"):
        loaded_from(copy)


def test_other_files_of_a_directory_are_not_seen(saved, copy):
    """A generation config, a folder of templates, and a checkpoint in the format of torch.distributed."""
    (copy / "generation_config.json").write_text("never read")
    (copy / "additional_chat_templates").mkdir()
    (copy / "additional_chat_templates" / "x.jinja").write_bytes(b"\xff")
    (copy / ".metadata").write_bytes(b"not read")
    (copy / "__0_0.distcp").write_bytes(b"not read")
    model = loaded_from(copy)
    assert torch.equal(logits(copy), logits(saved))
    assert model.tokenizer.name_or_path == model.causal.config.name_or_path == str(copy)


def test_a_tokenizer_for_this_version_of_transformers_is_read_and_hashed(copy, tmp_path):
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    before = model_files_of(copy).tokenizer_sha256
    other = shutil.copy(spoilt_tokenizer(tmp_path), copy / "tokenizer.4.0.0.json")
    assert model_files_of(copy).tokenizer_sha256 != before
    versions = {"fast_tokenizer_files": ["tokenizer.json", Path(other).name]}
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, **versions}))
    assert loaded_from(copy).tokenizer("banana")["input_ids"] == byte_tokenizer()("bbnbnb")["input_ids"]


def test_byte_order_marks_are_no_part_of_a_model_s_files(saved, copy):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (copy / name).write_bytes(b"\xef\xbb\xbf" + (copy / name).read_bytes())
    assert torch.equal(logits(copy), logits(saved))
