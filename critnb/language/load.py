"""Load a causal language model from a local directory in the hub's layout: safetensors only, no remote code."""

from __future__ import annotations

import logging
import platform
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from critnb.errors import CritnbError, ModelError, ParamsError
from critnb.language.architectures import architecture_of
from critnb.language.checks import require_sound
from critnb.language.discovery import find_taps
from critnb.language.model import LanguageModel
from critnb.language.refusals import refuse_unsuitable
from critnb.params import Compute
from critnb.sources import ModelFiles

# n_positions and others are mapped to the first by their configs; MPT has the second, older remote ones the rest
_CONTEXT_FIELDS = ("max_position_embeddings", "max_seq_len", "n_ctx", "seq_length")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device that a params file names; ``auto`` takes a GPU where there is one. Raises ParamsError."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ParamsError(f"compute.device: {name} is not on this machine; use auto or cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ParamsError("compute.device: mps is not on this machine; use auto or cpu")
    return device


def choose_dtype(name: str, stored: torch.dtype | None) -> torch.dtype:
    """Return the dtype to compute in; ``auto`` is bfloat16 for weights stored so, else float32, on every device alike."""
    if name != "auto":
        return _DTYPES[name]
    return torch.bfloat16 if stored is torch.bfloat16 else torch.float32


def load(files: ModelFiles, compute: Compute) -> LanguageModel:
    """Load the model of a directory, ready for inference; raises ModelError where it is none that can be tapped."""
    device = choose_device(compute.device)
    _quiet_transformers()
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    directory = str(files.directory)
    try:
        config = AutoConfig.from_pretrained(directory, **options)
        # before gigabytes of weights are read
        refuse_unsuitable(config)
        dtype = choose_dtype(compute.dtype, getattr(config, "dtype", None))
        tokenizer = AutoTokenizer.from_pretrained(directory, **options)
        causal = _weights(directory, compute.attention, config=config, dtype=dtype, use_safetensors=True, **options)
    except CritnbError:
        raise
    except Exception as error:
        # transformers and safetensors raise many kinds; all mean that this directory is not a loadable causal model
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{Path(directory).name}: not loadable as a causal language model: {reason}") from error
    causal.requires_grad_(False).eval().to(device)
    taps = find_taps(causal, config.model_type)
    model = LanguageModel(causal, tokenizer, taps, device, dtype, context_length(config))
    require_sound(model)
    return model


def _weights(directory: str, attention: str, **options: Any) -> Any:
    try:
        return AutoModelForCausalLM.from_pretrained(directory, attn_implementation=attention, **options)
    except ValueError as error:
        # a few older classes have one implementation only; said before any weight is read
        if attention == "eager" or "does not support an attention implementation" not in str(error):
            raise
        return AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager", **options)


def context_length(config: Any) -> int | None:
    """Return the longest window in tokens that a model can read, or None where its positions have no end (ALiBi)."""
    row = architecture_of(config.model_type)
    if getattr(config, "alibi", False) or (row is not None and row.endless):
        return None
    lengths = (getattr(config, name, None) for name in _CONTEXT_FIELDS)
    return next((length for length in lengths if isinstance(length, int) and length > 0), None)


def make_deterministic() -> dict[str, Any]:
    """Switch torch to deterministic algorithms and return what the record says about it."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return {"use_deterministic_algorithms": True, "allow_tf32": False, "num_threads": torch.get_num_threads()}


def hardware(device: torch.device) -> dict[str, Any]:
    """Return what the record says about the device that computed."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"device": str(device), "gpu": gpu, "machine": platform.machine(), "torch_threads": torch.get_num_threads()}


def _quiet_transformers() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="transformers")
