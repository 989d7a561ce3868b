"""A planned stage becomes a finished run: papermill executes its notebook, the runner seals what it left."""

from __future__ import annotations

import hashlib
import logging
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from critnb.canon import CANON, CODE_ROOT, PACK_ROOT, Exit, Stage
from critnb.contract import StageSpec
from critnb.errors import CritnbError, DependencyError, IntegrityError, StageFailedError, by_name
from critnb.params import Loaded
from critnb.pipeline.execution_options import Local
from critnb.pipeline.kernel import KERNEL, START_SECONDS, KernelNotStartedError, kernel_manager
from critnb.pipeline.plan import PlannedRun, Planner, stage_files
from critnb.pipeline.tail_log import following
from critnb.report.notebook import clean, to_html, to_ipynb
from critnb.review.index import refresh_index
from critnb.runs import PartialRun, Run, RunState, RunStore, code_facts, environment_facts
from critnb.runs.manifest import copy_to_root
from critnb.runs.scratch import Scratch
from critnb.system.failures import too_few_files

_LINES_SHOWN = 10
# how papermill calls an error that the kernel could not describe
_NO_NAME = "CellExecutionError"


@dataclass(frozen=True)
class Options:
    """How to execute: everything that is not part of a run's identity."""

    device: str = "auto"
    allow_resume: bool = False
    strict: bool = False
    command: Sequence[str] = ()
    show: Callable[[dict[str, Any]], object] = bool


def prepare(planned: PlannedRun, store: RunStore, options: Options, *, place: RunStore | None = None) -> PartialRun:
    """Make the partial run of a planned stage, with its config and everything known beforehand in its record.

    It is made in ``place``, if given, and rests on the runs of ``store`` all the same. Raises DependencyError where an
    upstream run is missing and the errors of ``RunStore.create``.
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
        environment=environment_facts(),
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


def execute(planned: PlannedRun, planner: Planner, store: RunStore, loaded: Loaded, options: Options) -> Run:
    """Run one stage whose upstream runs exist; returns the published run.

    A stage that fails raises StageFailedError, or the pack's own error that its notebook raised; its partial run is
    kept with the partial notebook. Input that was refused before anything was computed leaves nothing behind. However
    it ends, the page of the runs folder is written anew.
    """
    try:
        run = _executed(planned, planner, store, loaded, options)
    finally:
        refresh_index(store)
    copy_to_root(run)
    return run


def _executed(planned: PlannedRun, planner: Planner, store: RunStore, loaded: Loaded, options: Options) -> Run:
    local = Local(loaded.base_dir, options.device, options.strict, planner.data_facts(planned))
    with prepare(planned, store, options) as run:
        try:
            with following(run.path / CANON.RUN_SUBDIR.LOGS / CANON.OUTPUT.EVENTS_JSONL_BASENAME, options.show):
                executed = _run_notebook(planned.spec, run, local)
            keep_notebook(planned.spec, run, executed)
            check_outputs(planned.spec, run)
            check_code(planned)
            return run.publish()
        except KeyboardInterrupt:
            run.fail("interrupted")
            raise
        except _CellFailedError as failure:
            error = failure.error()
            computed = run.holds_work()
            keep_notebook(planned.spec, run, failure.notebook)
            run.fail(str(error))
            if error.exit_code is not Exit.STAGE_FAILED and not computed:
                run.discard()
            else:
                _say_where(error, failure, kept_notebooks(planned.spec, run.path))
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
    return isinstance(error, KernelNotStartedError)


class _CellFailedError(Exception):
    """A cell of a stage notebook raised; as text, with the cell's own traceback."""

    def __init__(
        self, notebook: nbformat.NotebookNode, stage: Stage, name: str, message: str, source: str = "", trace: str = ""
    ) -> None:
        super().__init__(trace or f"{name}: {message}")
        self.notebook, self.source = notebook, source
        self._stage, self._name, self._message = stage, name, message

    def error(self) -> CritnbError:
        """Return the pack's error that the cell raised, or a StageFailedError about any other."""
        kind = by_name(self._name)
        if kind is not None:
            return kind(self._message)
        first = next(iter(self._message.splitlines()), "")
        if self._name == _NO_NAME and not first:
            first = "the kernel could not say why; it may have run out of memory"
        return StageFailedError(f"{self._stage} failed with {self._name}{': ' if first else ''}{first}")


