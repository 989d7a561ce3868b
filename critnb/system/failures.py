"""What stopped a command, in words that a user can act on: a limit of the machine or the shell, an error, a bug."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from critnb.canon import Exit
from critnb.errors import CritnbError, StageFailedError
from critnb.system.terminal import plain

_LONGEST = 300
_BY_ERRNO = {
    errno.EMFILE: "too many open files for one process; raise the limit, as by `ulimit -n 1024`",
    errno.ENFILE: "too many open files on this machine; close some programs and try again",
    errno.EAGAIN: "no further process or thread may be started; raise the limits (`ulimit -u`, `ulimit -v`)",
    errno.ENOMEM: "too little memory, or too little of it allowed (`ulimit -v`)",
}
_BY_WORDS = {
    "can't start new thread": _BY_ERRNO[errno.EAGAIN],
    "failed to map segment": _BY_ERRNO[errno.ENOMEM],
    "annot allocate memory": _BY_ERRNO[errno.ENOMEM],
    "MemoryError": _BY_ERRNO[errno.ENOMEM],
    "std::bad_alloc": _BY_ERRNO[errno.ENOMEM],
    "Too many open files": _BY_ERRNO[errno.EMFILE],
    "Resource temporarily unavailable": _BY_ERRNO[errno.EAGAIN],
}
# a runner with its notebook's kernel, and the kernel with a model, need at least as many
_LEAST_FILES = 128
_MANY_FILES = 1024


def too_few_files() -> str | None:
    """Allow this process and its children as many open files as it may, and return what is wrong where these are too few."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _MANY_FILES:
        return None
    soft = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= _LEAST_FILES:
        return None
    return f"{soft} open files are allowed, and a stage needs {_LEAST_FILES}; raise the limit, as by `ulimit -n 1024`"


def limit_reached(error: BaseException) -> str | None:
    """Return what was too little and what to do, where an exception or one behind it says so, else None."""
    return next((found for each in _chain(error) if (found := _limit(each)) is not None), None)


def limit_named(text: str) -> str | None:
    """Return what was too little and what to do, where a message of a program says so, else None."""
    return next((found for words, found in _BY_WORDS.items() if words in text), None)


def _limit(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return _BY_ERRNO[errno.ENOMEM]
    if isinstance(error, RuntimeError | ImportError):
        return limit_named(str(error))
    # errors of ZeroMQ have the number, too, and are no OSErrors
    return _BY_ERRNO.get(getattr(error, "errno", None) or 0)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def message_and_exit(error: BaseException) -> tuple[str, Exit]:
    """Return what to print of an error, with its notes, and the exit code; a bug of the pack is called one."""
    # a limit of the machine is the cause, whatever error it was turned into on the way up
    if not isinstance(error, StageFailedError) and (limit := limit_reached(error)) is not None:
        return limit, Exit.STAGE_FAILED
    if isinstance(error, CritnbError):
        # an error whose run is kept has a note that names the run
        return "\n".join([str(error), *getattr(error, "__notes__", ())]), error.exit_code
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("critnb"):
        return f"the Python package {error.name} is missing; use the interpreter of .venv, which make demo sets up", (
            Exit.MISSING_DEPENDENCY
        )
    if isinstance(error, OSError) and error.strerror:
        where = f"{plain(error.filename, _LONGEST)}: " if error.filename is not None else ""
        return f"{where}{error.strerror}", Exit.BAD_INPUT
    said = plain(error, _LONGEST)
    return f"{type(error).__name__}: {said}\nthis is a bug; show it with -v and report it", Exit.STAGE_FAILED
