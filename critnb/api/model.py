"""Load a language model as the stages do: with taps on its MLPs, and checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import ModelRole
from critnb.errors import DependencyError
from critnb.params import Loaded, validate

if TYPE_CHECKING:
    from critnb.model.language_model import LanguageModel

EMBEDDED = "embedded"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def load_model(
    name: str | Path,
    *,
    role: str = ModelRole.BASE,
    revision: str | None = None,
    device: str = "auto",
    device_map: str = "none",
    dtype: str = "auto",
    attention: str = "sdpa",
) -> LanguageModel:
    """Load a causal language model with taps on every MLP, and check them as stage S00 does.

    name: a directory in the hub's layout (safetensors), an id of the Hugging Face hub, or ``embedded``, whose two models
    ``role`` tells apart. device: auto, cpu, mps, cuda or cuda:N; device_map: none, or auto to divide the model among all
    devices; dtype: auto (as stored), float32, bfloat16, float16.
    The model has its numbers ``n_layers`` and ``n_units``, the transformers model ``causal``, and its ``tokenizer``.

    Raises:
        DependencyError: there is no such model, or the hub cannot be reached.
        ModelError: it is no decoder-only model whose taps hold: gain 1 changes nothing, any other acts linearly; or its
            files do not fit together: tensors are missing, unknown, of another shape, or not finite.
        ParamsError: an option has no such value.
    """
    from critnb import data
    from critnb.model.loading import load

    tree = {
        "models": {role: _source(name, revision)},
        "compute": {"device": device, "device_map": device_map, "dtype": dtype, "attention": attention},
    }
    params = validate(tree, origin="load_model")
    loaded = Loaded(params, "load_model", Path.cwd())
    return load(data.model_files(loaded, ModelRole(role)), params.compute)


def _source(name: str | Path, revision: str | None) -> dict[str, Any]:
    text = str(name)
    if text == EMBEDDED:
        return {"source": EMBEDDED}
    if Path(text).expanduser().is_dir():
        return {"source": "file", "path": text}
    if isinstance(name, Path) or not _HUB_ID.fullmatch(text):
        raise DependencyError(
            f"load_model: {text!r} is no directory, no hub id such as owner/name, and not {EMBEDDED!r}"
        )
    return {"source": "hub", "id": text, "revision": revision}
