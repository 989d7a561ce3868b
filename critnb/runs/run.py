"""A complete run: everything that is read from it is checked against its record."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from critnb.canon import CANON, Stage, Status
from critnb.errors import DataError, DependencyError, IntegrityError
from critnb.runs.decoding import json_value, npz_arrays, parquet_frame, yaml_value
from critnb.runs.files import inside, may_be_sound, open_regular, sha256_hex, unread_error
from critnb.runs.identity import HashInputs
from critnb.runs.record import Artifact, Dependency, RunRecord, read_record

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Run:
    """A published run directory, its record, and the digest of the record's bytes when it was opened.

    Nothing in the directory changes after publication. What is read from it has been checked against the record each time,
    or an error is raised.
    """

    path: Path
    record: RunRecord
    record_sha256: str

    @classmethod
    def open(cls, path: Path) -> Run:
        """Read a run's record; raises as ``read_record``, and IntegrityError where it is not complete or another run's."""
        record, digest = read_record(path)
        if record.stage_status != Status.complete or record.run_id != path.name:
            found = f"a {record.stage_status} {record.run_id}"
            raise IntegrityError(f"{path}: its record is that of {found}; delete the run and make it again")
        return cls(path=path, record=record, record_sha256=digest)

    @property
    def run_id(self) -> str:
        """The run's id, which is its directory's name."""
        return self.record.run_id

    @property
    def stage(self) -> Stage:
        """The stage that made the run."""
        return self.record.stage_id

    @property
    def inputs(self) -> HashInputs:
        """What the run was made from; raises IntegrityError for a record that does not say."""
        if self.record.hash_inputs is None:
            raise IntegrityError(f"{self.run_id}: its record does not say what it was made from; {_ADVICE}")
        return self.record.hash_inputs

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that the run is about."""
        return self.inputs.roles

    @cached_property
    def artifacts(self) -> dict[str, Artifact]:
        """The index: POSIX path inside the run -> artifact."""
        return {artifact.path: artifact for artifact in self.record.artifact_index}

    def result(self, basename: str) -> str:
        """Return the path inside the run of a file under results/."""
        return f"{CANON.RUN_SUBDIR.RESULTS}/{basename}"

    def read_bytes(self, relative: str) -> bytes:
        """Return an artifact's bytes, checked against size and sha256 of the record on every call.

        Raises DependencyError for a path that the index does not hold, IntegrityError for a file that is missing,
        changed, or reached through a symbolic link, StorageError for one that could not be read now.
        """
        artifact = self._artifact(relative)
        path = inside(self.path, relative)
        try:
            with open_regular(path) as file:
                # a file of another length is not read: it may be longer than memory
                data = file.read() if os.fstat(file.fileno()).st_size == artifact.bytes else None
        except OSError as error:
            if may_be_sound(error):
                raise unread_error(path, error) from error
            raise IntegrityError(f"{self.run_id}: {relative} cannot be read ({error.strerror}); {_ADVICE}") from error
        if data is None or len(data) != artifact.bytes or sha256_hex(data) != artifact.sha256:
            raise IntegrityError(f"{self.run_id}: {relative} is not the file that its record names; {_ADVICE}")
        return data

    def npz(self, relative: str, names: Collection[str] | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays of an NPZ artifact by name, all or those of the names; raises as ``read_bytes``."""
        return self.decoded(relative, lambda data: npz_arrays(data, names))

    def parquet(self, relative: str) -> pd.DataFrame:
        """Return the frame of a Parquet artifact; raises as ``read_bytes``."""
        return self.decoded(relative, parquet_frame)

    def json(self, relative: str) -> Any:
        """Return the value of a JSON artifact; raises as ``read_bytes``."""
        return self.decoded(relative, json_value)

    def yaml(self, relative: str) -> Any:
        """Return the value of a YAML artifact; raises as ``read_bytes``."""
        return self.decoded(relative, yaml_value)

    def decoded(self, relative: str, decode: Callable[[bytes], _Value]) -> _Value:
        """Return what ``decode`` makes of an artifact's bytes; its DataError becomes an IntegrityError that names the run."""
        try:
            return decode(self.read_bytes(relative))
        except DataError as error:
            raise IntegrityError(f"{self.run_id}: {relative} is {error}") from error

    def dependency(self) -> Dependency:
        """Return how a downstream record names this run; raises IntegrityError for a record without a stage hash."""
        if self.record.stage_hash is None:
            raise IntegrityError(f"{self.run_id}: its record holds no stage hash")
        return Dependency(self.stage, self.run_id, self.record.stage_hash, self.record_sha256)

    def _artifact(self, relative: str) -> Artifact:
        if relative not in self.artifacts:
            held = ", ".join(self.artifacts)
            raise DependencyError(f"{self.run_id} holds no {relative}; it holds {held}")
        return self.artifacts[relative]


_ADVICE = "delete the run and make it again"
