"""The explorer of a folder of runs, and its calls in a notebook."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from IPython.display import HTML, display

from critnb.canon import CANON, WORK_DIR
from critnb.errors import CritnbError, ParamsError
from critnb.explore.chain import Chain, chain_of, find_chains
from critnb.explore.inputs import Places, window_texts
from critnb.explore.live_panel import LivePanel
from critnb.explore.selection import from_line
from critnb.explore.state import ExplorerState
from critnb.explore.stills import Stills
from critnb.explore.twin import Twin, sentence, unseen_unless_somebody_is_there
from critnb.explore.view import ExplorerView

_TITLE = "What the explorer showed"


class Explorer:
    """Explore the runs of a folder; ``run`` names any run of the first chain, by default the newest.

    ``state`` is a line that another explorer's ``state`` prints: this one then shows the same. ``params`` is the folder that
    relative paths of the run's params start from, where it is none of the usual ones.
    """

    def __init__(
        self,
        runs: str | Path | None = None,
        *,
        run: str | None = None,
        state: str | None = None,
        params: str | Path | None = None,
    ) -> None:
        self.runs = runs_folder(runs)
        self._run = run
        self._line = state
        self._skipped: list[str] = []
        self._places = Places(None if params is None else Path(params))

    @cached_property
    def chains(self) -> list[Chain]:
        """The chains of the folder, newest first; raises DependencyError where there is none."""
        return find_chains(self.runs)

    @cached_property
    def state(self) -> ExplorerState:
        """The state, whose text is the line to share: the requested chain, else the newest whose rasters are whole.

        Raises DependencyError where there is nothing, IntegrityError for a damaged run, ParamsError or DataError for a line that
        cannot be shown.
        """
        if self._line is None:
            return self._first(self._run)
        run_id, _ = from_line(self._line)
        if self._run is not None and run_id is not None:
            raise ParamsError("give a run or a state, which names its run, not both")
        state = self._first(run_id or self._run)
        state.restore(self._line, self.chains)
        return state

    def _first(self, run_id: str | None) -> ExplorerState:
        asked = self.chains if run_id is None else [chain_of(self.chains, run_id)]
        errors: list[CritnbError] = []
        for chain in asked:
            try:
                return ExplorerState(chain, lambda chain: window_texts(chain, self._places))
            except CritnbError as error:
                errors.append(error)
                self._skipped.append(f"{chain.label} is not shown: {error}")
        raise errors[0]

    @cached_property
    def _stills(self) -> Stills:
        return Stills(self.state)

    @cached_property
    def _twin(self) -> Twin:
        twin = Twin(self._stills.page)
        self.state.observe(twin.renew)
        return twin

    @cached_property
    def _view(self) -> ExplorerView:
        with unseen_unless_somebody_is_there():
            return ExplorerView(self.state, self.chains, self._stills, twin=self._twin.name)

    @cached_property
    def _live(self) -> LivePanel:
        """The only panel, so that one model is in memory however often it is displayed."""
        with unseen_unless_somebody_is_there():
            return LivePanel(self.state, self._places)

    def show(self) -> None:
        """Display the explorer in a notebook, or the reason why there is nothing to explore."""
        try:
            view = self._view
        except CritnbError as error:
            display(sentence(str(error)))
            return
        for words in self._skipped:
            display(sentence(words))
        self._twin.display(view.box)

    def live(self, text: str | None = None) -> None:
        """Display the live mode under the explorer's condition; with a text, load the model and run it."""
        try:
            panel = self._live
        except CritnbError as error:
            display(sentence(str(error)))
            return
        if text is not None:
            panel.ask(text)
        panel.display()

    def picture(self) -> HTML:
        """Return the current selection as still pictures, to keep in a notebook; raises as ``state``."""
        return HTML(self._stills.page())

    def save(self, path: str | Path) -> Path:
        """Write the current selection, and what the live mode last answered, as a page of pictures that reads offline.

        Raises as ``state``, and OSError where the page cannot be written.
        """
        from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

        from critnb.report.notebook.page import to_html

        parts = [self._stills.page(), *([self._live.still()] if "_live" in self.__dict__ else [])]
        shown = [new_output("display_data", {"text/html": part}) for part in parts]
        cells = [new_markdown_cell(f"# {_TITLE}"), new_code_cell(f"Explorer(state={str(self.state)!r})", outputs=shown)]
        Path(path).write_bytes(to_html(new_notebook(cells=cells)))
        return Path(path)


def runs_folder(given: str | Path | None) -> Path:
    """Return the folder of runs: relative to the working directory, else to the pack; by default the pack's own."""
    path = Path(given) if given is not None else WORK_DIR / CANON.PATH.RUNS_DIR
    beside = WORK_DIR / path
    return (beside if not path.is_dir() and beside.is_dir() else path).resolve()
