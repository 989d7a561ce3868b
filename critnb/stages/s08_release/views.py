"""What the notebook of S08 shows: the runs of the release, its parts, and what it says of itself."""

from __future__ import annotations

from pathlib import PurePosixPath

import pandas as pd
from matplotlib.patches import Rectangle

from critnb.canon import Stage
from critnb.pipeline.session import StageSession
from critnb.report.links import Link, to_index
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import GREY, INK, OKABE_ITO, PAGE_WIDTH
from critnb.review.index import facts_of, size
from critnb.review.index.chain import lay_out
from critnb.runs.manifest import GENERATED
from critnb.stages.s08_release.work import WrittenRelease

_CAPTION = (
    "The runs of the release with the bytes that they hold: a line leads from each run to those that were made from it, from the "
    f"checks of the models ({Stage.S00}) and their calibration ({Stage.S01}) to the paper ({Stage.S07})."
)


def runs_table(released: WrittenRelease) -> pd.DataFrame:
    """Return one row per run of the release."""
    rows = [
        {
            "run": Link(run.run_id, to_index(run.run_id)),
            "stage": str(run.stage),
            "role": " + ".join(run.roles),
            "files": len(run.artifacts) + 1,
            "size": size(sum(artifact.bytes for artifact in run.artifacts.values())),
        }
        for run in released.release.runs
    ]
    return pd.DataFrame(rows).sort_values(["stage", "role"], ignore_index=True)


def chain_picture(stage: StageSession, released: WrittenRelease) -> Sketch:
    """Return the runs of the release as a chain: a column per stage, a row per role, arrows to what was made from each."""
    sizes = {run.run_id: sum(each.bytes for each in run.artifacts.values()) for run in released.release.runs}
    layout = lay_out([facts for facts in facts_of(stage.store) if facts.run_id in sizes])
    with sheet(PAGE_WIDTH * layout.height / layout.width) as figure:
        axes = figure.subplots()
        axes.axis("off")
        axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
        for band in layout.bands:
            axes.add_patch(Rectangle((0, band.y), layout.width, band.height, facecolor="#f6f7f9", linewidth=0))
            axes.text(12, band.y + 13, band.label, va="center", color=INK, fontsize=6.5)
        for wire in layout.wires:
            axes.plot(*zip(*wire.corners, strict=True), color=GREY, linewidth=0.6)
        for box in layout.boxes:
            place = (box.x, box.y), box.width, box.height
            axes.add_patch(Rectangle(*place, facecolor="white", edgecolor=OKABE_ITO[2], linewidth=0.9, zorder=3))
            words = f"{box.facts.stage}\n{size(sizes[box.facts.run_id])}"
            middle = box.x + box.width / 2, box.middle
            axes.text(*middle, words, ha="center", va="center", color=INK, fontsize=6.5, zorder=4)
    largest = max(sizes, key=sizes.__getitem__)
    alt = (
        f"{len(sizes)} runs of {len({box.facts.stage for box in layout.boxes})} stages, {size(sum(sizes.values()))} in all; the "
        f"largest is {largest} with {size(sizes[largest])}."
    )
    return sketch(figure, caption=_CAPTION, alt=alt)


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
