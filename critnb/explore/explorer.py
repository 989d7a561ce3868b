"""The explorer of a folder of runs, and its calls in a notebook."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from IPython.display import HTML, display

from critnb.canon import CANON, WORK_DIR
from critnb.errors import CritnbError
from critnb.explore.chain import Chain, chain_of, find_chains
from critnb.explore.inputs import Places, window_texts
from critnb.explore.live_panel import LivePanel
from critnb.explore.state import ExplorerState
from critnb.explore.twin import sentence
from critnb.explore.view import ExplorerView


class Explorer:
    """Explore the runs of a folder; ``run`` names any run of the first chain, by default the newest.

    ``params`` is the folder that relative paths of the run's params start from, where it is none of the usual ones.
    """

    def __init__(
        self, runs: str | Path | None = None, *, run: str | None = None, params: str | Path | None = None
    ) -> None:
        self.runs = runs_folder(runs)
        self._run = run
        self._skipped: list[str] = []
        self._places = Places(None if params is None else Path(params))

    @cached_property
    def chains(self) -> list[Chain]:
        """The chains of the folder, newest first; raises DependencyError where there is none."""
        return find_chains(self.runs)

    @cached_property
    def state(self) -> ExplorerState:
        """The state: the requested chain, else the newest whose rasters are whole.

        Raises DependencyError where there is nothing, IntegrityError for a damaged run.
        """
        asked = self.chains if self._run is None else [chain_of(self.chains, self._run)]
        errors: list[CritnbError] = []
        for chain in asked:
            try:
                return ExplorerState(chain, lambda chain: window_texts(chain, self._places))
            except CritnbError as error:
                errors.append(error)
                self._skipped.append(f"{chain.label} is not shown: {error}")
        raise errors[0]

    @cached_property
    def _view(self) -> ExplorerView:
        return ExplorerView(self.state, self.chains)

    @cached_property
    def _live(self) -> LivePanel:
        """The only panel, so that one model is in memory however often it is displayed."""
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
        view.display()

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
        return HTML(self._view.still())


def runs_folder(given: str | Path | None) -> Path:
    """Return the folder of runs: relative to the working directory, else to the pack; by default the pack's own."""
    path = Path(given) if given is not None else WORK_DIR / CANON.PATH.RUNS_DIR
    beside = WORK_DIR / path
    return (beside if not path.is_dir() and beside.is_dir() else path).resolve()
