"""What T08 holds of the controls: of each criterion its rates on the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from critnb.criticality.control_rates import worst


def t08_columns(criteria: Sequence[str], rates: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of T08 that say how often each criterion, one per row, passes on control rasters.

    rates: ``critnb.criticality.control_rates.rates``. NaN and empty where a criterion has none.
    """
    rows = {name: _row(name, rates) for name in dict.fromkeys(criteria)}
    return {column: [rows[name][column] for name in criteria] for column in next(iter(rows.values()), {})}


def _row(name: str, rates: pd.DataFrame) -> dict[str, Any]:
    found, measured = worst(rates, name), rates[(rates["test"] == name) & (rates["rasters"] > 0)]
    return {
        "opt_false_alarm": found.false_alarm,
        "opt_false_alarm_on": found.false_alarm_on,
        "opt_detection": found.detection,
        "opt_detection_on": found.detection_on,
        "opt_control_rasters": float(measured["rasters"].min()) if len(measured) else float("nan"),
        "opt_control_lattice": str(measured["lattice"].iloc[0]) if len(measured) else "",
    }
