"""The command ``power``: from a finished pilot, how many windows a stated change of delta_b_tot takes to be detected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from critnb.canon import CANON, Exit, GCondition, Intervention, ModelRole, Stage
from critnb.contract import spec_of
from critnb.criticality.power import Pilot, detectable, windows_needed
from critnb.errors import DependencyError
from critnb.params import Loaded, load
from critnb.pipeline.options import RunOptions
from critnb.report.schema import T06
from critnb.report.tables import table_path
from critnb.report.words import SPIKE_NAMES, interval_words
from critnb.runs import Run, RunStore, ancestors
from critnb.system.terminal import out, out_json

_LEVEL = CANON.CONST.SIGNIFICANCE_LEVEL
_DIFFERENCE = "opt_delta_b_tot_vs_g1"


def power(arguments: argparse.Namespace) -> int:
    """Print the windows needed per condition, and what the number assumes.

    Raises DependencyError where no complete run of S05 was made with the params, DataError for a change or a power that
    cannot be.
    """
    loaded = load(arguments.params)
    options = RunOptions.of_command(vars(arguments)).with_params(loaded)
    found = {role: _pilot(loaded, role, options.store(), arguments.params) for role in options.roles(loaded.params)}
    asked = {"change": arguments.detect, "power": arguments.power}
    rows = {role: _rows(run, **asked) for role, run in found.items()}
    if arguments.json:
        roles = {str(role): {"run_id": run.run_id, "conditions": rows[role]} for role, run in found.items()}
        out_json({**asked, "level": _LEVEL, "roles": roles})
        return int(Exit.DONE)
    for role, run in found.items():
        _say(role, run, rows[role])
    out(
        f"needed: windows of A_raster that detect a change of delta_b_tot between g1 and g* of {arguments.detect:g}, two-sided at "
        f"{_LEVEL:g}, with probability {arguments.power:g}",
        "detects: the smallest change that the pilot's own windows detect so",
        "assumed: windows are independent, so that the standard error falls as one over the root of their number; the",
        "estimate is normal, its standard error the width of its 95 % bootstrap interval over 3.92; rates and g* as in the pilot",
    )
    return int(Exit.DONE)


def _pilot(loaded: Loaded, role: ModelRole, store: RunStore, params: str) -> Run:
    """Return the newest complete run of S05 whose chain was made with these params, whatever code it was made by."""
    for run in reversed(store.runs(Stage.S05)):
        if run.record.hash_inputs is not None and run.roles == (str(role),):
            chain = ancestors(store, [run])
            if not chain.missing and all(_made_with(each, loaded.params.sections()) for each in (run, *chain.runs)):
                return run
    raise DependencyError(
        f"power: no complete run of {Stage.S05} for {role} with these params in {store.root}\n"
        f"make the pilot first: runner.py {spec_of(Stage.S05).command} --params {params} --role {role}"
    )


def _made_with(run: Run, sections: Mapping[str, Any]) -> bool:
    """Tell whether a run's resolved config is part of these params; a key that it does not have is one of newer code."""
    return _is_part(run.yaml(CANON.OUTPUT.CONFIG_RESOLVED_YAML), sections)


def _is_part(config: Any, params: Any) -> bool:
    if not (isinstance(config, Mapping) and isinstance(params, Mapping)):
        return bool(config == params)
    # role and roles are no params
    return all(_is_part(value, params[name]) for name, value in config.items() if name in params)


def _rows(run: Run, *, change: float, power: float) -> list[dict[str, Any]]:
    table = run.parquet(table_path(T06, ".parquet"))
    is_global = table["intervention_id"] == str(Intervention.MLP_GLOBAL)
    chosen = table[is_global & (table["g_condition"] == str(GCondition.gstar))]
    return [_row(row, change=change, power=power) for _, row in chosen.iterrows()]


def _row(row: pd.Series[Any], *, change: float, power: float) -> dict[str, Any]:
    value, low, high = (float(row[f"{_DIFFERENCE}{end}"]) for end in ("", "_ci_low", "_ci_high"))
    pilot = Pilot(value, low, high, int(row["n_sequences"]))
    at_baseline = float(row["g"]) == CANON.CONST.GAIN_BASELINE
    needed = windows_needed(pilot, change=change, power=power)
    known = not (at_baseline or pilot.reason)
    return {
        "spike_def_id": row["spike_def_id"],
        "target_rate": float(row["target_rate"]),
        "g": float(row["g"]),
        "windows": pilot.windows,
        "difference": _json(pilot.difference),
        "ci_low": _json(pilot.ci_low),
        "ci_high": _json(pilot.ci_high),
        "standard_error": pilot.standard_error if known else None,
        "detects": detectable(pilot, power=power) if known else None,
        "windows_needed": int(needed) if known else None,
        "reason": "g* is g1, so there is no change to detect" if at_baseline else pilot.reason,
    }


def _json(value: float) -> float | None:
    return None if math.isnan(value) else value


def _say(role: ModelRole, run: Run, rows: list[dict[str, Any]]) -> None:
    out(f"{role}  {run.run_id}", f"{'events':<10} {'rate':>8} {'g*':>5} {'windows':>8}  {'change measured':<26} "
        f"{'se':>8} {'detects':>8} {'needed':>8}")  # fmt: skip
    for row in rows:
        head = f"{SPIKE_NAMES[row['spike_def_id']]:<10} {row['target_rate']:>8g} {row['g']:>5g} {row['windows']:>8}"
        if row["reason"]:
            out(f"{head}  not available: {row['reason']}")
            continue
        measured = interval_words(row["difference"], row["ci_low"], row["ci_high"], 4)
        out(f"{head}  {measured:<26} {row['standard_error']:>8.4f} {row['detects']:>8.4f} {row['windows_needed']:>8}")
