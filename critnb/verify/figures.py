"""Check that the figures of a release say themselves whose they are: name, run and config stand in their metadata."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath

from critnb.canon import CANON
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.runs import Run


def figures(release: Opened) -> Result:
    """Hold the metadata of each figure against the run that holds it."""
    wrong, looked_at = [], 0
    for run in release.runs:
        for path in run.artifacts:
            if PurePosixPath(path).is_relative_to(CANON.RUN_SUBDIR.FIGS):
                looked_at += 1
                wrong += [
                    f"{run_folder(run.run_id)}/{path}: its metadata does not name {each}" for each in _absent(run, path)
                ]
    return Result(wrong, f"{looked_at} figures that name their run")


def _absent(run: Run, path: str) -> Iterator[str]:
    place = PurePosixPath(path)
    wanted = {"Title": place.stem, "run_id": run.run_id, "config_hash": str(run.record.config_hash)}
    data = run.read_bytes(path)
    match place.suffix:
        case ".png":
            found = _texts(data)
            yield from (value for key, value in wanted.items() if found.get(key) != value)
        case ".pdf":
            # text that is not ASCII makes a PDF write the whole of it as UTF-16
            yield from (
                value
                for value in wanted.values()
                if value.encode() not in data and value.encode("utf-16-be") not in data
            )


def _texts(png: bytes) -> dict[str, str]:
    # brought along by matplotlib, which nothing else of a check needs
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return {str(key): str(value) for key, value in image.info.items()}
