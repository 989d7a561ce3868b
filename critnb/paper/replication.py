"""T07: both model roles beside each other, where they saw the same windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from critnb.canon import CANON, ModelRole, SliceRole, Stage
from critnb.errors import DataError
from critnb.paper.claims.gather import RoleEvidence
from critnb.report.assembly import finished
from critnb.report.provenance import Provenance
from critnb.report.schema import T07
from critnb.report.schema.columns import BRANCHING_REASON

_KEY = ["spike_def_id", "target_rate"]
_REASON = BRANCHING_REASON.name
_SHOWN = ("delta_b_tot", "chi")


@dataclass(frozen=True, eq=False)
class Replication:
    """T07, or why it is not available."""

    table: pd.DataFrame | None
    reason: str = ""


def replicate(roles: Mapping[ModelRole, RoleEvidence], provenance: Provenance) -> Replication:
    """Return T07 of both roles at their g*, or the reason why the two cannot be put side by side."""
    if missing := [role for role in ModelRole if role not in roles]:
        return Replication(None, f"only {', '.join(roles)} has run; {', '.join(missing)} is missing")
    for slice_role, stage in ((SliceRole.A_cal, Stage.S02), (SliceRole.A_raster, Stage.S03)):
        if len({_slice(each, slice_role, stage) for each in roles.values()}) > 1:
            return Replication(
                None,
                f"the roles saw different windows of {slice_role}, so nothing is paired; their tokenizers may differ",
            )
    (digest,) = {_slice(each, SliceRole.A_raster, Stage.S03) for each in roles.values()}
    try:
        joined = _joined(roles)
    except DataError as error:
        return Replication(None, str(error))
    return Replication(finished(joined.assign(opt_slice_sha256=digest), T07, provenance))


def _slice(evidence: RoleEvidence, role: SliceRole, stage: Stage) -> str:
    return str(evidence.runs[stage].record.datasets[role]["slice_sha256"])


def _joined(roles: Mapping[ModelRole, RoleEvidence]) -> pd.DataFrame:
    base, instruct = (_at_gstar(roles[role]) for role in (ModelRole.BASE, ModelRole.INSTRUCT))
    joined = base.merge(instruct, on=[*_KEY, "dataset_role"], how="outer", validate="one_to_one", indicator="_both")
    if (joined["_both"] != "both").any():
        raise DataError("the roles were measured at different rates or spike definitions")
    return joined.drop(columns="_both")


def _at_gstar(evidence: RoleEvidence) -> pd.DataFrame:
    t01 = evidence.tables[CANON.TABLE.T01_SUMMARY]
    who = evidence.role.lower()
    names = {"model_id": f"model_id_{who}", "run_id": f"run_id_s05_{who}", "g": f"gstar_{who}"}
    for name in _SHOWN:
        names[name] = f"{name}_at_gstar_{who}"
        names |= {f"opt_{name}_ci_{end}": f"opt_{name}_at_gstar_{who}_ci_{end}" for end in ("low", "high")}
    rows = t01.where(opt_is_gstar=True)
    if _REASON in rows:
        names[_REASON] = f"{_REASON}_{who}"
    return rows[[*_KEY, "dataset_role", *names]].rename(columns=names)
