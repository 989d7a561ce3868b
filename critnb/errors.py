"""Errors made for users: one or two lines that say what is wrong, where, and what to do; each knows its exit code."""

from __future__ import annotations

from critnb.canon import Exit


class CritnbError(Exception):
    """Base of every error that the pack raises on purpose."""

    exit_code: Exit = Exit.STAGE_FAILED


class ParamsError(CritnbError, ValueError):
    """A params file, an override or an option has a value that cannot be used."""

    exit_code = Exit.BAD_INPUT


class DataError(CritnbError, ValueError):
    """A corpus, raster or table has content that cannot be used."""

    exit_code = Exit.BAD_INPUT


class IntegrityError(CritnbError, ValueError):
    """A file is not the file that its record names."""

    exit_code = Exit.BAD_INPUT


class SignatureError(CritnbError, ValueError):
    """A signature is not that of the file or of the signer, or a key cannot sign."""

    exit_code = Exit.BAD_INPUT


class StorageError(CritnbError, OSError):
    """A folder or a file cannot be written, or not be read now."""

    exit_code = Exit.BAD_INPUT


class DependencyError(CritnbError, LookupError):
    """A model, a data set or an upstream run is missing or does not match."""

    exit_code = Exit.MISSING_DEPENDENCY


class RunExistsError(CritnbError, FileExistsError):
    """The run directory exists: complete, held by another process, or incomplete without leave to resume."""

    exit_code = Exit.RUN_EXISTS


class ModelError(CritnbError, TypeError):
    """A model cannot be loaded or instrumented soundly."""

    exit_code = Exit.BAD_INPUT


class NonFiniteError(CritnbError, ArithmeticError):
    """A model gives activations that are not finite."""


class PaperError(CritnbError, ValueError):
    """A template or the bibliography of the paper names something that is not there, or cannot be read."""

    exit_code = Exit.BAD_INPUT


class GateError(CritnbError, ValueError):
    """Under --strict, a gate of a stage failed or was not available."""

    exit_code = Exit.BAD_INPUT


class StageFailedError(CritnbError, RuntimeError):
    """A stage's notebook failed; its partial run is kept."""


def by_name(name: str) -> type[CritnbError] | None:
    """Return the pack's error class of that name, or None for any other exception's name."""
    found = globals().get(name)
    return found if isinstance(found, type) and issubclass(found, CritnbError) else None
