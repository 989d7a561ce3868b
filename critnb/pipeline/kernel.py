"""The kernel of a stage's notebook: this very interpreter, with nothing of the user's settings that could reach a result.

It gets an empty IPython and Jupyter profile, matplotlib's own fonts, one locale and one time zone; of the environment only
what says where programs, files and the network are, and how many devices and threads to use.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import CODE_ROOT
from critnb.errors import StageFailedError
from critnb.pipeline.limits import USUAL_LIMITS, Clock, Limits
from critnb.system.cores import threads_of_quota
from critnb.system.failures import limit_named, limit_reached
from critnb.system.signals import ENDING, Terminated, signal_name

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

    from critnb.pipeline.kernels import Kernels

KERNEL = "critnb"
_STDERR = "kernel.err"
_LONGEST = 200
# What passes into the kernel; spec/14 lists the same groups.
PASSED = (
    # programs, packages, and who runs them
    *("PATH", "HOME", "USER", "LOGNAME", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONUSERBASE"),
    *("PYTHONNOUSERSITE", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_*", "KRB5CCNAME", "XDG_CACHE_HOME", "XDG_DATA_HOME"),
    "NUMBA_CACHE_DIR",
    # the hub: where its cache is, how to get in, whether to ask it at all
    *("HF_HOME", "HF_*_CACHE", "HF_TOKEN*", "HF_ENDPOINT", "HF_*_OFFLINE", "HF_*_TIMEOUT", "HF_XET_*", "HUGGINGFACE_*"),
    *("HUGGING_FACE_HUB_TOKEN", "TRANSFORMERS_OFFLINE"),
    # the network
    *("*_proxy", "*_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    # devices and memory
    *("CUDA_*", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "HIP_*", "ROCR_*", "HSA_*"),
    *("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_MPS_*", "MALLOC_*"),
    # threads: the record says how many
    *("OMP_*", "GOMP_*", "KMP_*", "MKL_NUM_THREADS", "MKL_DYNAMIC", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_*", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
)


def environment(scratch: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a kernel that has the folder ``scratch`` to itself, out of the one ``given`` here."""
    passed = {name: value for name, value in given.items() if any(fnmatchcase(name, each) for each in PASSED)}
    jupyter = dict.fromkeys(("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"), "jupyter")
    folders = {"IPYTHONDIR": "ipython", **jupyter, "MPLCONFIGDIR": "matplotlib", "TMPDIR": "tmp"}
    own = {name: str(scratch / folder) for name, folder in folders.items()}
    for folder in own.values():
        Path(folder).mkdir(exist_ok=True)
    return {
        # threads that wait for each other sleep: one that spins takes the core that the other waits for, where others work, too
        "OMP_WAIT_POLICY": "passive",
        # glibc gives the memory of every layer's result back and takes it anew: an eighth of a pass's time; one of the two alone
        # is worse than neither
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
        **threads_of_quota(given),
        **passed,
        **own,
        "PYTHONPATH": os.pathsep.join([str(CODE_ROOT), *_absolute(given.get("PYTHONPATH", ""))]),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "MPL_IGNORE_SYSTEM_FONTS": "1",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "TOKENIZERS_PARALLELISM": "false",
    }


def _absolute(python_path: str) -> list[str]:
    """Return the same places as absolute paths: the kernel works in another folder than this process."""
    return [os.path.abspath(each) for each in python_path.split(os.pathsep) if each]  # noqa: PTH100 - links stay


class KernelNotStartedError(StageFailedError):
    """There was no kernel to run a notebook in, so nothing of its stage was begun."""


