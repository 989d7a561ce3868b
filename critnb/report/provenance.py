"""Where a table or figure comes from: the five facts that stand first in every table and under every plot."""

from __future__ import annotations

from dataclasses import dataclass, fields

from critnb.canon import Stage


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The run, stage, model, configuration and code that a table or figure was made with."""

    run_id: str
    stage_id: Stage
    model_id: str
    config_hash: str
    code_version: str

    def as_dict(self) -> dict[str, str]:
        """Return the facts by column name, in the order of the tables' first columns."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}
