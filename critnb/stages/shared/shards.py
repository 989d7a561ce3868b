"""Steps of forward passes, mapped over the engine's workers; each finished step survives an interruption as a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from critnb.model.elsewhere import Passes
    from critnb.model.forward import ForwardPasses
    from critnb.pipeline.session import Arrays, StageSession

_Shard = TypeVar("_Shard")
_Kept = TypeVar("_Kept")


def only_part(parts: Sequence[Arrays]) -> Arrays:
    """Return the arrays of a step that is one shard; raises ValueError for more."""
    (part,) = parts
    return part


def as_it_is(arrays: Arrays) -> Any:
    """Return the arrays themselves."""
    return arrays


def mapped(
    stage: StageSession,
    label: str,
    work: Callable[[ForwardPasses, _Shard], Arrays],
    steps: Mapping[str, Sequence[_Shard]],
    *,
    passes: Passes,
    each: int,
    join: Callable[[Sequence[Arrays]], Arrays] = only_part,
    keep: Callable[[Arrays], _Kept] = as_it_is,
    unit: str = "window",
) -> dict[str, _Kept]:
    """Return the arrays of ``steps``, by name: ``work(passes, shard)`` of a step's shards, joined in their order.

    A step's name is that of its checkpoint; ``keep`` says how its arrays are kept in memory meanwhile. In progress bars,
    ``each`` step takes so many of the ``unit``.
    """
    found = {name: keep(kept) for name in steps if (kept := stage.kept(name)) is not None}
    missing = [name for name in steps if name not in found]
    if missing:
        shards = [shard for name in missing for shard in steps[name]]
        with stage.progress(label, each * len(missing), unit) as advance:
            results = iter(stage.engine.iter_passes(work, shards, passes=passes, on_done=advance))
            for name in missing:
                with stage.run.timing(name):
                    arrays = join([next(results) for _ in steps[name]])
                stage.run.save_checkpoint(name, dict(arrays))
                found[name] = keep(arrays)
    return {name: found[name] for name in steps}
