"""T07_REPLICATION_SUMMARY: what both model roles show at their g*, on the same windows."""

from __future__ import annotations

from critnb.canon import CANON, ModelRole
from critnb.report.schema import columns as col
from critnb.report.schema.model import Column, TableSchema

_OF = {role.lower(): role for role in ModelRole}


def _each(name: str, unit: str, meaning: str, *, positive: bool = False) -> tuple[Column, ...]:
    allowed = col.NOT_NEGATIVE if positive else None
    return tuple(col.number(f"{name}_{who}", unit, f"{meaning}, {role}", allowed) for who, role in _OF.items())


T07 = TableSchema(
    name=CANON.TABLE.T07_REPLICATION_SUMMARY,
    rows="per spike definition and target rate: both model roles at the g* of each, on the same windows of A_raster",
    key=("spike_def_id", "target_rate"),
    columns=(
        *col.PROVENANCE,
        col.DATASET,
        col.SPIKE_DEF,
        col.TARGET_RATE,
        *(col.text(f"model_id_{who}", f"model of role {role}") for who, role in _OF.items()),
        *(
            col.text(f"run_id_s05_{who}", f"run whose table T01 the numbers are from, {role}")
            for who, role in _OF.items()
        ),
        *_each("gstar", "-", "g*", positive=True),
        *_each("delta_b_tot_at_gstar", col.PER_SITE, "delta_b_tot at g*"),
        *_each("chi_at_gstar", col.SIZE, "susceptibility at g*", positive=True),
        *(
            column
            for who in _OF
            for column in (
                *col.interval(f"opt_delta_b_tot_at_gstar_{who}", col.PER_SITE),
                *col.interval(f"opt_chi_at_gstar_{who}", col.SIZE),
            )
        ),
        *(
            col.text(f"{col.BRANCHING_REASON.name}_{who}", f"why delta_b_tot or its interval is not available, {role}")
            for who, role in _OF.items()
        ),
        col.text("opt_slice_sha256", "digest of the windows that both roles share"),
    ),
    appendix=True,
)
