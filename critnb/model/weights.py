"""A model's weights as they are stored: every tensor that the model needs, none that it does not know, all finite."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoModelForCausalLM

from critnb.data import ModelFiles
from critnb.errors import ModelError
from critnb.model.placement import each_weight
from critnb.system.terminal import plain

# masks and positions that older versions of transformers computed and stored; no architecture learns any of that name
_COMPUTED = re.compile(r"(^|\.)(self_)?(attn|attention)(\.attention)?\.((masked_)?bias|causal_mask|embed_positions)$")
_NUMBERS = ("F64", "F32", "F16", "BF16")
_ANEW = "config.json and weights are not of one model, or were not saved whole; fetch the model anew"
_SHOWN = 3
# what a model computes from its config alone, such as causal masks, may be larger than small weights
_MOST_COMPUTED = 2**28


def load_weights(
    folder: Path, config: Any, files: ModelFiles, *, attention: str, dtype: torch.dtype, where: Mapping[str, Any]
) -> Any:
    """Return the causal language model of a folder with the weights stored there, and with no others.

    ``where`` says on which devices they go, as ``placing`` does; without that they are the host's.
    Raises ModelError where tensors are missing, unknown, of another shape, or not finite. A tied head counts as stored,
    and what an architecture says that it leaves out or ignores is left out or ignored.
    """
    _refuse_larger(config, files)
    options: dict[str, Any] = {
        **{"config": config, "dtype": dtype, "attn_implementation": attention},
        **{"use_safetensors": True, "local_files_only": True, "trust_remote_code": False},
        # the loading info then lists them with the other keys
        **{"ignore_mismatched_sizes": True, "output_loading_info": True},
        **where,
    }
    causal, found = _from_pretrained(str(folder), options)
    computed = {name for name, _ in causal.named_buffers()}
    unknown = {key for key in found["unexpected_keys"] if key not in computed and not _COMPUTED.search(key)}
    shapes = [f"{key} is {list(stored)}, not {list(needed)}" for key, stored, needed in found["mismatched_keys"]]
    name = f"{files.id} (model type {config.model_type!r})"
    _refuse(name, "lack tensors of the model", found["missing_keys"])
    _refuse(name, "hold tensors of another shape than the model's", shapes)
    _refuse(name, "hold tensors that the model has not", unknown)
    _refuse(
        name,
        "hold tensors in whole numbers or 8 bits, which are weights only together with scales",
        _coded(causal, files),
    )
    _refuse(name, "hold values that are not finite", not_finite(causal))
    return causal


def _from_pretrained(folder: str, options: dict[str, Any]) -> Any:
    try:
        return AutoModelForCausalLM.from_pretrained(folder, **options)
    except ValueError as error:
        # a few older classes have one implementation only; said before any weight is read
        only_one = "does not support an attention implementation" in str(error)
        if options["attn_implementation"] == "eager" or not only_one:
            raise
        return AutoModelForCausalLM.from_pretrained(folder, **{**options, "attn_implementation": "eager"})


def _refuse(name: str, what: str, keys: Collection[str]) -> None:
    if keys:
        named = plain(", ".join(sorted(keys)[:_SHOWN]))
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        raise ModelError(f"{name}: the weights {what} ({len(keys)}): {named}{more}\n{_ANEW}")


def _coded(causal: Any, files: ModelFiles) -> list[str]:
    """Return the names of parameters that are stored as codes of numbers: loading would take the codes for the numbers."""
    found = []
    for path in files.files.weights:
        with safe_open(path, framework="numpy") as tensors:
            found += [key for key in tensors.keys() if tensors.get_slice(key).get_dtype() not in _NUMBERS]  # noqa: SIM118
    prefix = f"{causal.base_model_prefix}."
    parameters = {name.removeprefix(prefix) for name, _ in causal.named_parameters()}
    return [key for key in found if key.removeprefix(prefix) in parameters]


@torch.inference_mode()
def not_finite(model: nn.Module) -> list[str]:
    """Return the names of parameters that hold a NaN or an infinity."""
    # a sum is not finite where a value is not, and takes no second array of the tensor's size; it may overflow by itself
    doubtful = ((name, each) for name, each in each_weight(model) if not bool(each.sum().isfinite()))
    return [name for name, each in doubtful if not bool(torch.isfinite(each).all())]


def _refuse_larger(config: Any, files: ModelFiles) -> None:
    """Raise ModelError where a config is of a far larger model than the weights are, before memory is asked for it."""
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(deepcopy(config), attn_implementation="eager")
    except Exception:
        # few classes cannot be built without memory, and loading itself reports a config that builds none
        return
    tensors = dict(chain(model.named_parameters(), model.named_buffers()))
    stored = sum(path.stat().st_size for path in files.files.weights)
    needed = sum(each.numel() for each in tensors.values())
    if needed > stored + _MOST_COMPUTED:
        name, largest = max(tensors.items(), key=lambda each: each[1].numel())
        raise ModelError(
            f"{files.id}: config.json describes {needed:.3g} numbers ({name} {list(largest.shape)}), "
            f"the weights have {stored:.3g} bytes\n{_ANEW}"
        )
