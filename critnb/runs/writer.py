"""What a stage may ask of the run that it writes: of the real run, and of whatever stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from critnb.canon import Stage
from critnb.runs.files import HashingSink
from critnb.runs.record import Artifact, RunRecord

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class RunWriter(Protocol):
    """A run in the making; ``PartialRun`` says what each method raises. Paths are POSIX and relative to the run."""

    @property
    def run_id(self) -> str:
        """The id of the run."""

    @property
    def path(self) -> Path:
        """Where the run lies."""

    @property
    def stage(self) -> Stage:
        """The stage that the run is of."""

    @property
    def record(self) -> RunRecord:
        """The record as it stands now."""

    def write_stream(self, relative: str, fill: Callable[[HashingSink], object], media: str | None = None) -> Artifact:
        """Write a file piece by piece, as ``fill`` gives them."""

    def write_bytes(self, relative: str, data: bytes, media_type: str | None = None) -> Artifact:
        """Write a file."""

    def write_csv(self, relative: str, frame: pd.DataFrame) -> Artifact:
        """Write a frame as CSV."""

    def write_parquet(self, relative: str, frame: pd.DataFrame | Iterable[pd.DataFrame]) -> Artifact:
        """Write a frame as Parquet, or the rows of one frame after the other."""

    def write_npz(self, relative: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Artifact:
        """Write arrays as NPZ."""

    def write_json(self, relative: str, value: Any) -> Artifact:
        """Write a value as JSON."""

    def load_checkpoint(self, name: str) -> dict[str, np.ndarray[Any, Any]] | None:
        """Return a checkpoint's arrays, or None where there is none."""

    def save_checkpoint(self, name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Keep arrays for a later attempt at this run."""

    def update(self, **sections: Any) -> None:
        """Replace whole fields of the record."""

    def log(self, event_type: str, **payload: Any) -> None:
        """Append a line to the event log."""

    def timing(self, step: str) -> AbstractContextManager[None]:
        """Return a context whose seconds are recorded."""

    def close(self) -> None:
        """Let go of the run."""
