"""The notebook of a stage: executed by papermill in a kernel of its own, and kept in the run as a notebook and as a page."""

from __future__ import annotations

import asyncio
import logging
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.canon import CANON, CODE_ROOT, PACK_ROOT, Stage
from critnb.contract import StageSpec
from critnb.errors import CritnbError, StageFailedError, by_name
from critnb.pipeline.kernel import KERNEL, KernelEnd, KernelNotStartedError, kernel_manager
from critnb.pipeline.limits import USUAL_LIMITS, Limits
from critnb.pipeline.memory import is_out_of_memory, may_be_out_of_memory, said_of_memory, with_less_memory
from critnb.report.notebook import clean, of_run, to_html, to_ipynb
from critnb.runs import PartialRun, Run
from critnb.runs.scratch import Scratch
from critnb.system.failures import limit_named, too_few_files

if TYPE_CHECKING:
    import nbformat

    from critnb.pipeline.kernels import Kernels

_LINES_SHOWN = 10
# how papermill calls an error that the kernel could not describe
_NO_NAME = "CellExecutionError"
# how IPython calls what is wrong with a magic
_MISUSED = "UsageError"
# how jupyter calls the end of a kernel, of which it is said here how it came
_DEAD = "DeadKernelError"
# errors by which Python, the system and ZeroMQ say that a limit is reached
_OF_THE_SYSTEM = frozenset({"OSError", "BlockingIOError", "RuntimeError", "ImportError", "ZMQError"})


def execute_notebook(
    spec: StageSpec,
    run: PartialRun,
    variables: Mapping[str, str],
    kernels: Kernels,
    *,
    limits: Limits = USUAL_LIMITS,
) -> nbformat.NotebookNode:
    """Return a stage's notebook, executed in the folder of its run by one of the ``kernels`` with these environment ``variables``.

    The kernel is ended where its stage exceeds the ``limits``.

    Raises CellFailedError with the notebook up to the cell that failed, KernelNotStartedError where no kernel began to work,
    KeyboardInterrupt where the kernels were stopped, or a signal asked this one to end.
    """
    if (too_few := too_few_files()) is not None:
        raise KernelNotStartedError(f"{spec.id}: {too_few}")
    with Scratch() as scratch:
        output = scratch / spec.notebook
        manager, end = kernel_manager(scratch, run.path, variables, kernels, limits=limits)
        options = {"kernel_manager_class": manager, "on_notebook_start": end.begin, "start_timeout": limits.start}
        try:
            kernels.raise_if_stopped()
            with end.clock.running(), _loop_of_this_thread():
                _papermill(output, **options)
        except Exception as error:
            kernels.raise_if_stopped()
            end.raise_if_terminated()
            if (failed := _cell_failure(spec, output, end, error)) is not None:
                raise failed from None
            not_started = end.why_not_started(error)
            if not_started is None:
                raise
        else:
            return _read(output)
    # not inside the except clause: what jupyter says of it is said here in better words
    raise KernelNotStartedError(f"{spec.id}: {not_started}")


def _cell_failure(spec: StageSpec, output: Path, end: KernelEnd, error: Exception) -> CellFailedError | None:
    """Return the failure of the cell that was at work when papermill raised this error; None where none was."""
    from papermill.exceptions import PapermillExecutionError

    if end.begun and end.clock.ran_out:
        kept = _read(output)
        return CellFailedError(
            kept, spec.id, StageFailedError.__name__, f"{spec.id}: {end.out_of_time()}", _running_cell(kept)
        )
    if isinstance(error, PapermillExecutionError):
        kept = _read(output)
        name, text = _usage_error(kept) if error.ename == _NO_NAME and not error.evalue else (error.ename, error.evalue)
        return CellFailedError(kept, spec.id, name, text, error.source, str(error))
    if type(error).__name__ == _DEAD:
        kept, text = _read(output), f"the notebook's kernel {end.described()}"
        return CellFailedError(kept, spec.id, _DEAD, text, _running_cell(kept))
    return None


