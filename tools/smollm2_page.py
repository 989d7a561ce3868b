"""Write the numbers and figures of docs/SMOLLM2.md from finished runs: ``python tools/smollm2_page.py RUNS_DIR``.

Everything between the page's markers comes from artifacts and records of the runs that the newest release (S08) in RUNS_DIR was
made from, each artifact checked against its record as it is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from shutil import copyfile
from typing import Any

import pandas as pd
from pages import Generated

import critnb
from critnb.api.opened_run import OpenedRun
from critnb.canon import CANON, DOCS_DIR, Stage
from critnb.runs.events import LOG_PATH

PAGE = DOCS_DIR / "SMOLLM2.md"
FIGURES = {
    "F03": "Branching along tokens, along depth and in total over the gain, with 95 % intervals; dashed, the permutation null.",
    "F04": "Branching in excess of its nulls over the gain.",
}
_SHORT = {"SPIKE_ONE_SIDED_POS": "one-sided", "SPIKE_TWO_SIDED_ABS": "two-sided"}
_OUT = CANON.OUTPUT


def main(runs_dir: str) -> None:
    """Bring the page's generated part and its pictures up to date."""
    release = critnb.open_run("S08", runs_dir=runs_dir)
    picture("").parent.mkdir(exist_ok=True)
    for figure in FIGURES:
        copyfile(release.upstream("S05").figure(figure), picture(figure))
    part = Generated(PAGE, "runs", lambda: "\n\n".join(sections(release)))
    PAGE.write_text(part.renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


def picture(figure: str) -> Path:
    """Return where the page's copy of a figure lies."""
    return DOCS_DIR / "img" / f"smollm2_{figure}.png"


def sections(release: OpenedRun) -> Iterable[str]:
    """Yield the generated paragraphs in order."""
    runs = [release.upstream(stage) for stage in Stage if stage is not Stage.S08] + [release]
    by_stage = {run.stage: run for run in runs}
    yield inputs(by_stage[Stage.S03], by_stage[Stage.S06B])
    yield "### Runs\n\n" + run_table(runs)
    yield "### Gates that did not pass\n\n" + failed_gates(runs)
    yield "### Branching at gain 1 and at g*\n\n" + branching(by_stage[Stage.S05])
    for figure, caption in FIGURES.items():
        yield f"![{caption}](img/{picture(figure).name})\n\n*{figure} of `{by_stage[Stage.S05].run_id}`. {caption}*"
    yield "### Verdicts\n\n" + verdicts(by_stage[Stage.S05])
    yield "### Another text, and questions\n\n" + elsewhere(by_stage[Stage.S06B], by_stage[Stage.S06ARC])
    yield "### Claims of the paper\n\n" + claims(by_stage[Stage.S07])


def inputs(rasters: OpenedRun, other_text: OpenedRun) -> str:
    """Say which model and which text the runs are of."""
    model = rasters.run.record.model or {}
    data = {**rasters.run.record.datasets, **other_text.run.record.datasets}
    texts = [
        f"{name}: {one['n_windows']} windows of {one['seq_len']} tokens of {one['source']}"
        for name, one in data.items()
    ]
    return (
        f"Model `{model['id']}`: {model['n_layers']} layers of {model['d_ff']} units, computed in {model['dtype']}; sha256 of its "
        f"weights `{model['weights_sha256'][:12]}`. {'; '.join(texts)}. critnb {critnb.__version__}, {machine(rasters)}."
    )


def machine(run: OpenedRun) -> str:
    """Say where a run was made."""
    here = run.run.record.environment or {}
    return f"torch {here['packages']['torch']}, {here['cpu']}, {here['cpu_count']} cores"


def run_table(runs: list[OpenedRun]) -> str:
    """Return a row per run: its id, seconds, windows through the model, and gates."""
    rows = []
    for run in runs:
        gates = run.gates()["verdict"]
        windows = run.run.record.forward_windows
        rows.append(
            (
                run.stage,
                f"`{run.run_id}`",
                f"{seconds(run):.0f}",
                windows or "",
                f"{(gates == 'pass').sum()} of {len(gates)}",
            )
        )
    total, peak = sum(seconds(run) for run in runs), max(peak_memory(run) for run in runs)
    return (
        markdown(("stage", "run", "seconds", "windows through the model", "gates passed"), rows)
        + f"\n\n{total / 60:.1f} minutes in all; no stage's process held more than {peak / 1e9:.1f} GB at once."
    )


def seconds(run: OpenedRun) -> float:
    """Return how long a run took."""
    begin, end = (datetime.fromisoformat(str(at)) for at in (run.run.record.created_utc, run.run.record.finished_utc))
    return (end - begin).total_seconds()


def peak_memory(run: OpenedRun) -> int:
    """Return the most bytes that the kernel of a run's notebook held."""
    events = map(json.loads, run.run.read_bytes(LOG_PATH).decode().splitlines())
    return max((event["payload"]["peak_bytes"] or 0 for event in events if event["event_type"] == "memory"), default=0)


def failed_gates(runs: list[OpenedRun]) -> str:
    """Return a row a gate that failed or was not available, with its reason."""
    rows = [
        (run.stage, gate.name, gate.value if gate.value is not None else "", gate.condition, gate.verdict, gate.reason)
        for run in runs
        for gate in run.gates().itertuples()
        if gate.verdict != "pass"
    ]
    heads = ("stage", "gate", "value", "asked", "verdict", "why")
    return markdown(heads, rows) if rows else "Every gate passed."


def branching(analysis: OpenedRun) -> str:
    """Return one row per spike definition and rate: g*, and occupancy, b_tot and its excess at gain 1 and at g*."""
    summary = analysis.table("T01")
    chosen = analysis.gstar().set_index(["spike_def_id", "target_rate"])
    rows = []
    for key, here in summary.groupby(["spike_def_id", "target_rate"]):
        choice = chosen.loc[key]
        for at, marked in (("1", "opt_is_g1"), ("g*", "opt_is_gstar")):
            (row,) = here[here[marked]].itertuples()
            named = f"{choice['gstar']:g}{' (identified)' if choice['identified'] else ''}" if at == "g*" else "1"
            rows.append(
                (
                    *(_SHORT[str(key[0])], f"{key[1]:g}", named, f"{row.opt_occupancy:.1%}", f"{row.b_time:.3f}"),
                    *(f"{row.b_depth:.3f}", f"{row.b_tot:.3f}", f"{row.b_tot_perm:.3f}", interval(row, "delta_b_tot")),
                )
            )
    heads = (
        "events",
        "target rate",
        "gain",
        "occupancy",
        "b_time",
        "b_depth",
        "b_tot",
        "b_tot of the null",
        "delta_b_tot",
    )
    return markdown(heads, rows)


def interval(row: Any, name: str) -> str:
    """Return a number with its 95 % interval."""
    value, low, high = (getattr(row, each) for each in (name, f"opt_{name}_ci_low", f"opt_{name}_ci_high"))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def verdicts(analysis: OpenedRun) -> str:
    """Return a row a criterion: how often it passes, fails and is not available, and the commonest reason of the last."""
    rows = []
    for criterion, found in analysis.table("T08").groupby("criterion_id", sort=False):
        counts = found["verdict"].value_counts()
        reasons = found.loc[found["verdict"] == "not available", "reason"].value_counts()
        rows.append(
            (
                criterion,
                *(counts.get(one, 0) for one in ("pass", "fail", "not available")),
                reasons.index[0] if len(reasons) else "",
            )
        )
    return markdown(("criterion", "pass", "fail", "not available", "commonest reason of the last"), rows)


def elsewhere(other_text: OpenedRun, questions: OpenedRun) -> str:
    """Return one row per spike definition and rate: perplexity on B and accuracy on questions, at gain 1 and at g*."""
    keys = ["spike_def_id", "target_rate"]
    text, asked = (
        run.table(name).set_index([*keys, "g_condition"]) for run, name in ((other_text, "T02"), (questions, "T03"))
    )
    rows = []
    for key in dict.fromkeys((one[0], one[1]) for one in text.index):
        g1, star = text.loc[(*key, "g1")], text.loc[(*key, "gstar")]
        right = [f"{asked.loc[(*key, at), 'accuracy']:.3f}" for at in ("g1", "gstar")]
        rows.append(
            (_SHORT[str(key[0])], f"{key[1]:g}", f"{star['g']:g}", f"{g1['ppl']:.1f}", f"{star['ppl']:.1f}", *right)
        )
    row = asked.iloc[0]
    heads = ("events", "target rate", "g*", "perplexity at 1", "perplexity at g*", "accuracy at 1", "accuracy at g*")
    return (
        markdown(heads, rows)
        + f"\n\nAccuracy by letter on {row['n_questions']} questions; chance is {row['opt_chance']:.3f}."
    )


def claims(paper: OpenedRun) -> str:
    """Return a row a claim: its statement, verdict and reason."""
    rows = [
        (
            one["claim"].partition("_")[0],
            one["statement"],
            one["verdict"],
            "; ".join(role["reason"] for role in one["roles"].values()),
        )
        for one in paper.result(_OUT.CLAIMS_JSON_BASENAME)
    ]
    return markdown(("claim", "says", "verdict", "why"), rows)


def markdown(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table."""
    heads = tuple(heads)
    lines = (heads, ("---",) * len(heads), *rows)
    return "\n".join(f"| {' | '.join(cell(each) for each in line)} |" for line in lines)


def cell(value: Any) -> str:
    """Return a value as a table's cell."""
    return "–" if pd.isna(value) else str(value).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main(sys.argv[1])
