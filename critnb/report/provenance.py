"""Where a table or figure comes from: the five facts that stand first in every table and under every plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from critnb.canon import Stage
from critnb.runs import RunWriter, pack_version


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The run, stage, model, configuration and code that a table or figure was made with."""

    run_id: str
    stage_id: Stage
    model_id: str
    config_hash: str
    code_version: str

    @classmethod
    def of(cls, run: RunWriter, model: Mapping[str, Any] | None) -> Self:
        """Return the provenance of what a run writes; ``model`` is the model section of the record that names it."""
        return cls(
            run_id=run.run_id,
            stage_id=run.stage,
            model_id=str((model or {})["id"]),
            config_hash=str(run.record.config_hash),
            code_version=pack_version(),
        )

    def as_dict(self) -> dict[str, str]:
        """Return the facts by column name, in the order of the tables' first columns."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}
