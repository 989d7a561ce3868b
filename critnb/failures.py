"""What stopped a command, in the words that a user can act on, and its exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from critnb.canon import Exit
from critnb.errors import CritnbError
from critnb.terminal import plain

_LONGEST = 300
_FILES = "too many files are open for this process; raise its limit (ulimit -n) and run it again"
_MEMORY = "too little memory for this process; end other programs, raise its limit (ulimit -v) or take a smaller model"
_THREADS = "no further thread or process can be started; end other programs or raise the limit (ulimit -u)"
_KERNEL = (
    "the notebook's kernel could not start: too little memory, or too few files may be open (ulimit -v, ulimit -n)"
)
_OF_ERRNO = {errno.EMFILE: _FILES, errno.ENFILE: _FILES, errno.ENOMEM: _MEMORY, errno.EAGAIN: _THREADS}
# of the loader of shared libraries and of the interpreter, which give no number
_OF_WORDS = {
    "cannot allocate memory": _MEMORY,
    "failed to map segment": _MEMORY,
    "too many open files": _FILES,
    "can't start new thread": _THREADS,
    "kernel died before replying": _KERNEL,
    "kernel didn't respond": _KERNEL,
}


def told(error: BaseException) -> tuple[str, Exit]:
    """Return what to print of an error, with its notes, and the exit code; a mistake of the pack's own says that it is one."""
    # a limit of the machine is the cause, whatever was made of it on the way up
    if shortage := next(filter(None, map(_shortage, _causes(error))), None):
        return shortage, Exit.STAGE_FAILED
    if isinstance(error, CritnbError):
        # the notes of an error whose run is kept say where to look
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


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _shortage(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return _MEMORY
    if isinstance(error, CritnbError):
        return None
    if isinstance(error, ImportError | RuntimeError):
        words = str(error).lower()
        return next((told for part, told in _OF_WORDS.items() if part in words), None)
    return _OF_ERRNO.get(getattr(error, "errno", None) or 0)
