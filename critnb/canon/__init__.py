"""Every identifier, file name, constant and command of the pack, and where its files lie."""

from __future__ import annotations

from critnb.canon.identifiers import (
    Adjacency,
    Claim,
    Criterion,
    CriterionKind,
    DatasetRole,
    Exit,
    GCondition,
    Intervention,
    ModelRole,
    NullId,
    SizeDef,
    SliceRole,
    SpikeDef,
    Stage,
    Status,
)
from critnb.canon.places import (
    CARRIED,
    CODE_ROOT,
    DOCS_DIR,
    IS_INSTALLED,
    PACK_ROOT,
    REGISTRY_FILE,
    SPEC_DIR,
    WORK_DIR,
    pack_path,
)
from critnb.canon.registry import CANON, Registry

__all__ = [
    "CANON",
    "CARRIED",
    "CODE_ROOT",
    "DOCS_DIR",
    "IS_INSTALLED",
    "PACK_ROOT",
    "REGISTRY_FILE",
    "SPEC_DIR",
    "WORK_DIR",
    "Adjacency",
    "Claim",
    "Criterion",
    "CriterionKind",
    "DatasetRole",
    "Exit",
    "GCondition",
    "Intervention",
    "ModelRole",
    "NullId",
    "Registry",
    "SizeDef",
    "SliceRole",
    "SpikeDef",
    "Stage",
    "Status",
    "pack_path",
]
