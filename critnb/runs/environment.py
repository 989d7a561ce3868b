"""Facts about machine, packages and checkout: recorded with a run so that numbers can be traced, never part of its id."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from critnb import __version__
from critnb.canon import PACK_ROOT
from critnb.errors import DependencyError
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex
from critnb.runs.notebook_files import is_notebook, pack_notebook
from critnb.system.cores import available_cores, threads_of_quota

NO_GIT = "no_git_metadata"
PACKAGES = (
    *("datasets", "ipykernel", "jsonschema", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill"),
    *("pyarrow", "pydantic", "safetensors", "scipy", "tokenizers", "torch", "transformers"),
)
_GIT_SECONDS = 10
_THREADS = frozenset(
    {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"}
    | {"NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"}
)


def environment_facts(threads: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return interpreter, platform, processor, what sets the number of threads, and package versions (None: not installed).

    ``threads`` are variables that a kernel's environment has and this one's has not.
    Raises DependencyError where a package would be imported from another place than the one whose version is recorded.
    """
    require_installed(PACKAGES)
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count() or 1,
        "cpus_allowed": available_cores(),
        "threads": {name: value for name, value in sorted(_kernel_variables(threads).items()) if name in _THREADS},
        "gpu": None,
        "packages": {name: _installed(name) for name in PACKAGES},
    }


def _kernel_variables(threads: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **threads_of_quota(os.environ), **(threads or {})}


def require_installed(names: Iterable[str]) -> None:
    """Raise DependencyError where a folder of PYTHONPATH, or the working folder, stands before an installed package."""
    for name in names:
        found, installed = _found(name), _installed_file(name)
        if found is not None and installed is not None and not found.samefile(installed):
            raise DependencyError(
                f"{name} would be imported from {found}, not from {installed}, where it is installed\n"
                "take that folder off PYTHONPATH"
            )


def _found(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin) if spec is not None and spec.origin is not None and Path(spec.origin).is_file() else None


def _installed_file(name: str) -> Path | None:
    """Return the file of a package where it is installed; None for one that is not, or is installed as a link to its sources."""
    try:
        file = Path(str(metadata.distribution(name).locate_file(f"{name}/__init__.py")))
    except metadata.PackageNotFoundError:
        return None
    return file if file.is_file() else None


def code_facts(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return pack version, commit (or why there is none), whether files differ from it, and one digest of the sources.

    ``sources`` maps paths to digests; ``dirty`` is None without git metadata. What an editor saves of a notebook beside its
    source makes nothing dirty.
    """
    commit = _git_commit()
    return {
        "version": pack_version(),
        "git_commit": commit or NO_GIT,
        "dirty": None if commit is None else _is_dirty(),
        "sources_sha256": sha256_hex(canonical_json(sources)),
    }


def not_in_git(paths: Iterable[str]) -> list[str] | None:
    """Return which of the pack's files are not under version control; None where git or its metadata is missing."""
    if _git_commit() is None:
        return None
    kept = set(_git("ls-files", "-z", "--full-name").split("\0"))
    return [path for path in paths if path not in kept]


def peak_memory() -> int | None:
    """Return the most bytes of memory that this process has held at once, None where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8", errors="replace").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def pack_version() -> str:
    """Return the version of this code, not that of an installed distribution of the same name."""
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
    # a pack that was unpacked inside another repository is not of that repository's commit
    if not top or Path(top).resolve() != PACK_ROOT:
        return None
    return _git("rev-parse", "HEAD") or None


def _is_dirty() -> bool:
    changed = filter(None, _git("diff", "--name-only", "-z", "HEAD").split("\0"))
    return bool(_git("ls-files", "--others", "--exclude-standard")) or not all(map(_is_only_saved, changed))


def _is_only_saved(name: str) -> bool:
    """Tell whether a changed file is a notebook whose source is still that of the commit."""
    path = PACK_ROOT / name
    if not is_notebook(name) or not path.is_file():
        return False
    return pack_notebook(path.read_bytes()) == pack_notebook(_git("show", f"HEAD:{name}").encode())


def _git(*words: str) -> str:
    # as in a hook of git: GIT_DIR and its like would name another repository
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(PACK_ROOT), "-c", "status.showUntrackedFiles=normal", *words]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
