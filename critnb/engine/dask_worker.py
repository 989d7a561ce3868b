"""What a worker of dask.distributed does with a shard.

Functions and shards come as bytes, so that neither the scheduler nor a worker of other software has to make sense of them.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from typing import Any

from critnb.canon import CODE_ROOT
from critnb.canon.places import REGISTRY_FILE
from critnb.errors import CritnbError, DependencyError

# what arithmetic, and how an object is pickled, depend on
_PACKAGES = (
    "dask",
    "distributed",
    "llvmlite",
    "numba",
    "numpy",
    "pandas",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)
# hooks on a model's modules, and its threads, are for one shard at a time
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Software:
    """What has to be the same here and there, so that a shard gives the same bytes: versions, and the pack's own code."""

    versions: Mapping[str, str]
    code: str

    @classmethod
    def here(cls) -> Software:
        """Return that of this process, as it was when first asked for."""
        return _software()

    def require_here(self) -> None:
        """Raise DependencyError where this process, a worker, has other software than the one that sends shards."""
        ours = Software.here()
        differing = [
            f"{name} {ours.versions.get(name)} instead of {version}"
            for name, version in self.versions.items()
            if ours.versions.get(name) != version
        ]
        if ours.code != self.code:
            differing.insert(0, "other code of the pack")
        if differing:
            raise DependencyError(
                f"worker {here()} has {', '.join(differing)}: its results would be of other software\n"
                "start all workers anew from the environment and the pack that this command runs from"
            )


@cache
def _software() -> Software:
    versions = {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}
    digest = hashlib.sha256()
    for path in sorted((CODE_ROOT / "critnb").rglob("*.py")):
        digest.update(str(path.relative_to(CODE_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    # numbers that the code works with
    digest.update(REGISTRY_FILE.read_bytes())
    return Software(versions, digest.hexdigest())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def here() -> str:
    """Return what tells this process from all others."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, eq=False)
class Done:
    """A shard's result; how many windows, or what else is counted, were reported and run; seconds, and on which worker."""

    result: Any
    reported: int
    windows_run: int
    seconds: float
    host: str
    process: int
    threads: int | None


def handed(data: bytes) -> bytes:
    """Return the same: a task that brings what many others need to each worker once, and again where that is lost."""
    return data


def work_on(software: Software, function: bytes, shard: bytes) -> Done:
    """Return the ``function`` of a shard, both pickled."""
    software.require_here()
    began = time.monotonic()
    result = _unpickled(function)(pickle.loads(shard))
    return _done(result, 1, 0, began, None)


def work_on_passes(software: Software, function: bytes, passes: bytes, shard: bytes) -> Done:
    """Return the ``function`` of this worker's own passes and a shard; ``passes`` say which, all of them pickled."""
    software.require_here()
    with _ONE_AT_A_TIME:
        own = _own(passes)
        reported: list[int] = []
        began = time.monotonic()
        with own.reporting(reported.append):
            result = _unpickled(function)(own, pickle.loads(shard))
        return _done(result, sum(reported), own.windows_run, began, own.threads)


def _own(passes: bytes) -> Any:
    try:
        return pickle.loads(passes).here()
    except CritnbError as error:
        # what is wrong with a worker's files, say where
        raise type(error)(f"worker {here()}: {error}") from error


@lru_cache(maxsize=4)
def _unpickled(function: bytes) -> Any:
    """Return a function, the same one for all shards that this worker gets of it."""
    return pickle.loads(function)


def _done(result: Any, reported: int, windows_run: int, began: float, threads: int | None) -> Done:
    return Done(result, reported, windows_run, time.monotonic() - began, socket.gethostname(), os.getpid(), threads)
