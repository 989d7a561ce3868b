"""Which files of a model directory make the model, each looked at before anything of it is loaded.

What is listed here is what the run's id covers and what the loader gets to see; nothing else of a directory is read.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critnb.errors import DependencyError, ModelError
from critnb.system.paths import PathKind, kind
from critnb.system.terminal import plain

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
# what tokenizers of decoder-only models in transformers read; a test holds the list to the installed version
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"),
    *("tokenizer.model", "added_tokens.json", "chat_template.jinja", "vocab.txt", "spiece.model", "spm.model"),
    *("sentencepiece.bpe.model", "sentencepiece.model", "tiktoken.model", "tekken.json", "dict.txt", "bpe.codes"),
    *("byte_maps.json", "emoji.json", "entity_vocab.json", "normalizer.json"),
    *("prophetnet.tokenizer", "word_pronunciation.json", "word_shape.json"),
)
# such as tokenizer.4.0.0.json, which newer versions of transformers prefer where tokenizer_config.json says so
VERSIONED_TOKENIZERS = "tokenizer.*.json"
_OTHER_WEIGHTS = "transformers_weights"
_LIKE_HUB = "config.json, model.safetensors, tokenizer.json"
# config.json and the index of a large model take some hundred kilobytes
_MOST_JSON_BYTES = 2**25
_LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer", "decoder_layers", "layers", "depth")
# lengths and bases of rotary positions may be larger than anything that a model holds a million of
_NO_COUNT = re.compile(r"position|length|theta|base|window|seq|ctx|chunk")
_MOST_OF_A_KIND = 10**6
_NO_FILE = {
    PathKind.folder: "is a folder, not a file",
    PathKind.loop: f"is a link that leads to no file ({os.strerror(errno.ELOOP)})",
    PathKind.dangling: f"is a link that leads to no file ({os.strerror(errno.ENOENT)})",
    PathKind.nothing: f"cannot be read ({os.strerror(errno.ENOENT)})",
}
_SPECIAL = "is a device or a pipe, not a file"


@dataclass(frozen=True)
class Checkpoint:
    """The files of a model: what its weights hold has been held against its config."""

    config: Path
    weights: tuple[Path, ...]
    tokenizer: tuple[Path, ...]


def checkpoint(directory: Path, where: str) -> Checkpoint:
    """Return the files that make the model of a directory; ``where`` names the model in messages.

    Raises DependencyError where a file is not there or is no file that can be read, and ModelError where an index names
    weights outside the directory, a header does not fit its file, or the config is of a larger model.
    """
    if _exists(directory / ADAPTER):
        raise ModelError(
            f"{where}: {directory} holds {ADAPTER}, and adapters are not loaded\n"
            f"merge the adapter into the weights and save the model anew, or take {ADAPTER} out of a copy of the directory"
        )
    weights = tuple(plain_file(path, where) for path in _weights(directory, where))
    config = directory / CONFIG
    if not _exists(config):
        raise DependencyError(_holds_no(directory, CONFIG, where))
    names = [name for name in TOKENIZER_FILES if _exists(directory / name)]
    names += sorted(path.name for path in directory.glob(VERSIONED_TOKENIZERS))
    if not names:
        raise DependencyError(f"{where}: {directory} holds no tokenizer.json; add the model's tokenizer files")
    tokenizer = tuple(plain_file(directory / name, where) for name in names)
    said = read_object(plain_file(config, where), where)
    if said.get(_OTHER_WEIGHTS) not in (None, WEIGHTS):
        raise ModelError(
            f"{where}: {config} names other weights ({_OTHER_WEIGHTS} = {said[_OTHER_WEIGHTS]!r}); only {WEIGHTS} or the "
            f"shards of its index are loaded\nname the weights {WEIGHTS} and take {_OTHER_WEIGHTS} out of config.json"
        )
    _refuse_larger(said, config, _count_tensors(weights, where), where)
    return Checkpoint(config, weights, tokenizer)


def plain_file(path: Path, where: str) -> Path:
    """Return ``path`` if it is a file, directly or through links; raises DependencyError."""
    try:
        found = kind(path, strict=True)
    except OSError as error:
        raise DependencyError(f"{where}: {path} cannot be read ({error.strerror}); fetch the model anew") from None
    if found is not PathKind.file:
        raise DependencyError(f"{where}: {path} {_NO_FILE.get(found, _SPECIAL)}; fetch the model anew")
    return path


def read_object(path: Path, where: str) -> dict[str, Any]:
    """Return the JSON object of a small file, a byte order mark before it left out; raises DependencyError or ModelError."""
    try:
        size = path.stat().st_size
        if size > _MOST_JSON_BYTES:
            raise ModelError(f"{where}: {path} has {size} bytes, more than any file of its kind; fetch the model anew")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DependencyError(f"{where}: {path} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise ModelError(f"{where}: {path} is nested too deeply to be read; fetch the model anew") from None
    except ValueError as error:
        # no JSON, no UTF-8, or an integer of thousands of digits
        raise ModelError(f"{where}: {path} is no JSON that can be read ({error}); fetch the model anew") from None
    if not isinstance(found, dict):
        raise ModelError(f"{where}: {path} holds no JSON object; fetch the model anew")
    return found


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _holds_no(directory: Path, what: str, where: str) -> str:
    return f"{where}: {directory} holds no {what}\npoint {where} at a directory in the hub's layout: {_LIKE_HUB}"


def _weights(directory: Path, where: str) -> list[Path]:
    single, index = directory / WEIGHTS, directory / WEIGHTS_INDEX
    shards = _shards(plain_file(index, where), where) if _exists(index) else []
    if _exists(single):
        if shards not in ([], [single]):
            raise ModelError(
                f"{where}: {directory} holds {WEIGHTS} and an index of other weights, so it is not clear which are meant\n"
                f"take {WEIGHTS} or {WEIGHTS_INDEX} out of a copy of the directory"
            )
        return [single]
    if not shards:
        raise DependencyError(
            _holds_no(directory, "*.safetensors weights (other formats are not loaded)", where)
            if not any(directory.glob("*.safetensors"))
            else _holds_no(directory, f"{WEIGHTS}, and no index that names its *.safetensors", where)
        )
    return shards


def _shards(index: Path, where: str) -> list[Path]:
    weight_map = read_object(index, where).get("weight_map")
    names = weight_map.values() if isinstance(weight_map, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{where}: {index} has no weight_map of keys to file names; fetch the model anew")
    for name in sorted(set(names)):
        if not name.endswith(".safetensors") or not re.fullmatch(r"[^/\\\0]+", name):
            raise ModelError(
                f"{where}: {index} names the weights {name!r}; only *.safetensors beside the index are loaded\n"
                "put the weights into the model's directory as safetensors, and their names into the index"
            )
        if not _exists(index.parent / name):
            raise DependencyError(f"{where}: {index} names {name!r}, which is not there; fetch the model anew")
    return [index.parent / name for name in sorted(set(names))]


def _count_tensors(weights: tuple[Path, ...], where: str) -> int:
    """Return how many tensors the headers name, each of them checked against its file's size by safetensors."""
    home: dict[str, Path] = {}
    for path in weights:
        for key in _keys(path, where):
            if key in home:
                raise ModelError(
                    f"{where}: {path} holds {key!r}, which {home[key].name} holds too; fetch the model anew"
                )
            home[key] = path
    return len(home)


def _keys(path: Path, where: str) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            return list(tensors.keys())
    except SafetensorError as error:
        raise ModelError(
            f"{where}: {path} is no whole safetensors file ({plain(str(error))}); fetch the model anew"
        ) from None
    except (OSError, MemoryError) as error:
        raise DependencyError(f"{where}: {path} cannot be read: {error or 'too little memory'}") from None


def _refuse_larger(config: Mapping[str, Any], path: Path, n_tensors: int, where: str) -> None:
    """Raise ModelError where a config asks for more layers than there are tensors, or for an endless number of anything."""
    for key, value in _integers(config):
        if key in _LAYER_COUNTS and value > n_tensors:
            raise ModelError(
                f"{where}: {path} says {key} = {value}, the weights hold {n_tensors} tensors\n"
                "config.json and weights are not of one model; fetch both anew"
            )
        if value > _MOST_OF_A_KIND and not _NO_COUNT.search(key):
            raise ModelError(
                f"{where}: {path} says {plain(key)} = {value}; more than {_MOST_OF_A_KIND} of anything are not built\n"
                "repair config.json, or fetch the model anew"
            )


def _integers(tree: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _integers(value)
        elif type(value) is int:
            yield key, value
