"""The table of stages: what each one needs, reads and leaves behind, and which code its result rests on."""

from __future__ import annotations

from critnb.contract.lookup import STAGES, named, spec_of, upstream_closure
from critnb.contract.row import StageSpec

__all__ = ["STAGES", "StageSpec", "named", "spec_of", "upstream_closure"]
