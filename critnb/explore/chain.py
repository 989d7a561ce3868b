"""A chain: runs from calibration to tables, each made from the one before, and what the explorer reads from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import yaml

from critnb.canon import CANON, Adjacency, ModelRole, NullId, Stage
from critnb.errors import DependencyError
from critnb.lattice import RASTER_NULLS, Condition, Raster, null_raster
from critnb.params import Params, validate
from critnb.pipeline.artifacts import load_null_raster, load_raster
from critnb.runs import Run, RunStore, ancestors

_TABLES = (CANON.RUN_SUBDIR.TABLES, CANON.RUN_SUBDIR.TABLES_APPENDIX)
# a chain ends with the last of these that was made; the first is the least that can be looked at
_ENDS = (Stage.S05, Stage.S04, Stage.S03)


@dataclass(frozen=True, eq=False)
class Chain:
    """Runs that belong together by their records, at least one of S03; everything read from them is verified."""

    runs: Mapping[Stage, Run]

    @property
    def end(self) -> Run:
        """The last run of the chain."""
        return next(self.runs[stage] for stage in _ENDS if stage in self.runs)

    @property
    def label(self) -> str:
        """The chain's line in a menu, from its records: role, model, last run and its date."""
        model = (self.runs[Stage.S03].record.model or {}).get("id", "")
        made = self.end.record.created_utc[:16].replace("T", " ")
        return f"{self.role} · {model} · {self.end.run_id} · {made} UTC"

    @cached_property
    def raster(self) -> Raster:
        """The rasters of S03 under every condition."""
        return load_raster(self.runs[Stage.S03])

    @cached_property
    def _kept_nulls(self) -> Raster:
        return load_null_raster(self.run(Stage.S04))

    @property
    def role(self) -> ModelRole:
        """The model's role."""
        return ModelRole(self.runs[Stage.S03].roles[0])

    @cached_property
    def params(self) -> Params:
        """The parameters of S03: model, data, windows, events, gain."""
        return self._params(Stage.S03)

    @cached_property
    def adjacency(self) -> Adjacency:
        """The adjacency of sites that S05 used; the default where there is no S05."""
        return self._params(Stage.S05).analysis.adjacency if Stage.S05 in self.runs else Params().analysis.adjacency

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Branching of every condition, from S03."""
        run = self.runs[Stage.S03]
        return run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME))

    def run(self, stage: Stage) -> Run:
        """Return the chain's run of a stage; raises DependencyError where it has none."""
        if stage not in self.runs:
            raise DependencyError(f"no run of {stage} belongs to {self.end.run_id}; make it with `runner.py phase5`")
        return self.runs[stage]

    def table(self, name: str) -> pd.DataFrame:
        """Return one of CANON.TABLE's tables of S05; raises DependencyError where the chain has no S05 or the run no table."""
        if name not in self._tables:
            self._tables[name] = self._read_table(name)
        return self._tables[name]

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        return {}

    def _read_table(self, name: str) -> pd.DataFrame:
        run = self.run(Stage.S05)
        paths = [f"{folder}/{name}.parquet" for folder in _TABLES]
        return run.parquet(next((path for path in paths if path in run.artifacts), paths[0]))

    def null(self, condition: Condition, null_id: NullId) -> Raster:
        """Return replicate 0 of a null of one condition [1, N, L, T].

        A raster null is drawn by the same key as S04 drew it, so that it is the stored one where one was stored. The
        token shuffle needs the model and is there where S04 kept it. Raises DependencyError where it is not.
        """
        real = self.raster.take([self.raster.conditions.index(condition)])
        if null_id in RASTER_NULLS:
            return null_raster(real, null_id, seed=self._null_seed)
        kept = self._kept_nulls
        stored = kept.conditions.where(**{**vars(condition), "null_id": null_id})
        if not stored:
            raise DependencyError(f"{null_id} is kept at g1 and g* of {condition.intervention_id} only")
        return kept.take(stored)

    @cached_property
    def _null_seed(self) -> int:
        return self._params(Stage.S04).nulls.seed if Stage.S04 in self.runs else Params().nulls.seed

    def _params(self, stage: Stage) -> Params:
        config = yaml.safe_load(self.runs[stage].read_bytes(CANON.OUTPUT.CONFIG_RESOLVED_YAML))
        config.pop("role", None)
        return validate(config, origin=f"{self.runs[stage].run_id}/{CANON.OUTPUT.CONFIG_RESOLVED_YAML}")


def find_chains(root: Path) -> list[Chain]:
    """Return the chains of a runs folder, the newest first; raises DependencyError where there is none."""
    store = RunStore(root)
    chains: list[Chain] = []
    for stage in _ENDS:
        covered = {run.run_id for chain in chains for run in chain.runs.values()}
        ends = [run for run in store.runs(stage) if run.run_id not in covered]
        chains += [chain for run in ends if (chain := _chain(store, run)) is not None]
    if not chains:
        raise DependencyError(
            f"{root} holds no complete run of {Stage.S03}, whose rasters are explored; "
            "make one with `python runner.py phase5`, or give another folder"
        )
    return sorted(chains, key=lambda chain: chain.end.record.created_utc, reverse=True)


def _chain(store: RunStore, end: Run) -> Chain | None:
    # a run that was deleted or broken: what needs it says so when it is asked for
    runs = {run.stage: run for run in reversed([end, *ancestors(store, [end]).runs])}
    return Chain(runs) if Stage.S03 in runs else None


def chain_of(chains: Sequence[Chain], run_id: str | None) -> Chain:
    """Return the chain that a run belongs to, or was made from; the newest for None. Raises DependencyError for none."""
    if run_id is None:
        return chains[0]
    for chain in chains:
        if run_id in {run.run_id for run in chain.runs.values()}:
            return chain
    store = RunStore(chains[0].end.path.parent)
    needs = {dependency.run_id for dependency in store.open(run_id).record.dependencies}
    for chain in chains:
        if needs & {run.run_id for run in chain.runs.values()}:
            return chain
    raise DependencyError(f"{run_id} belongs to no chain with a complete run of {Stage.S03}")
