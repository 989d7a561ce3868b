"""What stopped a command, in the words that a user can act on, and its exit code."""

from __future__ import annotations

from critnb.canon import Exit
from critnb.errors import CritnbError, StageFailedError
from critnb.system.limits import limit_reached
from critnb.system.terminal import plain

_LONGEST = 300


def told(error: BaseException) -> tuple[str, Exit]:
    """Return what to print of an error, with its notes, and the exit code; a mistake of the pack's own says that it is one."""
    # a limit of the machine is the cause, whatever was made of it on the way up
    if not isinstance(error, StageFailedError) and (limit := limit_reached(error)) is not None:
        return limit, Exit.STAGE_FAILED
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
