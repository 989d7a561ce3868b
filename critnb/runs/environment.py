"""What the machine and the checkout add to a run: recorded so that numbers can be traced, never hashed into its id."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from critnb import __version__
from critnb.canon import PACK_ROOT
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex

NO_GIT = "no_git_metadata"
PACKAGES = (
    "datasets",
    "ipykernel",
    "jsonschema",
    "matplotlib",
    "nbconvert",
    "nbformat",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "pydantic",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)
_GIT_SECONDS = 10


def environment_facts() -> dict[str, Any]:
    """Return interpreter, platform, processor and installed package versions (None: not installed)."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count() or 1,
        "gpu": None,
        "packages": {name: _installed(name) for name in PACKAGES},
    }


def code_facts(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return pack version, commit (or why there is none), whether files differ from it, and one digest of the sources.

    ``sources`` is what ``package_sources`` gave; ``dirty`` is None without git metadata.
    """
    commit = _git_commit()
    return {
        "version": pack_version(),
        "git_commit": commit or NO_GIT,
        "dirty": None if commit is None else bool(_git("status", "--porcelain")),
        "sources_sha256": sha256_hex(canonical_json(sources)),
    }


def not_in_git(paths: Iterable[str]) -> list[str] | None:
    """Return which of the pack's files git does not keep; None where git or its metadata is missing."""
    if _git_commit() is None:
        return None
    kept = set(_git("ls-files", "-z", "--full-name").split("\0"))
    return [path for path in paths if path not in kept]


def pack_version() -> str:
    """Return the version of this very code, whatever distribution of the same name is installed."""
    return __version__


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines() if listing.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _git_commit() -> str | None:
    top = _git("rev-parse", "--show-toplevel")
    # A pack that was unpacked inside some other repository must not be given that one's commit.
    if not top or Path(top).resolve() != PACK_ROOT:
        return None
    return _git("rev-parse", "HEAD") or None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(PACK_ROOT), *words], capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
