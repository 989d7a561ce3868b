"""Whether tables have a row for every condition that a claim is about: what is absent can neither hold nor fail."""

from __future__ import annotations

import pandas as pd

from critnb.canon import Intervention, NullId, Stage
from critnb.paper.claims.evidence import Sourced
from critnb.paper.claims.gather import RoleEvidence

CONDITION = ["spike_def_id", "target_rate", "gain"]


def grid_rows(grid: Sourced) -> pd.DataFrame:
    """Return the measured conditions of the gain grid, a row each: gains on all MLPs, no null."""
    return grid.where(intervention_id=Intervention.MLP_GLOBAL, null_id=NullId.NULL_NONE)


def uncovered(evidence: RoleEvidence, stage: Stage, conditions: pd.DataFrame) -> int:
    """Return how many layers of conditions (columns CONDITION) have no threshold in the table of a stage, or no value there."""
    table = evidence.thresholds[stage].where(intervention_id=Intervention.MLP_GLOBAL)
    n_layers = (evidence.runs[Stage.S02].record.model or {})["n_layers"]
    asked = conditions[CONDITION].drop_duplicates().merge(pd.DataFrame({"layer": range(n_layers)}), how="cross")
    found = table.loc[table["tau"].notna(), [*CONDITION, "layer"]]
    joined = asked.merge(found, on=[*CONDITION, "layer"], how="left", indicator="_found")
    return int((joined["_found"] == "left_only").sum())
