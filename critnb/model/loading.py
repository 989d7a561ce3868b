"""Load a causal language model from a local directory in the hub's layout: safetensors only, no remote code."""

from __future__ import annotations

import errno
import logging
import platform
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from critnb.data import ModelFiles
from critnb.errors import CritnbError, ModelError, ParamsError
from critnb.model.architectures import architecture_of
from critnb.model.discovery import find_taps
from critnb.model.hashed_files import only_hashed
from critnb.model.language_model import LanguageModel
from critnb.model.placement import main_device, placed, placing
from critnb.model.refusals import refuse_random, refuse_unsuitable
from critnb.model.soundness import Soundness
from critnb.model.weights import load_weights
from critnb.params import Compute
from critnb.system.gpu import has_gpu_driver
from critnb.system.terminal import plain

# n_positions and others are mapped to the first by their configs; MPT has the second, older remote ones the rest
_CONTEXT_FIELDS = ("max_position_embeddings", "max_seq_len", "n_ctx", "seq_length")
_LONGEST_REASON = 240
_NO_MEMORY = re.compile(r"(not enough|out of|cannot allocate|can't allocate) memory|failed to map", re.IGNORECASE)
_UNKNOWN = Soundness()
# weights of so many bytes take a processor hours
_LARGE = 10**9
_OPTIONS: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
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


def without_gpu(asked: str, device: torch.device, files: ModelFiles) -> str | None:
    """Return a warning where ``auto`` took the processor for a large model, or on a machine that has a GPU; else None."""
    if asked != "auto" or device.type != "cpu" or not (files.weights_bytes >= _LARGE or has_gpu_driver()):
        return None
    return (
        f"compute.device auto: torch {torch.__version__} finds no GPU that it can use, so {files.id} "
        f"({files.weights_bytes / 1e9:.2g} GB) is computed on the processor"
    )


def choose_dtype(name: str, stored: torch.dtype | None) -> torch.dtype:
    """Return the dtype to compute in; ``auto`` is bfloat16 for weights stored so, else float32, on every device alike."""
    if name != "auto":
        return _DTYPES[name]
    return torch.bfloat16 if stored is torch.bfloat16 else torch.float32


def load_tokenizer(files: ModelFiles) -> Any:
    """Load the tokenizer of a directory alone; raises what ``load`` raises about it."""
    _quiet_transformers()
    with only_hashed(files) as folder:
        tokenizer = _tokenizer(files, folder)
    tokenizer.name_or_path = str(files.directory)
    return tokenizer


def _tokenizer(files: ModelFiles, folder: Path) -> Any:
    with _in_one_line(files, folder, "the tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **_OPTIONS)
        refuse_random(tokenizer)
    return tokenizer


def load(files: ModelFiles, compute: Compute, soundness: Soundness = _UNKNOWN) -> LanguageModel:
    """Load the model of a directory, ready for inference, from the files that its hashes cover.

    ``soundness`` knows which models need not be checked again. Raises ModelError where it is none that can be tapped, or where its
    weights are not those of its config; and DependencyError where its files cannot be read.
    """
    device = choose_device(compute.device)
    _quiet_transformers()
    with only_hashed(files) as folder:
        with _in_one_line(files, folder, "config.json"):
            config = AutoConfig.from_pretrained(str(folder), **_OPTIONS)
            # before gigabytes of weights are read
            refuse_unsuitable(config)
            dtype = choose_dtype(compute.dtype, getattr(config, "dtype", None))
        tokenizer = _tokenizer(files, folder)
        with _in_one_line(files, folder, "the weights"):
            where = placing(compute, device, files)
            causal = load_weights(folder, config, files, attention=compute.attention, dtype=dtype, where=where)
            causal.requires_grad_(False).eval()
            parts, device = placed(causal, files), main_device(causal, device)
            if not where:
                causal.to(device)
    causal.config.name_or_path = tokenizer.name_or_path = str(files.directory)
    with _in_one_line(files, folder, f"model type {config.model_type!r}"):
        taps = find_taps(causal, config.model_type)
        model = LanguageModel(causal, tokenizer, taps, device, dtype, context_length(config), parts)
        soundness.require(model, files)
    return model


@contextmanager
def _in_one_line(files: ModelFiles, folder: Path, part: str) -> Iterator[None]:
    """Turn whatever transformers, tokenizers, safetensors and torch raise inside the context into a ModelError."""
    name = files.id
    try:
        yield
    except (CritnbError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # a panic of a library in Rust is no Exception; many kinds mean that this directory is no causal model to load
        said = plain(" ".join(str(error).replace(str(folder), str(files.directory)).split()))
        raise ModelError(
            _too_little(files, part, error)
            or f"{name}: not loadable as a causal language model: {part}: {type(error).__name__}: {said[:_LONGEST_REASON]}\n"
            "fetch the model anew, or use one of those that spec/06_ARCHITECTURES.md lists"
        ) from error


def _too_little(files: ModelFiles, part: str, error: BaseException) -> str:
    """Return what to say where memory or file handles ended, which is not the model's fault; nothing for other errors."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{files.id}: too few file handles to load {part}\nallow more (ulimit -n), or close other programs"
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        size = sum(path.stat().st_size for path in files.files.weights) / 1e9
        return (
            f"{files.id}: too little memory to load {part}; the weights alone take {size:.2g} GB\n"
            "free memory, use a smaller model, store the weights in bfloat16, or let compute.device_map auto take all devices"
        )
    return ""


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


def hardware(device: torch.device, parts: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """Return what the record says about the device that computed, or the devices that computed ``parts`` of the model."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    facts = {"device": str(device), "gpu": gpu, "machine": platform.machine(), "torch_threads": torch.get_num_threads()}
    return {**facts, "device_map": dict(parts)} if parts else facts


def _quiet_transformers() -> None:
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("torch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="transformers")
