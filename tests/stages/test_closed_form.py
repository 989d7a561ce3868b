"""The gate that compares replicates of the permutation null with their expectation."""

from __future__ import annotations

import pandas as pd
import pytest

from critnb.gates import Verdict
from critnb.lattice import PRIMARY
from critnb.report.schema.nulls import EXPECTED, null_columns
from critnb.stages.shared.closed_form import closed_form_gate

NAMES = null_columns(PRIMARY)


@pytest.mark.parametrize(
    ("off", "sd", "verdict", "value"),
    [
        ([0.0, 0.039], [0.04, 0.04], Verdict.PASS, 3.9),
        ([0.0, 0.051], [0.04, 0.04], Verdict.FAIL, 5.1),
        # two replicates of a sparse raster are easily alike
        ([0.01, 0.039], [0.0, 0.04], Verdict.NOT_AVAILABLE, 3.9),
        ([0.01, 0.01], [0.0, 0.0], Verdict.NOT_AVAILABLE, None),
    ],
)
def test_the_distance_is_counted_in_standard_errors_where_there_are_any(off, sd, verdict, value):
    table = pd.DataFrame({NAMES.mean: off, EXPECTED: 0.0, NAMES.sd: sd})
    gate = closed_form_gate(table, NAMES.mean, 16)
    assert gate.verdict is verdict
    assert gate.value == pytest.approx(value)
    assert bool(gate.reason) == (verdict is Verdict.NOT_AVAILABLE)
