"""The figures that the paper shows, from the runs of each role: found by their id, read checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from critnb.canon import CANON, ModelRole, Stage
from critnb.errors import DependencyError
from critnb.paper.claims import RoleEvidence
from critnb.report.links import Link, to_file
from critnb.report.pixels import alt_of
from critnb.report.sources import SOURCES
from critnb.runs import Run

_STEMS = {name.partition("_")[0]: getattr(CANON.FIGURE, name) for name in type(CANON.FIGURE).model_fields}


@dataclass(frozen=True, eq=False)
class Picture:
    """One figure of a role: its id, its run, where it lies there without its suffix, its bytes, and what it was drawn from."""

    id: str
    role: ModelRole
    run_id: str
    stem: str
    png: bytes
    pdf: bytes
    sha256: Mapping[str, str]
    sources: tuple[Link, ...] = ()

    @property
    def label(self) -> str:
        """Return how its caption begins."""
        return f"Figure {self.id}, {self.role}."

    @property
    def alt(self) -> str:
        """What is seen in it, as its PNG says."""
        return alt_of(self.png)

    def seen_from_paper(self, suffix: str) -> str:
        """Return where the file lies, seen from the paper's folder in its run."""
        return to_file(f"{self.stem}{suffix}", self.run_id)

    def as_dict(self) -> dict[str, object]:
        """Return what evidence.json says of it."""
        return {
            "figure": self.id,
            "role": str(self.role),
            "run_id": self.run_id,
            "files": {f"{self.stem}{suffix}": digest for suffix, digest in self.sha256.items()},
        }


def picture(roles: Mapping[ModelRole, RoleEvidence], figure: str, role: str) -> Picture:
    """Return a figure of a role.

    Raises DependencyError, naming run and file, where no run of the role holds it; IntegrityError where it was changed.
    """
    evidence, name = roles[ModelRole(role)], _STEMS[figure]
    drawn_from = tuple(_sources(name, evidence.runs))
    for run in evidence.runs.values():
        for folder in (CANON.RUN_SUBDIR.FIGS, CANON.RUN_SUBDIR.FIGS_APPENDIX):
            if f"{folder}/{name}.png" in run.artifacts:
                return replace(_read(run, f"{folder}/{name}", figure, evidence.role), sources=drawn_from)
    looked = ", ".join(run.run_id for run in evidence.runs.values())
    raise DependencyError(f"no run of {role} holds {name}.png; looked in {looked}")


def _sources(name: str, runs: Mapping[Stage, Run]) -> Iterator[Link]:
    """Yield links to what a figure was drawn from, where the runs hold it."""
    for each in SOURCES[name]:
        if each.stage in runs and each.path in runs[each.stage].artifacts:
            href = to_file(each.path, runs[each.stage].run_id)
            yield Link(PurePosixPath(each.path).name, href, each.rows)


def _read(run: Run, stem: str, figure: str, role: ModelRole) -> Picture:
    data = {suffix: run.read_bytes(f"{stem}{suffix}") for suffix in (".png", ".pdf")}
    digests = {suffix: run.artifacts[f"{stem}{suffix}"].sha256 for suffix in data}
    return Picture(figure, role, run.run_id, stem, data[".png"], data[".pdf"], digests)
