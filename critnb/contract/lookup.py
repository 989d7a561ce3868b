"""Look-ups in the stage table: words to stages, needs to order."""

from __future__ import annotations

from critnb.canon import Stage
from critnb.contract.measurement import MEASUREMENT
from critnb.contract.reporting import REPORTING
from critnb.contract.row import StageSpec
from critnb.errors import ParamsError

STAGES: tuple[StageSpec, ...] = (*MEASUREMENT, *REPORTING)

_BY_ID = {spec.id: spec for spec in STAGES}


def spec_of(stage: Stage) -> StageSpec:
    """Return a stage's row; raises KeyError for a stage that the table does not hold."""
    return _BY_ID[stage]


def named(command: str) -> tuple[StageSpec, ...]:
    """Return the stages that a command word names: a stage's command or id, ``phaseN``, or ``all``; ParamsError otherwise."""
    found = tuple(spec for spec in STAGES if command in (spec.command, spec.phase, "all") or command.upper() == spec.id)
    if not found:
        words = ", ".join(dict.fromkeys([*(spec.phase for spec in STAGES), "all"]))
        raise ParamsError(
            f"no stage is called {command!r}; choose {words} or a whole command such as {STAGES[1].command}"
        )
    return found


def upstream_closure(stages: tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """Return the stages and everything they need, in the table's order."""
    wanted = {spec.id for spec in stages}
    for spec in reversed(STAGES):
        if spec.id in wanted:
            wanted.update(spec.needs)
    return tuple(spec for spec in STAGES if spec.id in wanted)
