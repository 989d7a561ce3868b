"""What the notebook of S07 shows: verdicts, rules, rows of evidence, both roles, and the files of the paper."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.patches import Rectangle

from critnb.canon import CANON
from critnb.paper.claims import ClaimVerdict, EvaluatedClaim, verdict_table
from critnb.pipeline.session import StageSession
from critnb.report.display import table
from critnb.report.links import Link, to_file, to_index, to_readable
from critnb.report.schema import T07
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import INK
from critnb.report.tables import table_path
from critnb.report.words import interval_words, spike_words
from critnb.stages.s07_paper.work import Study

_CLAIMS = CANON.OUTPUT.CLAIMS_JSON_BASENAME
# the file that the verdicts will stand in, which is written after they are shown
CLAIMS_FILE = Link(_CLAIMS, to_file(f"{CANON.RUN_SUBDIR.RESULTS}/{_CLAIMS}"))
_ROWS_SHOWN = 2
# inches of a row, and what the statements take beside one column of each role
_LINE, _LABELS = 0.42, 0.85
_STATEMENT_CHARACTERS = 52
# background and ink of a verdict, as the tables have them
_TILES = {
    ClaimVerdict.SUPPORTED: ("#e2f3ec", "#00694c"),
    ClaimVerdict.NOT_SUPPORTED: ("#fbe7dc", "#a63d00"),
    ClaimVerdict.NOT_AVAILABLE: ("#eeeeee", "#555555"),
}
_CAPTION = "The verdict on each claim in each model role and over all roles; the table below has the reasons."


def verdicts(study: Study) -> pd.DataFrame:
    """Return one row per claim and role."""
    return verdict_table(study.claims)


def verdict_picture(study: Study) -> Sketch:
    """Return the verdicts as tiles: a row per claim, a column per role and one for all of them."""
    heads = [*map(str, study.roles), *(["all roles"] if len(study.roles) > 1 else [])]
    with sheet(_LINE * (len(study.claims) + 0.6)) as figure:
        axes = figure.subplots()
        axes.axis("off")
        axes.set(xlim=(-len(heads) * _LABELS, len(heads)), ylim=(len(study.claims), -0.6))
        for column, head in enumerate(heads):
            axes.text(column + 0.5, -0.25, head, ha="center", va="center", color=INK)
        for row, claimed in enumerate(study.claims):
            number = str(claimed.id).partition("_")[0]
            words = textwrap.fill(f"{number}. {claimed.statement}", _STATEMENT_CHARACTERS)
            axes.text(-len(heads) * _LABELS, row + 0.5, words, va="center", color=INK, fontsize=7)
            for column, verdict in enumerate(_verdicts(claimed, heads)):
                background, ink = _TILES[verdict]
                axes.add_patch(Rectangle((column + 0.03, row + 0.08), 0.94, 0.84, facecolor=background, linewidth=0))
                axes.text(column + 0.5, row + 0.5, verdict, ha="center", va="center", color=ink, fontsize=7)
        seen = "; ".join(f"{str(each.id).partition('_')[0]} {each.verdict}" for each in study.claims)
        return sketch(figure, caption=_CAPTION, alt=f"Over all roles: {seen}.", sources=(CLAIMS_FILE,))


def _verdicts(claimed: EvaluatedClaim, heads: list[str]) -> list[ClaimVerdict]:
    by_role = [judged.verdict for judged in claimed.by_role.values()]
    return [*by_role, claimed.verdict][: len(heads)]


def rules(study: Study) -> str:
    """Return the rule of every claim, as Markdown."""
    text = "\n\n".join(f"__{each.id}. {each.statement}__ {each.rule}" for each in study.claims)
    return text.replace("*", "\\*")


def evidence_by_claim(study: Study) -> dict[str, pd.DataFrame]:
    """Return the rows of ``evidence`` by claim, under captions that say how each came out."""
    shown = evidence(study)
    captions = {
        str(each.id).partition("_")[0]: f"{each.statement} {str(each.verdict).capitalize()}." for each in study.claims
    }
    return {
        f"{claim}. {captions[str(claim)]}": rows.drop(columns="claim").reset_index(drop=True)
        for claim, rows in shown.groupby("claim", sort=False)
    }


def evidence(study: Study) -> pd.DataFrame:
    """Return the first rows of each claim, role and file, with links to the file and to the run among all runs."""
    shown: list[dict[str, Any]] = []
    for claimed in study.claims:
        for role, judged in claimed.by_role.items():
            seen: dict[str, int] = {}
            for row in judged.rows:
                seen[row.artifact] = seen.get(row.artifact, 0) + 1
                if seen[row.artifact] <= _ROWS_SHOWN:
                    table_link = Link(row.table, to_readable(row.artifact, row.run_id))
                    cells = {"claim": str(claimed.id).partition("_")[0], "role": str(role), "table": table_link}
                    where = {"run": Link(row.run_id, to_index(row.run_id)), "sha256": row.sha256[:12]}
                    shown.append({**cells, "cells": _words({**row.key, **row.values}), **where})
    return pd.DataFrame(shown)


def _words(cells: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        return "not available" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {one(value)}" for name, value in cells.items()) or "compared as a whole"


def replication(study: Study) -> HTML | Markdown:
    """Return T07 for a reader, or why it is not available."""
    found = study.replication.table
    if found is None:
        return Markdown(f"*Not available:* {study.replication.reason}.")
    shown = pd.DataFrame({"spike definition": spike_words(found), "target_rate": found["target_rate"]})
    for name in ("gstar", "delta_b_tot_at_gstar", "chi_at_gstar"):
        for who in ("base", "instruct"):
            shown[f"{name}_{who}"] = _with_interval(found, f"{name}_{who}")
    file = table_path(T07, ".csv")
    return table(
        shown,
        f"{T07.name}: value [95 % interval]",
        units=T07.units,
        source=Link(file.rpartition("/")[2], to_file(file)),
    )


def _with_interval(found: pd.DataFrame, name: str) -> list[Any]:
    if f"opt_{name}_ci_low" not in found:
        return list(found[name])
    columns = zip(found[name], found[f"opt_{name}_ci_low"], found[f"opt_{name}_ci_high"], strict=True)
    return [interval_words(*numbers, 3) for numbers in columns]


def files(stage: StageSession) -> pd.DataFrame:
    """Return the paper's files, as links, and their sizes."""
    folder = f"{CANON.RUN_SUBDIR.PAPER}/"
    written = [each for each in stage.run.record.artifact_index if each.path.startswith(folder)]
    return pd.DataFrame([{"file": Link(each.path, to_file(each.path)), "kB": each.bytes / 1000} for each in written])
