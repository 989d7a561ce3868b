"""Too little memory for a stage: how it is recognised in what a notebook's kernel says, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LONGEST = 200
# in the names of what numpy, pyarrow, Python and torch raise
_BY_NAME = "MemoryError"
_BY_WORDS = (
    *("out of memory", "can't allocate memory", "not enough memory", "annot allocate memory", "std::bad_alloc"),
    # of cuBLAS, cuDNN and their like
    "ALLOC_FAILED",
)
# before its name torch puts a place in its source
_ALLOCATOR = "DefaultCPUAllocator: "
# of a kernel, or of a worker by joblib
_KILLED = "SIGKILL"


def is_out_of_memory(name: str, message: str) -> bool:
    """Tell whether an error that a kernel raised says that there was too little memory."""
    return name.endswith(_BY_NAME) or any(words in message for words in _BY_WORDS)


def may_be_out_of_memory(message: str) -> bool:
    """Tell whether a kernel or one of its workers died as the system ends a process that needs too much."""
    return _KILLED in message


def said_of_memory(name: str, message: str) -> str:
    """Return one line of what a kernel said when it had too little memory."""
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    first = first.rpartition(_ALLOCATOR)[2]
    text = f"{name}: {first}" if first else name
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def with_less_memory(config: Mapping[str, Any]) -> str:
    """Return what to do, by the resolved params of the stage; a number is named where half as many tokens are a batch."""
    again, others = "with more memory --allow-resume goes on", "makes other runs"
    tokens = config.get("compute", {}).get("batch_tokens")
    if tokens is None:
        return again
    length = config.get("windows", {}).get("seq_len", 1)
    windows = max(1, tokens // length)
    if windows == 1:
        return (
            f"{again}, as compute.device_map=auto does where other devices have room; a batch is one window already: a smaller "
            f"model, dtype or window takes less, and {others}"
        )
    half = windows // 2 * length
    return f"{again}; compute.batch_tokens={half} instead of {tokens} takes about half for a batch, and {others}"
