"""Kernels forked from one process that has imported everything: a command pays for imports once, not once per stage."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from critnb.pipeline.kernel import environment
from critnb.pipeline.plan import PlannedRun
from critnb.runs.scratch import Scratch

# What notebooks have in common, and what stages import on the way; anything that is missing here is imported by its stage.
_ALWAYS = (
    *("ipykernel.kernelapp", "ipykernel.ipkernel", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.optimize"),
    *("matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "critnb.api"),
)
_OF_MODELS = (
    *("transformers.modeling_utils", "transformers.tokenization_utils_fast", "transformers.models.auto.modeling_auto"),
    *("transformers.models.auto.tokenization_auto", "critnb.model.loading", "critnb.model.windows"),
)


class WarmKernels:
    """A server of kernels for the stages of one command; a context manager, whose end is the end of its kernels.

    The server starts at once and imports while the runner goes on.
    """

    # the module that is run as the server
    server = "critnb.pipeline.kernel_server"

    def __init__(self, planned: Iterable[PlannedRun], *, threads: Mapping[str, str] | None = None) -> None:
        """Start the server for these runs; raises OSError where no process can be started.

        ``threads`` are variables of the environment, which numeric libraries read when the server imports them.
        """
        self._forked: list[ForkedKernel] = []
        self._asking = threading.Lock()
        self._scratch = Scratch()
        modules = _modules(list(planned))
        ours, theirs = socket.socketpair()
        with theirs:
            env = {**environment(self._scratch.path, os.environ), **(threads or {})}
            self._server = self._start(theirs, modules, env)
        self._channel = ours
        self._lines = ours.makefile("rw", encoding="utf-8")

    @staticmethod
    def are_possible() -> bool:
        """Tell whether this system lets a process that has loaded numeric libraries go on as a fork of itself."""
        return sys.platform == "linux"

    def _start(self, channel: socket.socket, modules: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", self.server, str(channel.fileno()), *modules],
            env=env,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[channel.fileno()],
            start_new_session=True,
        )

    def fork(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, stderr: Path, within: float
    ) -> ForkedKernel:
        """Return a new kernel.

        Raises TimeoutError where the server has not answered ``within`` so many seconds, as it does not while it imports, and
        OSError where it is gone or cannot fork.
        """
        wanted = {"argv": list(argv), "env": dict(env), "cwd": cwd, "stderr": str(stderr)}
        kernel = ForkedKernel(self, int(self.ask(within=within, fork=wanted)))
        self._forked.append(kernel)
        return kernel

    def provisioner(self, start_seconds: int, **named: Any) -> ForkingProvisioner:
        """Return what gives jupyter's kernel manager a kernel of this server, which may take ``start_seconds`` to answer."""
        return ForkingProvisioner(self, start_seconds, kernel_id=uuid.uuid4().hex, **named)

    def ask(self, *, within: float | None = None, **request: Any) -> Any:
        """Return the server's answer to a request; raises OSError where it gives none, or none ``within`` so many seconds."""
        with self._asking:
            self._channel.settimeout(within)
            self._lines.write(json.dumps(request) + "\n")
            self._lines.flush()
            if not (answer := self._lines.readline()):
                raise ConnectionError("the server of kernels is gone")
        return json.loads(answer)

    def hang_up(self) -> None:
        """Ask no more: the server ends with its kernels, and who waits for an answer gets none."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for kernel in self._forked:
            with contextlib.suppress(OSError):
                kernel.kill()
        with contextlib.suppress(OSError):
            self._lines.close()
        self._channel.close()
        # it holds nothing that would have to be written
        self._server.kill()
        self._server.wait()
        self._scratch.close()


def _modules(planned: Sequence[PlannedRun]) -> list[str]:
    """Return the names of what the notebooks of these runs import, what they rest on among them."""
    of_stages = {path for each in planned for path in each.inputs.sources}
    names = sorted(path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in of_stages)
    return [*_ALWAYS, *(_OF_MODELS if any(each.spec.uses_model for each in planned) else ()), *names]


class ForkedKernel:
    """A kernel seen from the runner, which is not its parent: what jupyter's provisioner asks of a ``subprocess.Popen``."""

    stdin: IO[bytes] | None = None
    stdout: IO[bytes] | None = None
    stderr: IO[bytes] | None = None

    def __init__(self, kernels: WarmKernels, pid: int) -> None:
        """Stand for the process ``pid``."""
        self.pid = pid
        self.returncode: int | None = None
        self._kernels = kernels

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the kernel runs."""
        if self.returncode is None:
            try:
                self.returncode = self._kernels.ask(poll=self.pid)
            except OSError:
                # a server that is gone takes its kernels along
                self.returncode = -signal.SIGKILL
        return self.returncode

    def wait(self) -> int:
        """Return the exit code once the kernel has ended."""
        while (code := self.poll()) is None:
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and the processes that it has started."""
        # not asked first: the server may be busy, and a kernel that it has not waited for still has its number
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the kernel."""
        self.send_signal(signal.SIGKILL)


class ForkingProvisioner(LocalProvisioner):
    """Jupyter's own provisioner, but for where the process comes from."""

    def __init__(self, kernels: WarmKernels, start_seconds: int, **named: Any) -> None:
        """Provide a kernel of ``kernels``, whose server may take ``start_seconds`` to answer."""
        super().__init__(**named)
        self._kernels = kernels
        self._start_seconds = start_seconds

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        """Fork a kernel where the plain provisioner starts a program; ``cmd`` without the words that name Python."""
        env, cwd = options["env"], str(options.get("cwd") or Path.cwd())
        try:
            process = self._kernels.fork(
                cmd[2:], env=env, cwd=cwd, stderr=Path(options["stderr"].name), within=self._start_seconds
            )
        except TimeoutError:
            # as jupyter says it of a kernel that does not answer; a server that still imports would not be quicker as a kernel
            raise RuntimeError(f"Kernel didn't respond in {self._start_seconds} seconds") from None
        except OSError:
            return await super().launch_kernel(cmd, **options)
        self.process: Any = process
        self.pid, self.pgid, self.cwd = process.pid, process.pid, cwd
        return self.connection_info
