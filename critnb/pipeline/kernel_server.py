"""The process that kernels are forked from: it imports what stages need once, and answers one runner over a socket.

A kernel forked from it starts with these modules and with nothing else of the stages before it, since they ran in forks of
their own. It imports and never computes: threads of a numeric library that were at work would not survive a fork.

Requests and answers are lines of JSON: ``{"fork": {argv, env, cwd, stderr}}`` gives the process id, ``{"poll": pid}`` the exit
code, negative for a signal, or null while it runs. It ends, and its kernels with it, when the runner closes the socket.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from critnb.system.signals import ENDING


def kernel() -> None:
    """Run a kernel to its end; ``sys.argv`` says where its connection file is."""
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


def serve(channel: socket.socket, modules: Iterable[str], program: Callable[[], object] = kernel) -> None:
    """Import ``modules`` and answer requests until the channel is closed; a fork does what ``program`` does, and ends."""
    # a sixth of the imports' time: what they make stays
    gc.disable()
    for name in modules:
        # a stage that needs it says what is wrong with it
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    _prepare_compiled()
    gc.freeze()
    gc.enable()
    codes: dict[int, int | None] = {}
    with channel.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            answer: int | None
            if "fork" in request:
                codes[answer := _forked(channel, request["fork"], program)] = None
            else:
                answer = codes[request["poll"]] = _code(request["poll"], codes[request["poll"]])
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
    for pid in [pid for pid, code in codes.items() if code is None]:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _prepare_compiled() -> None:
    """Let numba register its types here: it would do so at the first compiled call of each kernel."""
    with contextlib.suppress(Exception):
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


def _code(pid: int, known: int | None) -> int | None:
    if known is not None:
        return known
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _forked(channel: socket.socket, wanted: Mapping[str, Any], program: Callable[[], object]) -> int:
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        # not before the kernel leads a process group of its own, which signals are sent to
        os.read(ready, 1)
        os.close(ready)
        return pid
    try:
        os.setsid()
        os.close(ready)
        os.close(tell)
        channel.detach()
        _take_on(**wanted)
        program()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _take_on(*, argv: list[str], env: Mapping[str, str], cwd: str, stderr: str) -> None:
    """Take on the environment, folder and streams that a new process would have had."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))
    time.tzset()
    tempfile.tempdir = None
    os.chdir(cwd)
    for path, flags, stream in ((os.devnull, os.O_RDONLY, 0), (stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 2)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    sys.argv = argv


def main(program: Callable[[], object] = kernel) -> None:
    """Serve the runner at the other end of the socket that the first argument numbers; the others name modules."""
    # a scheduler asks every process of a job to end: what becomes of this one is the runner's to say
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    # the runner's folder is no place to import from; a kernel adds its own
    sys.path = [place for place in sys.path if place not in ("", os.getcwd())]  # noqa: PTH109
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:], program)


if __name__ == "__main__":
    main()
