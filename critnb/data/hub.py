"""Data sets of the Hugging Face hub: their rows, their revision, and one message where they cannot be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from critnb.canon import DatasetRole
from critnb.errors import CritnbError, DependencyError
from critnb.params import HubData, HubQuestions
from critnb.system.extras import HUB


def hub_rows(source: HubData | HubQuestions, role: DatasetRole, *, revision: str | None = None) -> Iterator[Any]:
    """Yield the rows of a hub data set at ``revision``, or at the source's; raises DependencyError where it cannot be had."""

    HUB.require(f"data.{role}")

    def opened() -> Iterator[Any]:
        import datasets

        streaming = isinstance(source, HubData) and source.streaming
        wanted = revision or source.revision
        found = datasets.load_dataset(
            source.id, source.config, split=source.split, revision=wanted, streaming=streaming
        )
        return iter(found)

    # only what the library does is held to be a data set that cannot be had, never what is done with a row
    rows = _had(opened, source, role)
    end = object()
    while (row := _had(lambda: next(rows, end), source, role)) is not end:
        yield row


def _had(ask: Callable[[], Any], source: HubData | HubQuestions, role: DatasetRole) -> Any:
    try:
        return ask()
    except (CritnbError, MemoryError):
        raise
    except Exception as error:
        # datasets raises errors of several libraries, from DNS to pyarrow; each means the data set cannot be had
        raise DependencyError(_hub_data_message(source, role, error)) from None


def hub_revision(source: HubData | HubQuestions, role: DatasetRole) -> str:
    """Return the revision of a hub data set, the newest where none is given; raises DependencyError where it cannot be had."""
    HUB.require(f"data.{role}")
    if source.revision:
        return source.revision
    from huggingface_hub import HfApi

    return str(_had(lambda: HfApi().dataset_info(source.id).sha, source, role))


def _hub_data_message(source: HubData | HubQuestions, role: DatasetRole, error: Exception) -> str:
    name = f"{source.id} {source.config or ''}".strip()
    field = f", field: {source.field}" if isinstance(source, HubData) else ""
    return (
        f"data.{role}: hub data set {name} ({source.split}) cannot be had ({first_line(error)})\n"
        f"download it where there is a network, then use data.{role}: {{source: file, path: FILE{field}}}"
    )


def first_line(error: Exception) -> str:
    """Return an exception's class and the beginning of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
