"""The page of a sweep: its figure, its numbers at g*, and every entry with a link to what its run says."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from critnb.canon import CANON, Stage
from critnb.contract import spec_of
from critnb.lattice import PRIMARY, RASTER_NULLS
from critnb.report.stylesheet import PAGE
from critnb.report.words import SPIKE_NAMES, counted, interval_words
from critnb.review.sweep.table import SWEEP_TABLE, Swept

if TYPE_CHECKING:
    from critnb.review.sweep.write import Unfinished

_PAGE = "page.html.j2"
_OUT = CANON.OUTPUT
# the runs lie two folders above a sweep's page
_UP = "../.."


def render(
    name: str, table: pd.DataFrame, swept: Sequence[Swept], unfinished: Sequence[Unfinished], figure: bytes
) -> bytes:
    """Return the page; it needs no network, and everything from outside is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((Path(__file__).parent / _PAGE).read_text(encoding="utf-8"))
    page = template.render(
        name=name,
        css=Markup(PAGE),
        project=CANON.PROJECT.ID,
        figure=base64.b64encode(figure).decode("ascii"),
        alt=_alt(table),
        counts=_counts(swept, unfinished),
        rows=(rows := list(_rows(table))),
        has_reasons=any(row["why"] for row in rows),
        entries=list(_entries(table, swept)),
        unfinished=unfinished,
        nulls=[null.noun for null in RASTER_NULLS.values()],
        primary=RASTER_NULLS[PRIMARY].noun,
        columns=[(each.name, each.unit, each.meaning) for each in SWEEP_TABLE.columns],
        files=(_OUT.SWEEP_PARQUET_BASENAME, _OUT.SWEEP_CSV_BASENAME, _OUT.SWEEP_PNG_BASENAME),
        index=f"{_UP}/{_OUT.INDEX_HTML_BASENAME}",
    )
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in page).encode("utf-8")


def _counts(swept: Sequence[Swept], unfinished: Sequence[Unfinished]) -> str:
    finished = {each.number for each in swept}
    total = len(finished | {each.number for each in unfinished})
    return f"{len(finished)} of {counted(total, 'entry', 'entries')} finished"


def _at_gstar(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["is_gstar"] & (table["null_id"] == str(PRIMARY))]


def _alt(table: pd.DataFrame) -> str:
    """Return what the figure shows, for those who do not see it."""
    rows = _at_gstar(table)
    entries = counted(rows["entry"].nunique(), "entry", "entries")
    said = [f"Branching by intervention and the excess of b_tot over {entries} of the sweep."]
    for column, words in (("sigma_depth", "sigma_depth"), ("delta_b_tot", "the excess of b_tot")):
        known = rows.dropna(subset=[column]).sort_values(column, kind="stable")[[column, "name"]].values.tolist()
        if known:
            (low, first), (high, last) = known[0], known[-1]
            said.append(f"At g*, {words} goes from {low:.3f} ({first}) to {high:.3f} ({last}).")
    return " ".join(said)


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the numbers at g* beside random order: a row per entry, spike definition and rate."""
    for _, row in _at_gstar(table).iterrows():
        measured = ("b_tot", "delta_b_tot", "sigma_depth")
        yield {
            "name": row["name"],
            "role": row["model_role"],
            "kind": SPIKE_NAMES[row["spike_def_id"]],
            "rate": f"{row['target_rate']:g}",
            "gstar": f"{row['gstar']:g}",
            **{each: interval_words(row[each], row[f"{each}_ci_low"], row[f"{each}_ci_high"], 3) for each in measured},
            "why": " ".join(filter(None, [row["reason_branching"], row["reason_sigma_depth"]])),
        }


def _entries(table: pd.DataFrame, swept: Sequence[Swept]) -> Iterator[dict[str, Any]]:
    models = table.drop_duplicates("run_id").set_index("run_id")
    notebook = Path(spec_of(Stage.S05).notebook).with_suffix(".html").name
    for each in swept:
        row = models.loc[each.run.run_id]
        revision = f" @ {row['revision']}" if row["revision"] else ""
        yield {
            "number": each.number,
            "name": each.name,
            "role": row["model_role"],
            "model": f"{row['model_id']}{revision}",
            "overrides": [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in each.overrides.items()],
            "run_id": each.run.run_id,
            "href": f"{_UP}/{each.run.run_id}/{CANON.RUN_SUBDIR.NOTEBOOK}/{notebook}",
        }
