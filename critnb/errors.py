"""Errors made for users: one or two lines that say what is wrong, where, and what to do; each knows its exit code."""

from __future__ import annotations

from critnb.canon import Exit


class CritnbError(Exception):
    """Base of every error that the pack raises on purpose; most are about what a user gave."""

    exit_code: Exit = Exit.BAD_INPUT


class ParamsError(CritnbError, ValueError):
    """A params file, an override or an option has a value that cannot be used."""


class DataError(CritnbError, ValueError):
    """A corpus, raster or table has content that cannot be used."""


class IntegrityError(CritnbError, ValueError):
    """A file is not the file that its record names."""


class SignatureError(CritnbError, ValueError):
    """A signature is not that of the file or of the signer, or a key cannot sign."""


class StorageError(CritnbError, OSError):
    """A folder or a file cannot be written, or cannot be read now."""


class DependencyError(CritnbError, LookupError):
    """A model, a data set or an upstream run is missing or does not match."""

    exit_code = Exit.MISSING_DEPENDENCY


class RunExistsError(CritnbError, FileExistsError):
    """The run directory exists: complete, held by another process, or incomplete without leave to resume."""

    exit_code = Exit.RUN_EXISTS


class RunHeldError(RunExistsError):
    """Another process is making the run."""


class ModelError(CritnbError, TypeError):
    """A model cannot be loaded or instrumented soundly."""


class RerunError(ModelError):
    """A model's blocks, run again from a kept stream, do not give what a whole pass gives."""


class NonFiniteError(CritnbError, ArithmeticError):
    """A model gives activations that are not finite."""

    exit_code = Exit.STAGE_FAILED


class PaperError(CritnbError, ValueError):
    """A template or the bibliography of the paper names something that is not there, or cannot be read."""


class GateError(CritnbError, ValueError):
    """Under --strict, a gate of a stage failed or was not available."""


class StageFailedError(CritnbError, RuntimeError):
    """A stage's notebook failed; its partial run is kept."""

    exit_code = Exit.STAGE_FAILED


def by_name(name: str) -> type[CritnbError] | None:
    """Return the pack's error class of that name, or None for any other exception's name."""
    found = globals().get(name)
    return found if isinstance(found, type) and issubclass(found, CritnbError) else None
