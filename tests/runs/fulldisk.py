"""Write to a run past the size that this process may give a file: the real refusal of the operating system."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
from ministage import refusal_printed

from critnb.runs import RunStore

LIMIT = 200_000


def main(root: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    with RunStore(root).create("RUN_S00_0123456789ab") as run:
        with refusal_printed():
            run.write_npz("results/a.npz", {"noise": np.random.default_rng(0).random(LIMIT)})
        print([path.name for path in (run.path / "results").iterdir()] + list(run.record.artifact_index))
    print(sorted(path.name for path in root.iterdir()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
