"""What the notebook of S08 shows: the runs of the release, its parts, and what it says of itself."""

from __future__ import annotations

from pathlib import PurePosixPath

import pandas as pd

from critnb.review.index import size
from critnb.runs.manifest import GENERATED
from critnb.stages.s08_release.work import WrittenRelease


def runs_table(released: WrittenRelease) -> pd.DataFrame:
    """Return one row per run of the release."""
    rows = [
        {
            "run": run.run_id,
            "stage": str(run.stage),
            "role": " + ".join(run.roles),
            "files": len(run.artifacts) + 1,
            "size": size(sum(artifact.bytes for artifact in run.artifacts.values())),
        }
        for run in released.release.runs
    ]
    return pd.DataFrame(rows).sort_values(["stage", "role"], ignore_index=True)


def pack_table(released: WrittenRelease) -> pd.DataFrame:
    """Return one row per part of the release: the pack's folders and other files, the runs, and what the release adds."""
    parts: dict[str, list[int]] = {}
    for each in released.release.files:
        parts.setdefault(_part(each.source.name), []).append(each.member.size)
    rows = [{"part": part, "files": len(parts[part]), "size": size(sum(parts[part]))} for part in sorted(parts)]
    return pd.DataFrame(rows)


def _part(name: str) -> str:
    top, slash, _ = name.partition("/")
    return f"{top}/" if slash else "added by the release" if name in GENERATED else "other files of the pack"


def about_table(released: WrittenRelease) -> pd.DataFrame:
    """Return what the release says of itself, one row per field."""
    about = released.release.about
    rows = {
        "title": about.title,
        "authors": "; ".join(about.authors),
        "version": about.version,
        "description": about.description,
        "for the paper of": released.paper.run_id,
        "zip": PurePosixPath(released.zip_file.path).name,
        "size of the zip": size(released.zip_file.bytes),
    }
    return pd.DataFrame({"field": list(rows), "value": list(rows.values())})
