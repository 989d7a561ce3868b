"""What one model role has shown: its tables, thresholds and choices, read from the runs that a paper rests on, and what they cover.

The runs are S05, S06B and S06ARC of the role, and those that they were made from, followed by the digests of their
records: a run that was made again since is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from critnb.canon import CANON, Intervention, ModelRole, NullId, Stage
from critnb.contract import spec_of
from critnb.errors import DependencyError, IntegrityError
from critnb.paper.claims.evidence import Sourced
from critnb.report.schema import SCHEMAS
from critnb.report.tables import load_table, table_path
from critnb.runs import Run, RunStore

_OUT = CANON.OUTPUT
CONDITION = ["spike_def_id", "target_rate", "gain"]
_KEY = ("intervention_id", *CONDITION)
Windows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RoleEvidence:
    """The evidence of one model role.

    runs: by stage, S01 (or S02) to S06ARC. tables: those that these runs hold, by the registry's names. choices:
    gstar.json, a row per choice, with ``computed_from`` as it stands there. grid: metrics of S02 on A_cal.
    thresholds: tau_rate_matched.parquet by the stage that wrote it (S02, S04, S06B). windows:
    ids of the windows of A_cal (S02) and A_raster (S03).
    """

    role: ModelRole
    runs: Mapping[Stage, Run]
    tables: Mapping[str, Sourced]
    choices: Sourced
    computed_from: Mapping[str, str]
    grid: Sourced
    thresholds: Mapping[Stage, Sourced]
    windows: Mapping[Stage, Windows]


def gather(role: ModelRole, ends: Mapping[Stage, Run], store: RunStore) -> RoleEvidence:
    """Return the evidence of a role from its runs of S05, S06B and S06ARC, every file checked against its record.

    Raises:
        DependencyError: a run or a file is missing, or the three rest on different runs.
        IntegrityError: a file or a record is not the one that was recorded.
    """
    runs = _upstream(ends, store)
    choices, computed_from = _choices(runs[Stage.S02B])
    return RoleEvidence(
        role=role,
        runs=runs,
        tables={name: _table(run, name) for run in runs.values() for name in _tables_of(run.stage)},
        choices=choices,
        computed_from=computed_from,
        grid=_parquet(runs[Stage.S02], _OUT.METRICS_PARQUET_BASENAME, _KEY),
        thresholds={
            stage: _parquet(runs[stage], _OUT.TAU_RATE_MATCHED_PARQUET_BASENAME, (*_KEY, "layer"))
            for stage in (Stage.S02, Stage.S04, Stage.S06B)
        },
        windows={stage: _windows(runs[stage]) for stage in (Stage.S02, Stage.S03)},
    )


def _upstream(ends: Mapping[Stage, Run], store: RunStore) -> dict[Stage, Run]:
    found: dict[Stage, Run] = {}
    waiting = list(ends.values())
    while waiting:
        run = waiting.pop()
        known = found.setdefault(run.stage, run)
        if known.run_id != run.run_id:
            raise DependencyError(
                f"{run.run_id} and {known.run_id} are both upstream of this paper; make {', '.join(ends)} from one of them"
            )
        if known is not run:
            continue
        for dependency in run.record.dependencies:
            upstream = store.open(dependency.run_id)
            if upstream.record_sha256 != dependency.record_sha256:
                raise IntegrityError(
                    f"{upstream.run_id}: its record is not the one that {run.run_id} was made from; make {run.run_id} again"
                )
            waiting.append(upstream)
    return dict(sorted(found.items(), key=lambda item: list(Stage).index(item[0])))


def _tables_of(stage: Stage) -> list[str]:
    """Return the names of the results tables that a stage leaves."""
    outputs = spec_of(stage).outputs
    return [name for name, schema in SCHEMAS.items() if table_path(schema, ".parquet") in outputs]


def _table(run: Run, name: str) -> Sourced:
    schema = SCHEMAS[name]
    path = table_path(schema, ".parquet")
    return Sourced(name, load_table(run, name), schema.key, run.run_id, path, run.artifacts[path].sha256)


def _parquet(run: Run, basename: str, key: tuple[str, ...]) -> Sourced:
    path = run.result(basename)
    return Sourced(basename, run.parquet(path), key, run.run_id, path, run.artifacts[path].sha256)


def _choices(run: Run) -> tuple[Sourced, Mapping[str, str]]:
    path = run.result(_OUT.GSTAR_JSON_BASENAME)
    content = run.json(path)
    frame = pd.DataFrame(content["choices"])
    key = ("spike_def_id", "target_rate")
    sourced = Sourced(_OUT.GSTAR_JSON_BASENAME, frame, key, run.run_id, path, run.artifacts[path].sha256)
    return sourced, content["computed_from"]


def _windows(run: Run) -> Windows:
    # a raster of a large model holds gigabytes; its window ids are one small member
    return run.npz(run.result(_OUT.RASTER_NPZ_BASENAME), ["seq_id"])["seq_id"]


def grid_rows(grid: Sourced) -> pd.DataFrame:
    """Return the measured conditions of the gain grid, one per row: gains on all MLPs, no null."""
    return grid.where(intervention_id=Intervention.MLP_GLOBAL, null_id=NullId.NULL_NONE)


def uncovered(evidence: RoleEvidence, stage: Stage, conditions: pd.DataFrame) -> int:
    """Return how many layers of conditions (columns CONDITION) have no threshold in the table of a stage, or no value there."""
    table = evidence.thresholds[stage].where(intervention_id=Intervention.MLP_GLOBAL)
    n_layers = (evidence.runs[Stage.S02].record.model or {})["n_layers"]
    asked = conditions[CONDITION].drop_duplicates().merge(pd.DataFrame({"layer": range(n_layers)}), how="cross")
    found = table.loc[table["tau"].notna(), [*CONDITION, "layer"]]
    joined = asked.merge(found, on=[*CONDITION, "layer"], how="left", indicator="_found")
    return int((joined["_found"] == "left_only").sum())
