"""How the rates of the controls are shown: controls down, criteria or nulls across."""

from __future__ import annotations

import pandas as pd

from critnb.canon import ControlId, Criterion
from critnb.criticality.control_rates import NULL, OF_NETWORKS
from critnb.criticality.synthetic import CONTROLS, NETWORKS, described
from critnb.lattice import RASTER_NULLS
from critnb.report.words import counted

_NOTHING = "–"


def criteria_table(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the share of rasters, in percent, on which each criterion passes; in brackets the share on which it is not available.

    Criteria that a raster alone cannot be asked for are left out.
    """
    shown = rates[(rates["kind"] != NULL) & rates["rate"].notna()]
    heads = {str(criterion): str(criterion).replace("_", " ", 1) for criterion in Criterion}
    return _wide(shown, heads)


def nulls_table(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the share of rasters, in percent, whose b_tot exceeds each raster null."""
    shown = rates[(rates["kind"] == NULL) & rates["rate"].notna()]
    return _wide(shown, {str(null_id): null.name for null_id, null in RASTER_NULLS.items()})


def caption(rates: pd.DataFrame, said: str) -> str:
    """Return a caption with the number of rasters and the lattice: layers x tokens x windows."""
    of_each = rates.loc[(rates["rasters"] > 0) & (rates["test"] != OF_NETWORKS), "rasters"]
    n = f"{counted(int(of_each.min()), 'raster')} of each control" if len(of_each) else "no raster was judged"
    return f"{said}; {n} on {rates['lattice'].iloc[0]} (layers x tokens x windows)"


def left_out(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the criteria without rates, and why."""
    with_rate = rates.loc[rates["rate"].notna(), "test"]
    none = rates[~rates["test"].isin(with_rate)].drop_duplicates("test")
    return none[["test", "reason"]].rename(columns={"test": "not measured", "reason": "why"}).reset_index(drop=True)


def controls_table() -> pd.DataFrame:
    """Return what each control is, in words."""
    rows = [
        (_truth(control.positive), control.name, control.words) for control in (*CONTROLS.values(), *NETWORKS.values())
    ]
    return pd.DataFrame(rows, columns=["kind", "control", "what it is"])


def _wide(shown: pd.DataFrame, heads: dict[str, str]) -> pd.DataFrame:
    cells = shown.assign(
        cell=[_cell(*numbers) for numbers in zip(shown["rate"], shown["not_available"], shown["rasters"], strict=True)]
    )
    wide = cells.pivot(index="control_id", columns="test", values="cell")
    columns = [test for test in heads if test in wide.columns]
    wide = wide.reindex(index=[str(id_) for id_ in ControlId if str(id_) in wide.index], columns=columns).fillna(
        _NOTHING
    )
    names = [described(name) for name in wide.index]
    table = wide.rename(columns=heads).rename_axis(columns=None).reset_index(drop=True)
    table.insert(0, "control", [control.name for control in names])
    table.insert(0, "kind", [_truth(control.positive) for control in names])
    return table


def _truth(positive: bool) -> str:
    return "positive" if positive else "negative"


def _cell(rate: float, not_available: int, rasters: int) -> str:
    missing = f" ({not_available / rasters:.0%})" if not_available else ""
    return f"{rate:.0%}{missing}"
