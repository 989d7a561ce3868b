"""The files of a model directory: which are taken, and what is refused before anything of them is loaded."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from critnb.canon import Exit
from critnb.data.checkpoint import TOKENIZER_FILES, checkpoint
from critnb.errors import CritnbError

INDEX = "model.safetensors.index.json"


@pytest.fixture
def model(tmp_path) -> Path:
    """A directory whose weights are two tensors; names with no meaning to any model."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 2}')
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    store(tmp_path / "model" / "model.safetensors", "a", "b")
    return tmp_path / "model"


def store(path: Path, *keys: str) -> None:
    save_file({key: np.arange(4.0) for key in keys}, path)


def shard(model: Path, *names: str, weight_map: object = None) -> None:
    """Replace the weights by shards of one tensor each, and an index of them or of whatever ``weight_map`` says."""
    (model / "model.safetensors").unlink()
    for number, name in enumerate(names):
        store(model / name, f"t{number}")
    named = {f"t{number}": name for number, name in enumerate(names)}
    (model / INDEX).write_text(json.dumps({"weight_map": named if weight_map is None else weight_map}))


def refusal(model: Path) -> tuple[Exit, str]:
    with pytest.raises(CritnbError) as caught:
        checkpoint(model, "models.BASE")
    message = str(caught.value)
    assert message.startswith(f"models.BASE: {model}")
    assert message.count("\n") <= 1
    return caught.value.exit_code, message


def test_weights_are_one_file_or_the_shards_of_an_index(model):
    assert [path.name for path in checkpoint(model, "m").weights] == ["model.safetensors"]
    shard(model, "b.safetensors", "a.safetensors")
    store(model / "another.safetensors", "t0")
    assert [path.name for path in checkpoint(model, "m").weights] == ["a.safetensors", "b.safetensors"]


def test_files_are_taken_through_links_as_the_hub_s_cache_has_them(model):
    (model.parent / "blobs").mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (model / name).rename(model.parent / "blobs" / name)
        (model / name).symlink_to(f"../blobs/{name}")
    assert checkpoint(model, "m").config == model / "config.json"


@pytest.mark.parametrize("name", ["deep/w.safetensors", "../w.safetensors", "/w.safetensors", "w.bin", "w\n.bin", ".."])
def test_an_index_names_safetensors_beside_it_and_no_others(model, name):
    (model / "deep").mkdir()
    for path in (model / "deep" / "w.safetensors", model.parent / "w.safetensors"):
        store(path, "t0")
    (model / "w.bin").write_bytes(b"never unpickled")
    shard(model, weight_map={"t0": name})
    code, message = refusal(model)
    assert code is Exit.BAD_INPUT
    assert f"names the weights {name!r}" in message


