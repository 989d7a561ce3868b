"""Two runs compared: their inputs from their records, their results from their artifacts, each checked as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from critnb.canon import CANON
from critnb.errors import IntegrityError, ParamsError
from critnb.review.diff.files import frames_differ, json_differ, npz_differ
from critnb.review.diff.shared import Numbers, Shared, of_shared, renumbered, shared_conditions
from critnb.review.diff.values import Difference, merged
from critnb.runs import LOG_PATH, HashInputs, Run, RunStore, ancestors, flatten, locate_run, model_ids
from critnb.runs.decoding import npz_arrays, parquet_frame

_CONTENT = ("model", "data")
# Made of the same values as what is compared as numbers; they name their run, so those of two runs always differ.
_VIEWS = frozenset({".html", ".ipynb", ".pdf", ".png", ".svg"})
# How a command that ran several stages at once shared the cores among them, which reaches no result.
_SHARES = frozenset({"threads.LOKY_MAX_CPU_COUNT", "threads.NUMBA_NUM_THREADS"})
# The params are compared as such, and a log holds times.
_NOT_COMPARED = frozenset({CANON.OUTPUT.CONFIG_RESOLVED_YAML, LOG_PATH})


@dataclass(frozen=True)
class Change:
    """One thing that the two runs do not share, each side as canonical JSON, None where it has none."""

    key: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Comparison:
    """What differs between two runs of a stage; an empty part means no difference.

    ``models`` are those that the two are about, ``above`` the params that only runs upstream have read, ``conditions`` what
    conditions they share, None where the stage has no table of them.
    ``numbers`` holds every compared file, equal ones too; ``unpaired`` the files that only one run has, with the side
    that has it; ``views`` how many figures and pages differ in their bytes.
    """

    old: Run
    new: Run
    params: tuple[Change, ...]
    code: tuple[Change, ...]
    content: tuple[Change, ...]
    upstream: tuple[Change, ...]
    environment: tuple[Change, ...]
    numbers: Mapping[str, Difference]
    unpaired: tuple[tuple[str, str], ...]
    views: int
    models: tuple[str, str] = ("", "")
    above: tuple[Change, ...] = ()
    conditions: Shared | None = None

    @property
    def same_inputs(self) -> bool:
        """Whether everything that a run id stands for is the same."""
        return not (self.params or self.code or self.content or self.upstream)

    @property
    def same_numbers(self) -> bool:
        """Whether both runs hold the same files with the same values."""
        return not self.unpaired and all(difference.same for difference in self.numbers.values())


def find_run(text: str, store: RunStore) -> Run:
    """Return the complete run that an id in the store, or a path of a run in another one, names; raises as ``open``."""
    folder, name = locate_run(text, store)
    return folder.open(name)


def compare(old: Run, new: Run) -> Comparison:
    """Return what differs between two runs.

    Raises ParamsError for runs of different stages, IntegrityError where a file is not the one that its record names.
    """
    if old.stage is not new.stage:
        raise ParamsError(
            f"{old.run_id} is of {old.stage} and {new.run_id} of {new.stage}; only runs of one stage can be compared\n"
            f"choose two runs of one stage from: runner.py list"
        )
    before, after = _inputs(old), _inputs(new)
    indexed = {path: (path in old.artifacts, path in new.artifacts) for path in {**old.artifacts, **new.artifacts}}
    both = [path for path, sides in indexed.items() if all(sides)]
    alike = Numbers(old, new)
    found = {path: _differ(path, old, new, alike) for path in both if path not in _NOT_COMPARED}
    metrics = json_differ(dict(old.record.metrics), dict(new.record.metrics))
    params = _changes(_params(before), _params(after))
    return Comparison(
        old=old,
        new=new,
        models=(_models(old), _models(new)),
        above=tuple(each for each in _changes(_params_above(old), _params_above(new)) if each not in params),
        conditions=shared_conditions(old, new),
        params=(*params, *_changes(_others(before), _others(after))),
        code=(*_notebook(before, after), *_changes(before.sources, after.sources)),
        content=_changes(_content(before), _content(after)),
        upstream=_changes(before.upstream, after.upstream),
        environment=_changes(_machine(old), _machine(new)),
        numbers={f"metrics in {CANON.OUTPUT.RUN_RECORD_JSON}": metrics}
        | {path: difference for path, difference in found.items() if not _is_view(path, old)},
        unpaired=tuple((path, "first" if sides[0] else "second") for path, sides in indexed.items() if not all(sides)),
        views=sum(not difference.same for path, difference in found.items() if _is_view(path, old)),
    )


def _inputs(run: Run) -> HashInputs:
    if run.record.hash_inputs is None:
        raise IntegrityError(f"{run.run_id}: its record holds no inputs of its hash; delete the run and make it again")
    return run.record.hash_inputs


def _is_view(path: str, run: Run) -> bool:
    suffix = PurePosixPath(path).suffix
    return suffix in _VIEWS or (suffix == ".csv" and f"{path.removesuffix(suffix)}.parquet" in run.artifacts)


def _params(inputs: HashInputs) -> dict[str, str]:
    """The params as dotted keys of a params file."""
    return flatten(dict(inputs.sections.get("params", {})))


def _params_above(run: Run) -> dict[str, str]:
    """The params that runs upstream have read, as far as these can be opened."""
    chain = reversed(ancestors(RunStore(run.path.parent), [run]).runs)
    return {key: value for each in chain if each.record.hash_inputs for key, value in _params(each.inputs).items()}


def _models(run: Run) -> str:
    return " + ".join(model_ids(RunStore(run.path.parent), run))


def _others(inputs: HashInputs) -> dict[str, str]:
    """The role and the registry's constants."""
    return flatten({key: value for key, value in inputs.sections.items() if key not in ("params", *_CONTENT)})


def _content(inputs: HashInputs) -> dict[str, str]:
    return flatten({key: value for key, value in inputs.sections.items() if key in _CONTENT})


def _notebook(old: HashInputs, new: HashInputs) -> tuple[Change, ...]:
    return _changes({"the notebook": old.notebook_sha256}, {"the notebook": new.notebook_sha256})


def _machine(run: Run) -> dict[str, str]:
    record = run.record
    placed = {key: (record.model or {}).get(key) for key in ("device", "dtype")}
    found = flatten({**(record.environment or {}), "model": placed})
    return {key: value for key, value in found.items() if key not in _SHARES}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    keys = [*old, *(key for key in new if key not in old)]
    return tuple(Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def _differ(path: str, old: Run, new: Run, alike: Numbers) -> Difference:
    before, after = old.read_bytes(path), new.read_bytes(path)
    suffix = PurePosixPath(path).suffix
    if before == after:
        return Difference()
    numbers = alike.of(path)
    if suffix == ".parquet":
        frames = parquet_frame(before), parquet_frame(after)
        if numbers is not None:
            frames = renumbered(frames[0], numbers[0]), renumbered(frames[1], numbers[1])
        return frames_differ(path, *frames)
    if suffix == ".npz":
        arrays = npz_arrays(before), npz_arrays(after)
        if numbers is None:
            return npz_differ(*arrays)
        shared = of_shared(arrays[0], numbers[0], numbers[1]), of_shared(arrays[1], numbers[1], numbers[0])
        n_shared = len({*numbers[0].tolist()} & {*numbers[1].tolist()})
        remark = f"{len(numbers[0])} conditions against {len(numbers[1])}, {n_shared} of them the same"
        return merged([npz_differ(*shared)], [remark])
    if suffix == ".json":
        return json_differ(old.json(path), new.json(path))
    return Difference(remarks=(f"other bytes: {len(before)} against {len(after)}",))
