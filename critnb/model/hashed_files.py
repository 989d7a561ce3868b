"""A folder of the files that a run's id covers, and of nothing else, so that no other file can reach a number.

transformers looks for many files in a model's directory, and follows names in some of them to others: shards of an index,
adapters, versioned tokenizers, templates. It is given this folder instead of the directory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from critnb.data import ModelFiles
from critnb.data.checkpoint import WEIGHTS, WEIGHTS_INDEX, read_object
from critnb.errors import DependencyError, ModelError
from critnb.runs.scratch import Scratch

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# keyword arguments of a tokenizer's class are read from these, so they could name any file
_ARGUMENTS = ("tokenizer_config.json", "special_tokens_map.json")
_POSITIONAL = "init_inputs"


@contextmanager
def only_hashed(files: ModelFiles) -> Iterator[Path]:
    """Yield a folder with copies of a model's config and tokenizer and links to its weights, gone after the context.

    Raises DependencyError where the files cannot be read, StorageError where the folder cannot be made, ModelError where a
    tokenizer's config cannot be read.
    """
    with Scratch() as scratch:
        # a name of its own, since transformers takes the names of some folders for those of models
        folder = scratch / "model"
        try:
            _fill(folder, files)
        except OSError as error:
            raise DependencyError(
                f"{files.id}: {error.filename} cannot be copied to {scratch}: {error.strerror}"
            ) from None
        yield folder


def _fill(folder: Path, files: ModelFiles) -> None:
    folder.mkdir()
    for path in (files.files.config, *files.files.tokenizer):
        (folder / path.name).write_bytes(_content(path, files.id))
    weights = files.files.weights
    for path in weights:
        (folder / path.name).symlink_to(path.absolute())
    if weights[0].name != WEIGHTS:
        # the keys are read from the weights themselves; of an index transformers takes the names of files only
        index = {"metadata": {}, "weight_map": {path.name: path.name for path in weights}}
        (folder / WEIGHTS_INDEX).write_text(json.dumps(index), encoding="utf-8")


def _content(path: Path, model: str) -> bytes:
    if path.name not in _ARGUMENTS:
        return path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    arguments = read_object(path, model)
    if arguments.get(_POSITIONAL):
        raise ModelError(f"{model}: {path} has {_POSITIONAL}, which may name any file; take them out of it")
    kept = {key: value for key, value in arguments.items() if not key.endswith("_file") and key != _POSITIONAL}
    return json.dumps(kept).encode()
