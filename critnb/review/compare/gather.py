"""The rows of a comparison: tables T01 and T10 of every run, and the params in which the runs differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from critnb.canon import CANON, GCondition, SpikeDef, Stage
from critnb.errors import DependencyError, IntegrityError, ParamsError
from critnb.report.schema import T01, T10
from critnb.report.tables import table_path
from critnb.runs import Run, RunStore, ancestors, flatten, locate_run, model_ids

MEASURES = ("b_tot", "delta_b_tot", "sigma_depth")
ENDS = ("", "_ci_low", "_ci_high")
_KEY = ["spike_def_id", "target_rate"]
# how T01 calls the ends of an interval
_OPTIONAL = "opt_"
_PLACES = {word: place for place, word in enumerate([*map(str, GCondition), ""])}
COLUMNS = (
    *("run_id", "model_id", "model_role", *_KEY, "g_condition", "g", "gstar", "n_sequences"),
    *(f"{name}{end}" for name in MEASURES for end in ENDS),
)


@dataclass(frozen=True)
class Compared:
    """One of the runs: where it lies, its notebook's page, what it is about, and its values of the params that differ, as JSON."""

    run_id: str
    path: str
    page: str
    model: str
    role: str
    created_utc: str
    differs_in: dict[str, str]


@dataclass(frozen=True)
class SideBySide:
    """Runs, and a row per spike definition, rate, gain and run, with ``COLUMNS``; NaN where a run does not say."""

    runs: tuple[Compared, ...]
    rows: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return both as JSON takes them, NaN as None."""
        rows = [{name: _plain(value) for name, value in row.items()} for row in self.rows.to_dict("records")]
        return {"runs": [asdict(run) for run in self.runs], "conditions": rows}


def side_by_side(store: RunStore, names: Sequence[str], *, every_gain: bool = False) -> SideBySide:
    """Return the comparison of named runs of S05, or of all complete ones of the store if none is named.

    A run that rests on runs of S05, such as a paper, stands for these. Rows are those of g1 and g* under MLP_GLOBAL, with
    ``every_gain`` of the whole grid. Raises ParamsError for a run of another stage, DependencyError where there is no such run,
    IntegrityError for one that is not what its record says.
    """
    found = [one for name in names for one in _analyses(store, name)] or [(store, run) for run in store.runs(Stage.S05)]
    if not found:
        raise DependencyError(
            f"{store.root} holds no complete run of {Stage.S05} to compare; make one with: runner.py all"
        )
    unique = list({run.run_id: (home, run) for home, run in found}.values())
    params = [_params_of_chain(home, run) for home, run in unique]
    # a key that a run does not have is one of newer code
    apart = [key for key in sorted(set().union(*params)) if len({each[key] for each in params if key in each}) > 1]
    runs = [_compared(*one, {k: each[k] for k in apart if k in each}) for one, each in zip(unique, params, strict=True)]
    rows = pd.concat([_rows(*one, every_gain=every_gain) for one in unique], ignore_index=True)
    order = {each.run_id: place for place, each in enumerate(runs)}
    rows = rows.assign(
        _definition=rows["spike_def_id"].map({str(each): place for place, each in enumerate(SpikeDef)}),
        _gain=rows["g_condition"].map(_PLACES),
        _value=rows["g"].where(rows["g_condition"] == ""),
        _run=rows["run_id"].map(order),
    ).sort_values(["_definition", "target_rate", "_gain", "_value", "_run"], kind="stable")
    return SideBySide(tuple(runs), rows.loc[:, list(COLUMNS)].reset_index(drop=True))


def _analyses(store: RunStore, name: str) -> Iterator[tuple[RunStore, Run]]:
    home, run_id = locate_run(name, store)
    run = home.open(run_id)
    found = [run] if run.stage is Stage.S05 else [e for e in ancestors(home, [run]).every() if e.stage is Stage.S05]
    if not found:
        raise ParamsError(
            f"{run_id} is of {run.stage}; name runs of {Stage.S05}, or of what rests on them ({Stage.S07}, {Stage.S08})\n"
            f"choose from: runner.py list --stage {Stage.S05}"
        )
    yield from ((home, each) for each in sorted(found, key=lambda each: each.roles))


def _params_of_chain(store: RunStore, run: Run) -> dict[str, str]:
    """Return the params that the run and those above it read, as dotted keys."""
    chain = (*reversed(ancestors(store, [run]).runs), run)
    return {key: value for each in chain for key, value in flatten(each.inputs.sections.get("params", {})).items()}


def _compared(store: RunStore, run: Run, differs_in: Mapping[str, str]) -> Compared:
    pages = [path for path in run.artifacts if path.startswith(CANON.RUN_SUBDIR.NOTEBOOK) and path.endswith(".html")]
    return Compared(
        run_id=run.run_id,
        path=str(run.path),
        page=str(run.path / pages[0]) if pages else "",
        model=" + ".join(model_ids(store, run)),
        role=run.inputs.who,
        created_utc=run.record.created_utc,
        differs_in=dict(differs_in),
    )


def _rows(store: RunStore, run: Run, *, every_gain: bool) -> pd.DataFrame:
    table = run.parquet(table_path(T01, ".parquet"))
    if missing := [name for name in (*_KEY, "g", "b_tot", "opt_is_g1", "opt_is_gstar") if name not in table]:
        raise IntegrityError(f"{run.run_id}: {T01.name} has no column {missing[0]}; make the run again")
    chosen = table[table["opt_is_gstar"]].set_index(_KEY)["g"].rename("gstar")
    parts = [
        table[table["opt_is_g1"]].assign(g_condition=str(GCondition.g1)),
        table[table["opt_is_gstar"]].assign(g_condition=str(GCondition.gstar)),
    ]
    if every_gain:
        parts.append(table[~(table["opt_is_g1"] | table["opt_is_gstar"])].assign(g_condition=""))
    rows = pd.concat(parts).join(chosen, on=_KEY)
    rows = rows.rename(columns={f"{_OPTIONAL}{name}{end}": f"{name}{end}" for name in MEASURES for end in ENDS[1:]})
    rows = rows.merge(_knock_outs(store, run), how="left", on=[*_KEY, "g_condition"])
    return rows.assign(run_id=run.run_id).reindex(columns=list(COLUMNS))


def _knock_outs(store: RunStore, run: Run) -> pd.DataFrame:
    names = [*_KEY, "g_condition", *(f"sigma_depth{end}" for end in ENDS)]
    path = table_path(T10, ".parquet")
    above = [each for each in ancestors(store, [run]).runs if each.stage is Stage.S04K and path in each.artifacts]
    return above[0].parquet(path).reindex(columns=names) if above else pd.DataFrame({name: [] for name in names})


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
