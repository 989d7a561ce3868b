"""What the first answer of the live mode waits for, most of it imports, begun when somebody turns to its panel."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread

# the classes of models and what they rest on; a model's own weights are loaded when it is asked
_MODULES = (
    "critnb.model.loading",
    "critnb.events",
    "critnb.stages.s01_calibrate.tables",
    "transformers.models.llama.modeling_llama",
)


class WarmUp:
    """A thread that imports; ``start`` any number of times, ``wait`` until it has ended, at once where it never began."""

    def __init__(self) -> None:
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, once."""
        if self._thread is None:
            self._thread = Thread(target=_import_all, name="critnb live", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join()


def _import_all() -> None:
    for name in _MODULES:
        # what cannot be imported is said when it is needed
        with suppress(Exception):
            import_module(name)