@dataclass
class KernelEnd:
    """What became of a kernel that ended by itself."""

    stderr: Path
    limits: Limits = USUAL_LIMITS
    begun: bool = False
    code: int | None = None

    def __post_init__(self) -> None:
        self.clock = Clock(self.limits.stage)

    def begin(self, **_: object) -> None:
        """Note that the kernel answers."""
        self.begun = True

    def raise_if_terminated(self) -> None:
        """Raise Terminated where the kernel ended because a signal asked it to, as a scheduler asks every process of a job."""
        if self.code is not None and -self.code in ENDING:
            raise Terminated(f"the notebook's kernel was ended by {signal_name(-self.code)}")

    def why_not_started(self, error: Exception) -> str | None:
        """Say why no kernel began to work, if that is what the exception is about, else None."""
        if self.clock.ran_out:
            return self.out_of_time()
        if str(error).startswith("Kernel died before replying"):
            return f"the notebook's kernel {self.described()}; it had not begun to work"
        if str(error).startswith("Kernel didn't respond"):
            return (
                f"the notebook's kernel did not start within {self.limits.start} s; "
                "where the machine is busy or its disks are slow, raise compute.kernel_start_timeout"
            )
        limit = None if self.begun else limit_reached(error)
        return None if limit is None else f"the notebook's kernel cannot be started: {limit}"

    def out_of_time(self) -> str:
        """Say that the stage took longer than it may."""
        return f"ended after {self.clock.seconds} s, as compute.timeout says; raise it and continue with --allow-resume"

    def described(self) -> str:
        """Say how the kernel ended, and the error that it wrote last, where it wrote one."""
        if self.code == -signal.SIGKILL:
            return "died, killed by SIGKILL; it may have run out of memory"
        ended = "died" if self.code is None else f"died with code {self.code}"
        if self.code is not None and self.code < 0:
            ended = f"died of {signal_name(-self.code)}"
        text = self.stderr.read_text(encoding="utf-8", errors="replace") if self.stderr.is_file() else ""
        said = _last_error(text)
        if (limit := limit_named(text)) is not None:
            return f"{ended}{f' ({said})' if said else ''}: {limit}"
        return f"{ended}: {said}" if said else f"{ended}; it may have run out of memory"


def _last_error(text: str) -> str:
    found = re.findall(r"^(?:(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b|Fatal Python error).*", text, re.MULTILINE)
    shown = "".join(each if each.isprintable() else " " for each in found[-1]) if found else ""
    return shown[:_LONGEST]


def kernel_manager(
    scratch: Path, folder: Path, extra: Mapping[str, str], kernels: Kernels, *, limits: Limits = USUAL_LIMITS
) -> tuple[type[AsyncKernelManager], KernelEnd]:
    """Return the class of a manager whose kernel works in ``folder`` with this environment, and the record of how it ends.

    ``extra`` belongs to the environment. The kernel is ended where its stage exceeds the ``limits``. What it writes to its own
    stderr goes into a file below ``scratch``, so that none of it reaches a user's terminal.
    """
    # not imported above: it costs time that the command line's other words need not wait for
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    end = KernelEnd(scratch / _STDERR, limits)
    kernel_environment = {**environment(scratch, os.environ), **kernels.threads, **extra}

    class Manager(AsyncKernelManager):
        """Starts the kernel, and notes how it ended."""

        @property
        def kernel_spec(self) -> Any:
            argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
            # a shell command that fails ends its cell, as a statement of Python does
            argv.append("--InteractiveShell.system_raise_on_error=True")
            local = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}
            return KernelSpec(argv=argv, display_name=KERNEL, language="python", metadata=local)

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            self.connection_file = str(scratch / "connection.json")
            if kernels.warm is not None:
                self.provisioner = kernels.warm.provisioner(limits.start, kernel_spec=self.kernel_spec, parent=self)
            with end.stderr.open("wb") as stderr:
                own = {"env": kernel_environment, "stderr": stderr, "cwd": str(folder)}
                await super().start_kernel(**{**options, **own})
            provisioner: Any = self.provisioner
            kernels.add(provisioner.process)
            end.clock.watch(provisioner.process.pid)

        async def _async_is_alive(self) -> bool:
            alive = await super()._async_is_alive()
            if not alive and self.provisioner is not None:
                end.code = await self.provisioner.poll()
            return bool(alive)

        is_alive = _async_is_alive

    return Manager, end
