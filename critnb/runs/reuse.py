"""Arrays that runs of one folder share, since they follow from code and machine alone: computed once, kept beside the runs.

One file per name, with the digest of all that the arrays rest on inside. It is no part of a run: where it is gone, damaged, or of
another digest, the arrays are computed again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from critnb.errors import StorageError
from critnb.runs.checkpoints import load_checkpoint, save_checkpoint
from critnb.runs.files import storage

if TYPE_CHECKING:
    import numpy as np

_FOLDER = ".shared"
_KEY = "key"


def shared_arrays(
    runs: Path, name: str, key: str, compute: Callable[[], Mapping[str, np.ndarray[Any, Any]]]
) -> tuple[Mapping[str, np.ndarray[Any, Any]], bool]:
    """Return arrays that were computed for this ``key`` before, checked by their digest, else computed and kept now.

    Also tells whether they were there. A folder that cannot be written keeps nothing.
    """
    import numpy as np

    folder = runs / _FOLDER
    with contextlib.suppress(StorageError), storage(folder):
        kept = load_checkpoint(folder, name)
        if kept is not None and str(kept.pop(_KEY, "")) == key:
            return kept, True
    arrays = compute()
    with contextlib.suppress(StorageError), storage(folder):
        folder.mkdir(exist_ok=True)
        save_checkpoint(folder, name, {**arrays, _KEY: np.array(key)})
    return arrays, False