def _say_where(error: CritnbError, failure: _CellFailedError, notebooks: Sequence[Path]) -> None:
    """Note on the error which cell failed, where nothing else says it, and where the notebook is kept."""
    lines = failure.source.strip().splitlines()
    if isinstance(error, StageFailedError) and lines:
        more = [f"... {len(lines) - _LINES_SHOWN} more lines"] if len(lines) > _LINES_SHOWN else []
        error.add_note("in the cell:\n" + textwrap.indent("\n".join([*lines[:_LINES_SHOWN], *more]), "    "))
    error.add_note("the notebook up to there: " + "\n                          ".join(map(str, notebooks)))


def _run_notebook(spec: StageSpec, run: PartialRun, local: Local) -> nbformat.NotebookNode:
    from papermill.exceptions import PapermillExecutionError

    if (too_few := too_few_files()) is not None:
        raise KernelNotStartedError(f"{spec.id}: {too_few}")
    with Scratch() as scratch:
        output = scratch / spec.notebook
        manager, fate = kernel_manager(scratch, local.environment())
        try:
            _papermill(output, run.path, kernel_manager_class=manager, on_notebook_start=fate.begin)
        except PapermillExecutionError as error:
            raise _CellFailedError(
                _read(output), spec.id, error.ename, error.evalue, error.source, str(error)
            ) from None
        except Exception as error:
            if type(error).__name__ == "DeadKernelError":
                kept, text = _read(output), f"the notebook's kernel {fate.words()}"
                raise _CellFailedError(kept, spec.id, "DeadKernelError", text, _running_cell(kept)) from None
            not_started = fate.why_not_started(error)
            if not_started is None:
                raise
        else:
            return _read(output)
    # not inside the except clause: what jupyter says of it is said here in better words
    raise KernelNotStartedError(f"{spec.id}: {not_started}")


def _papermill(output: Path, folder: Path, **options: Any) -> None:
    import papermill

    # its log would print what is said here in one line
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    papermill.execute_notebook(
        str(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / output.name),
        str(output),
        parameters={"params": CANON.OUTPUT.CONFIG_RESOLVED_YAML, "overrides": {}, "run_dir": "."},
        kernel_name=KERNEL,
        language="python",
        cwd=str(folder),
        progress_bar=False,
        start_timeout=START_SECONDS,
        **options,
    )


def _running_cell(notebook: nbformat.NotebookNode) -> str:
    """Return the source of the last cell that papermill began, whatever it says that became of it."""
    begun = [cell.source for cell in notebook.cells if cell.metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else ""


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def keep_notebook(spec: StageSpec, run: PartialRun, executed: nbformat.NotebookNode) -> None:
    """Write an executed notebook into the run, cleaned, as .ipynb and .html; raises the errors of ``write_bytes``."""
    cleaned = clean(executed, roots=[run.path, run.path.parent, PACK_ROOT, CODE_ROOT])
    page, source = (path.relative_to(run.path).as_posix() for path in kept_notebooks(spec, run.path))
    run.write_bytes(source, to_ipynb(cleaned))
    run.write_bytes(page, to_html(cleaned))


def kept_notebooks(spec: StageSpec, run: Path) -> tuple[Path, Path]:
    """Return where a run keeps its notebook: as a page to read, and as a notebook."""
    source = run / CANON.RUN_SUBDIR.NOTEBOOK / spec.notebook
    return source.with_suffix(".html"), source


def check_outputs(spec: StageSpec, run: PartialRun) -> None:
    """Raise StageFailedError where a file is missing that the stage table demands."""
    missing = [path for path in spec.outputs if path not in {artifact.path for artifact in run.record.artifact_index}]
    if missing:
        raise StageFailedError(f"{spec.id} did not write {', '.join(missing)}; see its notebook in {run.path}")


def check_code(planned: PlannedRun) -> None:
    """Raise IntegrityError where the pack's files are no longer those that the run's id was made from."""
    changed = [path for path, digest in stage_files(planned.spec).items() if planned.inputs.sources.get(path) != digest]
    if changed:
        raise IntegrityError(
            f"{planned.spec.id}: {changed[0]} was changed while the stage ran, so its result belongs to no version of the code\n"
            "run the stage again"
        )
