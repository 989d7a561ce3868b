"""The rates that a run of S00 holds."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON
from critnb.runs import Run


def load(run: Run) -> pd.DataFrame:
    """Return control_rates.parquet of a run of S00."""
    return run.parquet(run.result(CANON.OUTPUT.CONTROL_RATES_PARQUET_BASENAME))
