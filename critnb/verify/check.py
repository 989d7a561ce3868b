"""What a check of a release is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from critnb.canon import CANON, Stage
from critnb.errors import IntegrityError
from critnb.release.contents import closure
from critnb.release.zip_reader import UnpackedFile
from critnb.runs import Run, RunStore


@dataclass(frozen=True)
class Result:
    """What a check found: a line per finding that begins with the file's path, or in ``summary`` what was checked and is sound.

    ``is_note``: the summary is neither good nor bad, but bears on all other checks.
    """

    findings: Sequence[str]
    summary: str = ""
    is_note: bool = False


@dataclass(frozen=True)
class Check:
    """A check that was made: its name, its result, its duration."""

    name: str
    result: Result
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.result.findings


@dataclass(frozen=True)
class UnpackedRelease:
    """A release in a folder, and what unpacking said of each of its files."""

    folder: Path
    files: tuple[UnpackedFile, ...]

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Path -> sha256 of every file in the zip."""
        return {each.name: each.sha256 for each in self.files}

    @property
    def store(self) -> RunStore:
        """The runs of the release."""
        return RunStore(self.folder / CANON.PATH.RUNS_DIR)

    @cached_property
    def paper(self) -> Run:
        """The run that the release is for; raises IntegrityError unless there is exactly one, and DependencyError."""
        found = self.store.ids(Stage.S07)
        if len(found) != 1:
            raise IntegrityError(f"it holds {len(found)} runs of {Stage.S07}; a release is for one paper")
        return self.store.open(found[0])

    @cached_property
    def runs(self) -> list[Run]:
        """The paper's run, everything that it rests on, and the checks of its models; raises as ``paper``."""
        checks = [self.store.open(run_id) for run_id in self.store.ids(Stage.S00)]
        return closure(self.store, [self.paper, *checks])
