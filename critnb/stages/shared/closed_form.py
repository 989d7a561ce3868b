"""The gate that the permutation null's replicates are what its closed form says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from critnb.gates import Gate
from critnb.lattice import PRIMARY
from critnb.report.schema.nulls import EXPECTED, null_columns

_STANDARD_ERRORS = 5.0


def closed_form_gate(table: pd.DataFrame, mean: str, replicates: pd.Series[int] | int) -> Gate:
    """Return the gate over rows of T01 or T02; ``mean``: the column of the mean of b_tot over the ``replicates`` of each row.

    Replicates that are all equal have no standard error to count in, and so no comparison.
    """
    sd = table[null_columns(PRIMARY).sd]
    errors: pd.Series[float] = (table[mean] - table[EXPECTED]).abs() / (sd.where(sd > 0) / np.sqrt(replicates))
    missing = int(errors.isna().sum())
    return Gate.judge(
        "permutation null against its closed form",
        passed=None if missing else bool(errors.max() <= _STANDARD_ERRORS),
        value=float(errors.max()),
        condition=f"mean over replicates within {_STANDARD_ERRORS:g} standard errors of the expectation everywhere",
        reason=f"no comparison in {missing} of {len(table)} conditions" if missing else "",
    )
