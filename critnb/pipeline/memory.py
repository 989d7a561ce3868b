"""Too little memory for a stage: how it is recognised in what a notebook's kernel says, and what can be done about it."""

from __future__ import annotations

import re
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
# torch says what was asked of a card, what it has and what of that is free
_SIZE = r"([\d.]+) (B|KiB|MiB|GiB)"
_OF_A_CARD = re.compile(rf"Tried to allocate {_SIZE}\..*? total capacity of {_SIZE} of which {_SIZE} is free")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
# what comes later in the pass may take more
_SAFE = 0.8
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


def with_less_memory(config: Mapping[str, Any], message: str = "", weights: int = 0) -> str:
    """Return what to do, by the resolved params of the stage: with how many tokens a batch should fit.

    That is half as many, or fewer where a card's ``message`` says so, the model's weights taking so many bytes of it.
    """
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
    fitting = max(1, int(windows * min(0.5, _share_that_fits(message, weights)))) * length
    share = "about half for a batch" if fitting == windows // 2 * length else "less for a batch, which should fit,"
    return f"{again}; compute.batch_tokens={fitting} instead of {tokens} takes {share} and {others}"


def _share_that_fits(message: str, weights: int) -> float:
    """Return which share of a batch a card has room for, by its numbers; 1 where it tells none.

    What a batch takes is in proportion to its tokens: all but weights and what is free, and what was asked for.
    """
    found = _OF_A_CARD.search(message.replace("\n", " "))
    if found is None:
        return 1.0
    asked, total, free = (
        float(number) * _UNITS[unit] for number, unit in zip(*[iter(found.groups())] * 2, strict=True)
    )
    room = total - weights
    return max(0.0, _SAFE * room / (room - free + asked)) if room > free else 1.0
