"""Data sets of the Hugging Face hub: their rows, their revision, and one message where they cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from critnb.canon import DatasetRole
from critnb.errors import DependencyError
from critnb.params import HubData, HubQuestions


def hub_rows(source: HubData | HubQuestions, role: DatasetRole, *, revision: str | None = None) -> Iterator[Any]:
    """Yield the rows of a hub data set at ``revision``, or at the source's; raises DependencyError where it cannot be had."""
    import datasets

    streaming = isinstance(source, HubData) and source.streaming
    wanted = revision or source.revision
    try:
        yield from datasets.load_dataset(
            source.id, source.config, split=source.split, revision=wanted, streaming=streaming
        )
    except Exception as error:
        # load_dataset raises errors of several libraries, from DNS to pyarrow; each means the data set cannot be had
        raise DependencyError(_hub_data_message(source, role, error)) from None


def hub_revision(source: HubData | HubQuestions, role: DatasetRole) -> str:
    """Return the revision of a hub data set, the newest where none is given; raises DependencyError where it cannot be had."""
    if source.revision:
        return source.revision
    from huggingface_hub import HfApi

    try:
        revision = HfApi().dataset_info(source.id).sha
    except Exception as error:
        raise DependencyError(_hub_data_message(source, role, error)) from None
    return str(revision)


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
