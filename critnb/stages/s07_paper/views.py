"""What the notebook of S07 shows: verdicts, rules, rows of evidence, both roles, and the files of the paper."""

from __future__ import annotations

from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from critnb.canon import CANON
from critnb.paper.claims import verdict_table
from critnb.pipeline.session import StageSession
from critnb.report.display import table
from critnb.report.schema import T07
from critnb.report.words import interval_words, spike_words
from critnb.stages.s07_paper.work import Study

_ROWS_SHOWN = 2


def verdicts(study: Study) -> pd.DataFrame:
    """Return one row per claim and role."""
    return verdict_table(study.claims)


def rules(study: Study) -> str:
    """Return the rule of every claim, as Markdown."""
    text = "\n\n".join(f"__{each.id}. {each.statement}__ {each.rule}" for each in study.claims)
    return text.replace("*", "\\*")


def evidence(study: Study) -> pd.DataFrame:
    """Return the first rows of each claim, role and file."""
    shown: list[dict[str, str]] = []
    for claimed in study.claims:
        for role, judged in claimed.by_role.items():
            seen: dict[str, int] = {}
            for row in judged.rows:
                seen[row.artifact] = seen.get(row.artifact, 0) + 1
                if seen[row.artifact] <= _ROWS_SHOWN:
                    cells = {"claim": str(claimed.id).partition("_")[0], "role": str(role), "table": row.table}
                    where = {"run": row.run_id, "sha256": row.sha256[:12]}
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
    return table(shown, f"{T07.name}: value [95 % interval]", units=T07.units)


def _with_interval(found: pd.DataFrame, name: str) -> list[Any]:
    if f"opt_{name}_ci_low" not in found:
        return list(found[name])
    columns = zip(found[name], found[f"opt_{name}_ci_low"], found[f"opt_{name}_ci_high"], strict=True)
    return [interval_words(*numbers, 3) for numbers in columns]


def files(stage: StageSession) -> pd.DataFrame:
    """Return the paper's files and their sizes."""
    folder = f"{CANON.RUN_SUBDIR.PAPER}/"
    written = [each for each in stage.run.record.artifact_index if each.path.startswith(folder)]
    return pd.DataFrame([{"file": each.path, "kB": each.bytes / 1000} for each in written])
