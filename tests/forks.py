"""Commands and kernels of tests as forks of one process that has imported everything, where how a process starts is not the point.

A process that loads torch and transformers pays some five seconds for it, and tests start hundreds. A fork does the rest of what
a new process does: environment, folder, streams, exit code. What starts, is signalled, or sees the imports of a process starts
one of its own.
"""

from __future__ import annotations

import atexit
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

import critnb
from critnb.canon import PACK_ROOT
from critnb.cli import stages
from critnb.pipeline import kernel_server, warm_kernels
from critnb.pipeline.kernels import Kernels
from critnb.pipeline.warm_kernels import ForkingProvisioner, WarmKernels

POSSIBLE = WarmKernels.are_possible()
_KERNEL = "ipykernel_launcher"
_IMPORTED = ("papermill", "nbconvert", "nbval.plugin", "torch", *warm_kernels._ALWAYS, *warm_kernels._OF_MODELS)
_START_SECONDS = 120


class Forks(WarmKernels):
    """A server whose forks are kernels, or programs: the file for their stdout, then the words behind ``python``."""

    server = "forks"

    def __init__(self, root: Path = PACK_ROOT) -> None:
        """``root`` is the folder of a pack."""
        self._root = root
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PYTHONPATH", str(Path(__file__).parent))
            patched.setattr(warm_kernels, "_ALWAYS", (*_IMPORTED, *_pack()))
            super().__init__([])

    def _start(self, channel: socket.socket, modules: Sequence[str], env: Mapping[str, str]) -> Any:
        places = f"{self._root}{os.pathsep}{env['PYTHONPATH']}"
        # and no pack that lies in the folder of the tests
        return super()._start(channel, modules, {**env, "PYTHONPATH": places, "PYTHONSAFEPATH": "1"})

    @property
    def alive(self) -> bool:
        return self._server.poll() is None


def _pack() -> list[str]:
    """The modules of the pack but for those that need packages which few tests use."""
    names = [each.name for each in pkgutil.walk_packages(critnb.__path__, "critnb.")]
    return [name for name in names if ".dask" not in name and ".explore" not in name]


def forks() -> Forks:
    """The server of this process, a new one where the last is gone."""
    if _started and _started[-1].alive:
        return _started[-1]
    _started.append(Forks())
    atexit.register(_started[-1].__exit__, None, None, None)
    return _started[-1]


_started: list[Forks] = []


class Program:
    """A running program, as ``subprocess.Popen`` shows one; what it writes is in two files of a folder."""

    def __init__(
        self,
        words: Sequence[str | Path],
        folder: Path,
        *,
        cwd: Path = PACK_ROOT,
        env: Mapping[str, str] | None = None,
        server: Forks | None = None,
    ) -> None:
        self.args = [str(word) for word in words]
        self.stdout, self.stderr = folder / "stdout", folder / "stderr"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            if POSSIBLE:
                given = {"env": dict(os.environ if env is None else env), "cwd": str(cwd), "stderr": self.stderr}
                self._process: Any = (server or forks()).fork(
                    [str(self.stdout), *self.args], **given, within=_START_SECONDS
                )
            else:
                command = [sys.executable, *self.args]
                self._process = subprocess.Popen(
                    command, stdout=out, stderr=err, cwd=cwd, env=env, start_new_session=True
                )

    def wait(self, timeout: float = 300) -> int:
        ends = time.monotonic() + timeout
        while (code := self._process.poll()) is None:
            if time.monotonic() > ends:
                self.kill()
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.02)
        return int(code)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def python(*words: str | Path, timeout: float = 300, **given: Any) -> subprocess.CompletedProcess[str]:
    """What ``python`` followed by these words does: a script of the pack, -m and a module, or -c and code."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(words, Path(folder), **given)
        code = program.wait(timeout)
        streams = (stream.read_text(encoding="utf-8") for stream in (program.stdout, program.stderr))
        return subprocess.CompletedProcess(program.args, code, *streams)


@contextmanager
def forked_kernels(server: WarmKernels | None = None) -> Iterator[None]:
    """Inside, kernels that this process starts by jupyter's means are forks."""

    async def launch(self: Any, cmd: list[str], **options: Any) -> Any:
        self._kernels, self._start_seconds = server or forks(), _START_SECONDS
        with Path(os.devnull).open("wb") as nowhere:
            return await ForkingProvisioner.launch_kernel(self, cmd, **{"stderr": nowhere, **options})

    with pytest.MonkeyPatch.context() as patched:
        if POSSIBLE:
            patched.setattr(LocalProvisioner, "launch_kernel", launch)
        yield


@contextmanager
def kernels_of_command(_missing: Sequence[Any], threads: Mapping[str, str]) -> Iterator[Kernels]:
    """In the place of ``critnb.cli.stages._kernels``: the kernels of a command that is called in this process are forks."""
    yield Kernels(forks(), threads=threads)


# --- in the server and its forks


def main() -> None:
    kernel_server.main(_kernel_or_program)


def _kernel_or_program() -> None:
    if sys.argv[0] == _KERNEL:
        kernel_server.kernel()
        _end(0)
    stdout, *words = sys.argv
    _write_into(stdout)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stages._FEWEST_FORKED = 1
    WarmKernels._start = _forked_server  # type: ignore[assignment,method-assign]
    _end(_run(words))


def _end(code: int) -> NoReturn:
    """What the end of a process of its own does."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _write_into(stdout: str) -> None:
    opened = os.open(stdout, os.O_WRONLY)
    os.dup2(opened, 1)
    os.close(opened)


def _run(words: list[str]) -> int:
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            with forked_kernels(_own_kernels()):
                runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        elif words[0] == "-c":
            sys.argv = words[:1]
            exec(words[1], vars(sys.modules["__main__"]))
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@cache
def _own_kernels() -> WarmKernels:
    kernels = WarmKernels([])
    atexit.register(kernels.__exit__, None, None, None)
    return kernels


class _Server:
    """A server of kernels that is a fork of this process, as ``WarmKernels`` sees it."""

    def __init__(self, channel: socket.socket, modules: Sequence[str]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                for number in kernel_server.ENDING:
                    signal.signal(number, signal.SIG_IGN)
                # else a runner that is gone would still hold its end of the channel, here
                os.closerange(3, channel.fileno())
                os.closerange(channel.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
                kernel_server.serve(channel, modules)
            finally:
                os._exit(0)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        os.waitpid(self.pid, 0)


def _forked_server(_self: WarmKernels, channel: socket.socket, modules: Sequence[str], _env: Mapping[str, str]) -> Any:
    return _Server(channel, modules)


if __name__ == "__main__":
    main()
