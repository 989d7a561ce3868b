"""A finished run in a notebook: its tables, figures, rasters, gates and upstream runs, each checked when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from critnb.api.arguments import identifier
from critnb.api.arrays import EventCounts
from critnb.api.estimates import TableResult, html_table
from critnb.canon import CANON, Stage
from critnb.errors import DataError, DependencyError
from critnb.lattice import Raster
from critnb.lattice.conditions import FIELDS
from critnb.runs import Run, RunStore, ancestors, model_ids, verify

_OUT = CANON.OUTPUT
_TABLES, _FIGURES = CANON.TABLE.model_dump(), CANON.FIGURE.model_dump()


@dataclass(frozen=True, eq=False, repr=False)
class OpenedRun(TableResult):
    """A complete run. Every file is checked against the record before it is read; IntegrityError where it was changed."""

    run: Run
    store: RunStore = field(repr=False)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.run_id

    @property
    def stage(self) -> Stage:
        """The stage that made the run."""
        return self.run.stage

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.run.path

    @property
    def role(self) -> str:
        """The model role; the roles, joined by ``+``, of a run over several."""
        return self.run.inputs.who

    @property
    def models(self) -> tuple[str, ...]:
        """The ids of the models that the run is about, its own or those of its upstream runs."""
        return model_ids(self.store, self.run)

    @property
    def params(self) -> dict[str, Any]:
        """The resolved params that the stage read, by section."""
        return dict(self.run.inputs.sections.get("params", {}))

    @property
    def metrics(self) -> dict[str, Any]:
        """The summary numbers of the record, gates included."""
        return dict(self.run.record.metrics)

    @property
    def notebook(self) -> Path:
        """The executed notebook as HTML."""
        return self._only(lambda path: path.suffix == ".html", "no notebook")

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every results table by its id."""
        return {key: self.table(key) for key, name in _TABLES.items() if self._named(name, "parquet")}

    def table(self, name: str) -> pd.DataFrame:
        """Return a results table by its id or the beginning of it, such as T01; DependencyError where there is none."""
        return self.run.parquet(self._file(_TABLES, name, "parquet").as_posix())

    def figures(self, suffix: str = "png") -> dict[str, Path]:
        """Return the path of every figure by its id, as ``png`` or ``pdf``."""
        return {key: self.figure(key, suffix) for key, name in _FIGURES.items() if self._named(name, suffix)}

    def figure(self, name: str, suffix: str = "png") -> Path:
        """Return the path of a figure by its id or the beginning of it, such as F03; DependencyError where there is none."""
        return self._checked(self._file(_FIGURES, name, suffix))

    def show(self, name: str) -> Any:
        """Return a figure as an image that a notebook shows."""
        from IPython.display import Image

        return Image(data=self.figure(name).read_bytes())

    def gates(self) -> pd.DataFrame:
        """Return the run's gates: name, value, condition, verdict and reason."""
        return pd.DataFrame(self.metrics.get("gates", []), columns=["name", "value", "condition", "verdict", "reason"])

    def result(self, basename: str) -> Any:
        """Return the content of a file under results/: a frame, a dict of arrays, a JSON value, or bytes."""
        path = self.run.result(basename)
        readers: dict[str, Callable[[str], Any]] = {
            ".parquet": self.run.parquet,
            ".npz": self.run.npz,
            ".json": self.run.json,
        }
        return readers.get(PurePosixPath(path).suffix, self.run.read_bytes)(path)

    def results(self) -> list[str]:
        """Return the basenames of the files under results/."""
        return [path.name for path in self._paths() if path.parent.name == CANON.RUN_SUBDIR.RESULTS]

    def gstar(self) -> pd.DataFrame:
        """Return g* of each spike definition and rate from a run of S02B, or from the one that this run was made from."""
        run = self if self.stage is Stage.S02B else self.upstream(Stage.S02B)
        choices = pd.DataFrame(run.result(_OUT.GSTAR_JSON_BASENAME)["choices"])
        lists = [name for name in choices if choices[name].map(lambda value: isinstance(value, list)).any()]
        return choices.drop(columns=lists)

    def conditions(self) -> pd.DataFrame:
        """Return the conditions of this run's raster: cond_id and the fields that ``raster`` takes."""
        return self._raster().conditions.to_frame()

    def raster(self, **condition: Any) -> EventCounts:
        """Return the events of one condition of this run's raster; ``sequence(7)`` of it is one window [L, T].

        condition: fields of ``conditions`` that select one, such as gain=1.0, target_rate=1e-5, spike_def_id=...

        Raises:
            DependencyError: the run holds no raster; its upstream run of S02 or S03 does.
            DataError: the fields select no condition, or several.
        """
        raster = self._raster()
        found = raster.conditions.where(**condition)
        if len(found) != 1:
            among = raster.conditions.to_frame().loc[found or slice(None)]
            told = {name: sorted(set(among[name])) for name in FIELDS if found or name in condition}
            apart = {name: values for name, values in told.items() if len(values) > 1 or not found}
            raise DataError(f"raster: {len(found)} conditions of {self.run_id} are {condition}; choose among {apart}")
        one = raster.take(found)
        return EventCounts(one.counts[0], self._n_units(one), one.seq_id, one.conditions[0].key())

    def upstream(self, stage: str, *, role: str | None = None) -> OpenedRun:
        """Return the run of a stage that this one was made from, directly or through others.

        role selects among the runs of a stage where this run joins several model roles.

        Raises:
            DependencyError: this run was not made from that stage, the run is gone, or role is needed.
        """
        wanted = identifier(Stage, stage, "stage")
        above = ancestors(self.store, [self.run])
        found = [run for run in above.runs if run.stage is wanted and role in (None, *run.roles)]
        if len(found) != 1:
            made = ", ".join(run.run_id for run in above.runs) or "no other run"
            many = f"several runs of {wanted}: give role" if found else f"no run of {wanted} that can be opened"
            gone = "".join(f"\n{error}" for error in above.missing.values())
            raise DependencyError(f"{self.run_id} was made from {many}; it was made from {made}{gone}")
        return OpenedRun(found[0], self.store)

    def verify(self) -> list[str]:
        """Hash every file again and return what is wrong, in words; an empty list for a sound run."""
        return [str(finding) for finding in verify(self.path)]

    def headline(self) -> str:
        """Return id, model, role, date and gates in one line."""
        gates = self.gates()
        passed = int((gates["verdict"] == "pass").sum())
        created = self.run.record.created_utc
        who = ", ".join(filter(None, [" + ".join(self.models), self.role]))
        return f"{self.run_id} ({who}), {created}; {passed} of {len(gates)} gates passed; {self.path}"

    def to_frame(self) -> pd.DataFrame:
        """Return one row per file of the run: path, bytes, sha256."""
        return pd.DataFrame(
            [(one.path, one.bytes, one.sha256) for one in self.run.record.artifact_index],
            columns=["path", "bytes", "sha256"],
        )

    def __repr__(self) -> str:
        tables, figures = (
            ", ".join(key for key, file in known.items() if self._named(file, suffix)) or "none"
            for known, suffix in ((_TABLES, "parquet"), (_FIGURES, "png"))
        )
        return (
            f"{self.headline()}\ntables: {tables}\nfigures: {figures}\nresults: {', '.join(self.results()) or 'none'}"
        )

    def _repr_html_(self) -> str:
        return html_table(self.headline(), self.gates(), wide=("condition", "reason"), verdicts=("verdict",))

    def _raster(self) -> Raster:
        from critnb.pipeline.artifacts import load_raster

        if _OUT.RASTER_NPZ_BASENAME not in self.results():
            raise DependencyError(f"{self.run_id} holds no raster; take its upstream run of {Stage.S02} or {Stage.S03}")
        return load_raster(self.run)

    def _n_units(self, raster: Raster) -> int:
        described = self.run.record.model or {}
        return int(described.get("d_ff", max(1, raster.counts.max(initial=0))))

    def _paths(self) -> Iterator[PurePosixPath]:
        return (PurePosixPath(path) for path in self.run.artifacts)

    def _named(self, name: str, suffix: str) -> list[PurePosixPath]:
        return [path for path in self._paths() if path.name == f"{name}.{suffix}"]

    def _file(self, known: dict[str, str], name: str, suffix: str) -> PurePosixPath:
        there = {key: paths[0] for key, file in known.items() if (paths := self._named(file, suffix))}
        found = [path for key, path in there.items() if name in (key, key.partition("_")[0])]
        if not found:
            held = ", ".join(there) or "none"
            raise DependencyError(f"{self.run_id} holds no {name} as .{suffix}; it holds {held}")
        return found[0]

    def _only(self, wanted: Any, missing: str) -> Path:
        for path in self._paths():
            if wanted(path):
                return self._checked(path)
        raise DependencyError(f"{self.run_id} holds {missing}")

    def _checked(self, path: PurePosixPath) -> Path:
        self.run.read_bytes(path.as_posix())
        return self.path / path
