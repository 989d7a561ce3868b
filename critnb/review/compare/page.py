"""A comparison of many runs as a page: no script, no network; links lead to the runs' notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from critnb.canon import GCondition, SpikeDef
from critnb.report.stylesheet import PAGE
from critnb.report.words import SPIKE_NAMES
from critnb.review.compare.gather import MEASURES, SideBySide
from critnb.review.compare.lines import GAIN_WORDS, measured, told

_TEMPLATE = "compare.html.j2"
_SHOWN = "delta_b_tot"
_HEADS = ("run", "role", "model", "", "gain", *MEASURES)
# the picture, in pixels: where values begin and end, the height of a run's part, and the distance of its two marks
_LEFT, _RIGHT, _STEP, _APART, _FOOT = 190.0, 690.0, 34.0, 11.0, 26.0


def render(found: SideBySide, page: Path) -> bytes:
    """Return the page that is to lie at ``page``; the same runs give the same bytes."""
    import jinja2  # it takes a moment, which other commands need not wait for
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    folder = page.resolve().parent
    runs = [
        {
            **{"run_id": run.run_id, "role": run.role, "model": run.model, "created": run.created_utc},
            "href": Path(os.path.relpath(Path(run.page).resolve(), folder)).as_posix() if run.page else "",
            "apart": told(run.differs_in),
        }
        for run in found.runs
    ]
    blocks = list(_blocks(found))
    # the stylesheet is the pack's own and holds quotes
    text = environment.get_template(_TEMPLATE).render(css=Markup(PAGE), runs=runs, blocks=blocks, heads=_HEADS)
    return text.encode()


def _blocks(found: SideBySide) -> Iterator[dict[str, Any]]:
    models = {run.run_id: run.model for run in found.runs}
    for (definition, rate), rows in found.rows.groupby(["spike_def_id", "target_rate"], sort=False):
        title = f"{SPIKE_NAMES[SpikeDef(str(definition))]} events at rate {rate:g}"
        cells = [
            (
                *(row["run_id"], row["model_role"], models[row["run_id"]], GAIN_WORDS[row["g_condition"]]),
                *(f"{row['g']:g}", *(measured(row, name) for name in MEASURES)),
            )
            for row in rows.to_dict("records")
        ]
        yield {"title": title, "rows": cells, **_picture(rows)}


def _picture(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the marks of a dot plot, a row per run, with g1 and g* at their own heights."""
    shown = rows[(rows["g_condition"] != "") & rows[_SHOWN].notna()]
    if shown.empty:
        return {"marks": []}
    ends = shown[[_SHOWN, f"{_SHOWN}_ci_low", f"{_SHOWN}_ci_high"]]
    low, high = (float(end([0.0, *ends.stack()])) for end in (min, max))
    scale = (_RIGHT - _LEFT) / ((high - low) or 1.0)

    def across(value: float) -> float | None:
        return None if pd.isna(value) else round(_LEFT + (value - low) * scale, 1)

    places = {run_id: place for place, run_id in enumerate(dict.fromkeys(shown["run_id"]))}
    marks = [
        {
            "label": row["run_id"] if row["g_condition"] == GCondition.g1 else "",
            "kind": row["g_condition"],
            "y": 12 + places[row["run_id"]] * _STEP + _APART * (row["g_condition"] == GCondition.gstar),
            "x": across(row[_SHOWN]),
            **{end: across(row[f"{_SHOWN}_ci_{end}"]) for end in ("low", "high")},
            "title": f"{row['run_id']} {GAIN_WORDS[row['g_condition']]} {row['g']:g}: {measured(row, _SHOWN)}",
        }
        for row in shown.to_dict("records")
    ]
    said = "; ".join(mark["title"] for mark in marks)
    ticks = [(across(value), f"{value:.3g}") for value in sorted({low, 0.0, high})]
    facts = {"zero": across(0.0), "ticks": ticks, "alt": f"{_SHOWN} of each run: {said}"}
    return {"marks": marks, "height": 12 + len(places) * _STEP + _FOOT, **facts}
