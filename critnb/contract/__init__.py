"""THE stage table: what each stage needs, reads and leaves behind. CLI, resolver, checks and spec/13 read it."""

from __future__ import annotations

from critnb.contract.lookup import STAGES, named, spec_of, upstream_closure
from critnb.contract.row import StageSpec

__all__ = ["STAGES", "StageSpec", "named", "spec_of", "upstream_closure"]