@pytest.mark.parametrize("weight_map", [{}, [], None, 3, {"t0": None}, {"t0": ["a.safetensors"]}])
def test_an_index_without_names(model, weight_map):
    shard(model)
    (model / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    assert "has no weight_map of keys to file names" in refusal(model)[1]


def test_a_shard_that_is_not_there(model):
    shard(model, "a.safetensors", "b.safetensors")
    (model / "b.safetensors").unlink()
    code, message = refusal(model)
    assert code is Exit.MISSING_DEPENDENCY
    assert "names 'b.safetensors', which is not there" in message


def test_two_shards_with_one_tensor(model):
    shard(model, "a.safetensors", "b.safetensors")
    store(model / "b.safetensors", "t0", "t1")
    assert "holds 't0', which a.safetensors holds too" in refusal(model)[1]


def test_weights_beside_an_index_of_others(model):
    weight_map = {"a": "a.safetensors"}
    store(model / "a.safetensors", "a")
    (model / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    assert "so it is not clear which are meant" in refusal(model)[1]
    (model / INDEX).write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model.safetensors"}}))
    assert [path.name for path in checkpoint(model, "m").weights] == ["model.safetensors"]


def test_weights_of_another_name_without_an_index(model):
    (model / "model.safetensors").rename(model / "weights.safetensors")
    code, message = refusal(model)
    assert code is Exit.MISSING_DEPENDENCY
    assert "holds no model.safetensors, and no index that names its *.safetensors" in message


def test_an_adapter_is_not_passed_over(model):
    (model / "adapter_config.json").write_text("{}")
    assert "adapters are not loaded" in refusal(model)[1]


def test_a_config_that_names_other_weights(model):
    (model / "config.json").write_text('{"transformers_weights": "other.safetensors"}')
    assert "names other weights (transformers_weights = 'other.safetensors')" in refusal(model)[1]


NO_FILES = {
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device or a pipe, not a file"),
    "a pipe": (os.mkfifo, "is a device or a pipe, not a file"),
    "a folder": (Path.mkdir, "is a folder, not a file"),
    "a loop of links": (lambda path: path.symlink_to(path.name), "is a link that leads to no file (Too many levels"),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "is a link that leads to no file (No such file"),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", INDEX])
def test_what_is_no_file_is_said_with_its_path(model, name, kind):
    make, message = NO_FILES[kind]
    (model / name).unlink(missing_ok=True)
    make(model / name)
    code, said = refusal(model)
    assert code is Exit.MISSING_DEPENDENCY
    assert f"{model / name} {message}" in said


def header(tensors: object, data: int) -> bytes:
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


TWO = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        struct.pack("<Q", 10**12) + b"{}",
        header({"a": TWO}, 7),
        header({"a": TWO}, 9),
        header({"a": TWO, "b": TWO}, 8),
        header({"a": {**TWO, "data_offsets": [4, 12]}}, 12),
        header({"a": {**TWO, "shape": [3]}}, 8),
        header({"a": {**TWO, "shape": [2**62, 8], "data_offsets": [0, 0]}}, 0),
        header({"a": {**TWO, "shape": [-2]}}, 8),
        header({"a": {**TWO, "dtype": "F99"}}, 8),
        header(b'{"a":' * 5000, 8),
    ],
)
def test_a_header_that_does_not_fit_its_file(model, content):
    (model / "model.safetensors").write_bytes(content)
    code, message = refusal(model)
    assert code is Exit.BAD_INPUT
    assert f"{model / 'model.safetensors'} is no whole safetensors file (" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON that can be read"),
        ("[]", "holds no JSON object"),
        ('{"a": ' * 100_000, "is nested too deeply"),
        (f'{{"vocab_size": {"1" * 5000}}}', "is no JSON that can be read"),
        (f'{{"a": "{" " * 2**25}"}}', "has 33554441 bytes, more than any"),
        ("\x00", "is no JSON that can be read"),
    ],
)
def test_a_config_that_cannot_be_read(model, text, message):
    (model / "config.json").write_text(text)
    code, said = refusal(model)
    assert code is Exit.BAD_INPUT
    assert f"{model / 'config.json'} {message}" in said
    assert len(said) < 500


def test_a_config_that_is_not_utf_8(model):
    (model / "config.json").write_bytes(b'{"a": "\xe9"}')
    assert "is no JSON that can be read" in refusal(model)[1]


def test_a_byte_order_mark_is_no_part_of_a_config(model):
    (model / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    assert checkpoint(model, "m").config.name == "config.json"


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 3},
        {"n_layer": 10**7},
        {"text_config": {"num_hidden_layers": 10**7}},
        {"hidden_size": 10**12},
        {"num_labels": 10**9},
    ],
)
def test_a_config_of_a_larger_model_than_the_weights_are(model, config):
    (model / "config.json").write_text(json.dumps(config))
    code, message = refusal(model)
    assert code is Exit.BAD_INPUT
    found = config.get("text_config", config)
    assert f"{model / 'config.json'} says {next(iter(found))} = {next(iter(found.values()))}" in message


def test_lengths_and_rotary_bases_may_be_large(model):
    large = {"max_position_embeddings": 10**7, "rope_theta": 10**10, "num_hidden_layers": 2}
    (model / "config.json").write_text(json.dumps(large))
    checkpoint(model, "m")


def test_a_file_that_cannot_be_opened_is_named(model, monkeypatch):
    def too_many(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_text", too_many)
    code, message = refusal(model)
    assert code is Exit.MISSING_DEPENDENCY
    assert "config.json cannot be read: Too many open files" in message


@pytest.mark.slow
def test_every_file_that_a_tokenizer_of_transformers_reads_is_covered():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name
    from transformers.utils.import_utils import DummyObject

    named = {TOKENIZER_MAPPING_NAMES.get(model_type) for model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES} - {None}
    classes = [tokenizer_class_from_name(name) for name in sorted(named)]
    read = {
        file
        for each in classes
        if each is not None and not isinstance(each, DummyObject)
        for file in each.vocab_files_names.values()
    }
    assert {"tokenizer.json", "vocab.json", "merges.txt"} <= read
    assert read <= {*TOKENIZER_FILES}
