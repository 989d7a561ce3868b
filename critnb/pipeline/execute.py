"""A planned stage becomes a finished run: papermill executes its notebook, the runner seals what it left."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from critnb.canon import CANON, Exit
from critnb.contract import StageSpec
from critnb.contract.code import changed_code
from critnb.errors import CritnbError, DependencyError, IntegrityError, StageFailedError
from critnb.pipeline.kernel import KernelNotStartedError
from critnb.pipeline.kernels import Kernels
from critnb.pipeline.notebook import CellFailedError, execute_notebook, keep_notebook, kept_notebooks, say_where
from critnb.pipeline.options import RunOptions
from critnb.pipeline.plan import PlannedRun
from critnb.pipeline.progress import Event, following
from critnb.review.index import refresh_index
from critnb.runs import LOG_PATH, PartialRun, Run, RunState, RunStore, code_facts, environment_facts
from critnb.runs.manifest import copy_to_root
from critnb.system.failures import limit_reached
from critnb.system.signals import how_interrupted

if TYPE_CHECKING:
    import nbformat


def prepare(
    planned: PlannedRun,
    store: RunStore,
    options: RunOptions,
    *,
    place: RunStore | None = None,
    threads: Mapping[str, str] | None = None,
) -> PartialRun:
    """Make the partial run of a planned stage, with its config and everything known beforehand in its record.

    It is made in ``place``, if given, and rests on the runs of ``store`` all the same. ``threads`` are variables of its kernel's
    environment that this process has not. Raises DependencyError where an upstream run is missing and the errors of
    ``RunStore.create``.
    """
    dependencies = [_upstream(store, run_id, planned).dependency() for run_id in planned.inputs.upstream.values()]
    run = (place or store).create(planned.run_id, allow_resume=options.allow_resume)
    config = yaml.safe_dump(dict(planned.config), sort_keys=True).encode()
    run.write_bytes(CANON.OUTPUT.CONFIG_RESOLVED_YAML, config, "application/yaml")
    params = planned.inputs.sections["params"]
    run.update(
        command=list(options.command),
        params_sections=list(params),
        config_hash=hashlib.sha256(config).hexdigest(),
        hash_inputs=planned.inputs,
        dependencies=dependencies,
        code=code_facts(planned.inputs.sources),
        environment=environment_facts(threads),
        determinism=_determinism(params),
    )
    run.log("config_resolved", config_hash=hashlib.sha256(config).hexdigest())
    return run


def _upstream(store: RunStore, run_id: str, planned: PlannedRun) -> Run:
    if store.state(run_id) is not RunState.complete:
        raise DependencyError(
            f"{planned.spec.id} needs {run_id}, which is not there; run it first or leave out --no-upstream"
        )
    return store.open(run_id)


def _determinism(params: Mapping[str, Any]) -> dict[str, Any]:
    seeds = {
        f"{section}.{key}": value
        for section, values in params.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
        if key.endswith("seed")
    }
    unsure = ["last bits of forward passes across devices, torch versions and thread counts"]
    return {"seeds": seeds, "flags": {"PYTHONHASHSEED": "0"}, "not_deterministic": unsure}


def execute(
    planned: PlannedRun,
    store: RunStore,
    options: RunOptions,
    *,
    show: Callable[[Event], object],
    kernels: Kernels | None = None,
) -> Run:
    """Run one stage whose upstream runs exist, and ``show`` each event of its log meanwhile; returns the published run.

    Its kernel is one of ``kernels``, if given, else a new process. Stages may be run by several threads at once.

    A stage that fails raises StageFailedError, or the pack's own error that its notebook raised; its partial run is
    kept with the partial notebook. Input that was refused before anything was computed leaves nothing behind. However
    it ends, the page of the runs folder is written anew.
    """
    try:
        run = _executed(planned, store, options, show, kernels or Kernels())
    finally:
        refresh_index(store)
    copy_to_root(run)
    return run


def _executed(
    planned: PlannedRun,
    store: RunStore,
    options: RunOptions,
    show: Callable[[Event], object],
    kernels: Kernels,
) -> Run:
    variables = replace(options, data=planned.data).for_kernel()
    with prepare(planned, store, options, threads=kernels.threads) as run:
        try:
            return _worked_on(
                planned,
                run,
                show,
                lambda: execute_notebook(planned.spec, run, variables, kernels, limits=options.limits),
            )
        except KeyboardInterrupt as interrupt:
            # a run whose record cannot be written, or that was just published, is interrupted all the same
            with contextlib.suppress(CritnbError):
                run.fail(how_interrupted(interrupt))
            raise


def _worked_on(
    planned: PlannedRun,
    run: PartialRun,
    show: Callable[[Event], object],
    work: Callable[[], nbformat.NotebookNode],
) -> Run:
    """Publish the run that the ``work`` fills, or mark or remove what is left of it where that raises."""
    try:
        with following(run.path / LOG_PATH, show):
            executed = work()
        keep_notebook(planned.spec, run, executed)
        check_outputs(planned.spec, run)
        check_code(planned)
        return run.publish()
    except CellFailedError as failure:
        error = failure.error(planned.config, planned.model_bytes)
        computed = run.holds_work()
        keep_notebook(planned.spec, run, failure.notebook)
        run.fail(str(error))
        if error.exit_code is not Exit.STAGE_FAILED and not computed:
            run.discard()
        else:
            say_where(error, failure, kept_notebooks(planned.spec, run.path))
        raise error from failure
    except Exception as error:
        if _left_nothing(error, run):
            run.discard()
        else:
            run.fail(f"{type(error).__name__}: {error}")
        raise


def _left_nothing(error: Exception, run: PartialRun) -> bool:
    """Whether a refusal came before the notebook had begun, or before it had computed anything."""
    if isinstance(error, CritnbError) and error.exit_code is not Exit.STAGE_FAILED:
        return not run.holds_work()
    # a limit of the machine that keeps this process from a thread or a file, as it keeps others from a kernel
    return isinstance(error, KernelNotStartedError) or (limit_reached(error) is not None and not run.holds_work())


def check_outputs(spec: StageSpec, run: PartialRun) -> None:
    """Raise StageFailedError where a file is missing that the stage table demands."""
    missing = [path for path in spec.outputs if path not in {artifact.path for artifact in run.record.artifact_index}]
    if missing:
        raise StageFailedError(f"{spec.id} did not write {', '.join(missing)}; see its notebook in {run.path}")


def check_code(planned: PlannedRun) -> None:
    """Raise IntegrityError where the pack's files are no longer those that the run's id was made from."""
    if changed := changed_code(planned.spec, planned.inputs):
        raise IntegrityError(
            f"{planned.spec.id}: {changed[0]} was changed while the stage ran, so its result belongs to no version of the code\n"
            "run the stage again"
        )
