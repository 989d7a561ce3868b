"""A comparison of many runs in lines, as the command line prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from critnb.canon import GCondition, SpikeDef
from critnb.report.words import SPIKE_NAMES, interval_words
from critnb.review.compare.gather import MEASURES, SideBySide
from critnb.review.listing import brief

GAIN_WORDS = {str(GCondition.g1): str(GCondition.g1), str(GCondition.gstar): "g*", "": ""}
_DIGITS = 4


def lines(found: SideBySide) -> list[str]:
    """Return the runs with what tells them apart, then a block per spike definition and rate with a line per gain and run."""
    runs = [(run.run_id, run.role, run.model, told(run.differs_in)) for run in found.runs]
    return [
        *_columns([("run", "role", "model", "differs in"), *runs]),
        *(line for block in _blocks(found.rows) for line in block),
        "",
        "value [95 % interval]; delta: b_tot beyond the permutation null; sigma_depth: branching by intervention;",
        "– where a run does not have it",
    ]


def told(differs_in: dict[str, str]) -> str:
    """Return params with their values in words."""
    return ", ".join(f"{key}={brief(value)}" for key, value in differs_in.items())


def _blocks(rows: pd.DataFrame) -> Iterator[list[str]]:
    for (definition, rate), block in rows.groupby(["spike_def_id", "target_rate"], sort=False):
        cells = [("run", "", "gain", "b_tot", "delta_b_tot", "sigma_depth"), *map(_cells, block.to_dict("records"))]
        yield ["", f"{SPIKE_NAMES[SpikeDef(str(definition))]} events at rate {rate:g}", *_columns(cells)]


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    return (row["run_id"], GAIN_WORDS[row["g_condition"]], f"{row['g']:g}", *(measured(row, name) for name in MEASURES))


def measured(row: dict[Any, Any], name: str) -> str:
    """Return a measure of a row with its interval, a dash where there is none."""
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_ci_low", "_ci_high"))
    return interval_words(value, low, high, _DIGITS)


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in cells]
