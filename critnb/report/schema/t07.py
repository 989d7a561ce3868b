"""T07_REPLICATION_SUMMARY: what both model roles show at their g*, on the same windows."""

from __future__ import annotations

from critnb.canon import CANON, DatasetRole, ModelRole, SpikeDef
from critnb.report.schema.columns import (
    BRANCHING_REASON,
    NOT_NEGATIVE,
    PER_SITE,
    PROVENANCE,
    RATE,
    SHARE,
    SIZE,
    number,
    optional,
    text,
)
from critnb.report.schema.columns import interval as interval_of
from critnb.report.schema.model import Column, TableSchema

_OF = {role.lower(): role for role in ModelRole}


def _each(name: str, unit: str, meaning: str, *, positive: bool = False) -> tuple[Column, ...]:
    allowed = NOT_NEGATIVE if positive else None
    return tuple(number(f"{name}_{who}", unit, f"{meaning}, {role}", allowed) for who, role in _OF.items())


T07 = TableSchema(
    name=CANON.TABLE.T07_REPLICATION_SUMMARY,
    rows="per spike definition and target rate: both model roles at the g* of each, on the same windows of A_raster",
    key=("spike_def_id", "target_rate"),
    columns=(
        *PROVENANCE,
        text("dataset_role", "role of the data", DatasetRole),
        text("spike_def_id", "what counts as an event", SpikeDef),
        number("target_rate", RATE, "label rate: mean over layers of the layers' target rates", SHARE),
        *(text(f"model_id_{who}", f"model of role {role}") for who, role in _OF.items()),
        *(text(f"run_id_s05_{who}", f"run whose table T01 the numbers are from, {role}") for who, role in _OF.items()),
        *_each("gstar", "-", "g*", positive=True),
        *_each("delta_b_tot_at_gstar", PER_SITE, "delta_b_tot at g*"),
        *_each("chi_at_gstar", SIZE, "susceptibility at g*", positive=True),
        *optional(
            *(
                column
                for who in _OF
                for column in (
                    *interval_of(f"opt_delta_b_tot_at_gstar_{who}", PER_SITE),
                    *interval_of(f"opt_chi_at_gstar_{who}", SIZE),
                )
            ),
            *(
                text(f"{BRANCHING_REASON.name}_{who}", f"why delta_b_tot or its interval is not available, {role}")
                for who, role in _OF.items()
            ),
            text("opt_slice_sha256", "digest of the windows that both roles share"),
        ),
    ),
    appendix=True,
)