def _usage_error(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """Return name and text of what IPython prints of a magic that it does not know, or that was misused, instead of raising it."""
    failed = [cell for cell in notebook.cells if cell.metadata.get("papermill", {}).get("exception")]
    printed = "".join(each.text for cell in failed for each in cell.outputs if each.get("name") == "stderr")
    said = [line for line in printed.splitlines() if line.startswith(_MISUSED)]
    return (_MISUSED, said[-1].removeprefix(f"{_MISUSED}: ")) if said else (_NO_NAME, "")


@contextmanager
def _loop_of_this_thread() -> Iterator[None]:
    """Close the event loop that jupyter makes for a thread, with all that the block has left in it; the main one's stays."""
    from jupyter_core.utils import ensure_event_loop

    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            loop = ensure_event_loop()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


def _papermill(output: Path, **options: Any) -> None:
    import papermill

    # its log would print what is said here in one line
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    papermill.execute_notebook(
        str(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / output.name),
        str(output),
        parameters={"params": CANON.OUTPUT.CONFIG_RESOLVED_YAML, "overrides": {}, "run_dir": "."},
        kernel_name=KERNEL,
        language="python",
        # no cwd: papermill would change that of this process, in which other threads are at work
        progress_bar=False,
        # its stage has closed its run, and a kernel with torch takes seconds to say goodbye
        shutdown_kernel="immediate",
        **options,
    )


def _running_cell(notebook: nbformat.NotebookNode) -> str:
    """Return the source of the last cell that papermill began, whatever it says that became of it."""
    begun = [cell.source for cell in notebook.cells if cell.metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else ""


def _read(path: Path) -> nbformat.NotebookNode:
    # not imported above: it takes a second and a half, for which planning need not wait
    import nbformat

    return nbformat.read(path, as_version=4)


def keep_notebook(spec: StageSpec, run: PartialRun, executed: nbformat.NotebookNode) -> None:
    """Write an executed notebook into the run, cleaned, as .ipynb and .html; raises the errors of ``write_bytes``."""
    cleaned = clean(executed, roots=[run.path, run.path.parent, PACK_ROOT, CODE_ROOT])
    page, source = (path.relative_to(run.path).as_posix() for path in kept_notebooks(spec, run.path))
    run.write_bytes(source, to_ipynb(cleaned))
    run.write_bytes(page, to_html(cleaned, of_run(Run(run.path, run.record, ""))))


def kept_notebooks(spec: StageSpec, run: Path) -> tuple[Path, Path]:
    """Return where a run keeps its notebook: as a page to read, and as a notebook."""
    source = run / CANON.RUN_SUBDIR.NOTEBOOK / spec.notebook
    return source.with_suffix(".html"), source


class CellFailedError(Exception):
    """A cell of a stage notebook raised; as text, with the cell's own traceback."""

    def __init__(
        self, notebook: nbformat.NotebookNode, stage: Stage, name: str, message: str, source: str = "", trace: str = ""
    ) -> None:
        super().__init__(trace or f"{name}: {message}")
        self.notebook, self.source = notebook, source
        self._stage, self._name, self._message = stage, name, message

    def error(self, config: Mapping[str, Any], weights: int = 0) -> CritnbError:
        """Return the pack's error that the cell raised, or a StageFailedError about any other, by the stage's ``config``.

        weights: the bytes of its model's weights.
        """
        kind = by_name(self._name)
        if kind is not None:
            return kind(self._message)
        if self._name != _DEAD and is_out_of_memory(self._name, self._message):
            said, advice = said_of_memory(self._name, self._message), with_less_memory(config, self._message, weights)
            return StageFailedError(f"{self._stage} had too little memory: {said}\n{advice}")
        first = next(iter(self._message.splitlines()), "")
        if self._name in _OF_THE_SYSTEM and (limit := limit_named(self._message)) is not None:
            return StageFailedError(f"{self._stage} failed with {self._name}: {first}\n{limit}")
        if self._name == _NO_NAME and not first:
            first = "the kernel could not say why; it may have run out of memory"
        advice = f"\n{with_less_memory(config)}" if may_be_out_of_memory(self._message) else ""
        return StageFailedError(f"{self._stage} failed with {self._name}{': ' if first else ''}{first}{advice}")


def say_where(error: CritnbError, failure: CellFailedError, notebooks: Sequence[Path]) -> None:
    """Note on the error which cell failed, where nothing else says it, and where the notebook is kept."""
    lines = failure.source.strip().splitlines()
    if isinstance(error, StageFailedError) and lines:
        more = [f"... {len(lines) - _LINES_SHOWN} more lines"] if len(lines) > _LINES_SHOWN else []
        error.add_note("in the cell:\n" + textwrap.indent("\n".join([*lines[:_LINES_SHOWN], *more]), "    "))
    error.add_note("the notebook up to there: " + "\n                          ".join(map(str, notebooks)))
