"""What a row of the stage table says, and the words that rows share."""

from __future__ import annotations

from dataclasses import dataclass

from critnb.canon import CANON, DatasetRole, Stage
from critnb.system.extras import Extra

_DIR = CANON.RUN_SUBDIR


@dataclass(frozen=True)
class StageSpec:
    """One stage: a row of the table.

    ``reads`` are the dotted params keys that it may read; they enter its run's hash, with the identity of its model
    (``uses_model``) and of its ``data``, and with its code, which ``critnb.contract.code`` finds. ``outputs`` are paths in
    the run that must exist when it is done. ``joins_roles``: one run rests on the runs of several model roles. ``files``
    are files and folders of the pack, beside code, whose bytes enter the hash.
    ``extras`` are those without which the stage is refused when it is planned; they do not enter the hash.
    """

    id: Stage
    command: str
    asks: str
    needs: tuple[Stage, ...] = ()
    uses_model: bool = False
    data: tuple[DatasetRole, ...] = ()
    reads: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    joins_roles: bool = False
    files: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()

    @property
    def phase(self) -> str:
        """The phase's command, such as ``phase2``."""
        return self.command.partition("_")[0]

    @property
    def notebook(self) -> str:
        """Basename of the stage's notebook."""
        return f"{self.command}.ipynb"


def results(*basenames: str) -> tuple[str, ...]:
    """Return the paths of results."""
    return tuple(f"{_DIR.RESULTS}/{name}" for name in basenames)


def figures(*names: str, folder: str = _DIR.FIGS) -> tuple[str, ...]:
    """Return the paths of figures, each as PDF and PNG."""
    return tuple(f"{folder}/{name}.{suffix}" for name in names for suffix in ("pdf", "png"))


def tables(*names: str, folder: str = _DIR.TABLES) -> tuple[str, ...]:
    """Return the paths of tables, each as CSV and Parquet."""
    return tuple(f"{folder}/{name}.{suffix}" for name in names for suffix in ("csv", "parquet"))


# what changes the numbers of a forward pass; device and engine are recorded, not hashed
FORWARD = ("compute.dtype", "compute.batch_tokens", "compute.attention", "windows.seq_len", "windows.burn_in_tokens")
CALIBRATION_SLICE = ("windows.seed", "windows.n_calibration")
RASTER_SLICE = (*CALIBRATION_SLICE, "windows.n_raster")
EVENTS = ("events.tau0", "events.spike_defs", "events.target_rates")
