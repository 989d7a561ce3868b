"""Made runs of S05 with what a comparison reads of them: T01 of two rates and three gains, and the knock-outs' T10."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from made import MODEL, made

from critnb.canon import CANON, GCondition, SpikeDef, Stage
from critnb.runs import Run, RunStore

KIND = str(SpikeDef.SPIKE_ONE_SIDED_POS)
RATES, GAINS = (0.01, 0.02), (0.9, 1.0, 1.1)
T01 = f"{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T01_SUMMARY}.parquet"
T10 = f"{CANON.RUN_SUBDIR.TABLES_APPENDIX}/{CANON.TABLE.T10_KNOCKOUTS}.parquet"


def t01(*, gstar: float, b_tot: float, role: str = "BASE") -> pd.DataFrame:
    """b_tot grows with the gain, delta_b_tot is half of it; the first interval is missing."""
    rows = [
        {
            **{"model_id": "tiny", "model_role": role, "spike_def_id": KIND, "target_rate": rate, "g": gain},
            **{"b_tot": b_tot + gain, "opt_b_tot_ci_low": b_tot + gain - 0.1, "opt_b_tot_ci_high": b_tot + gain + 0.2},
            **{"delta_b_tot": (b_tot + gain) / 2, "opt_delta_b_tot_ci_low": np.nan, "opt_delta_b_tot_ci_high": np.nan},
            **{"n_sequences": 9, "opt_is_g1": gain == 1.0, "opt_is_gstar": gain == gstar},
        }
        for rate in RATES
        for gain in GAINS
    ]
    return pd.DataFrame(rows)


def t10(sigma: float) -> pd.DataFrame:
    rows = [
        {"spike_def_id": KIND, "target_rate": rate, "g_condition": str(gain), "sigma_depth": sigma}
        | {"sigma_depth_ci_low": sigma - 0.01, "sigma_depth_ci_high": sigma + 0.01}
        for rate in RATES
        for gain in GCondition
    ]
    return pd.DataFrame(rows)


def study(store: RunStore, *, seed: int, sigma: float | None = None, model: str = "tiny", **table: Any) -> Run:
    """A chain S01, S04K, S05 of one seed, which S04K and S05 read."""
    role = table.get("role", "BASE")
    first = made(store, Stage.S01, model=MODEL | {"id": model}, role=role, params={"windows": {"seq_len": seed}})
    params = {"nulls": {"seed": seed}}
    files = {} if sigma is None else {T10: t10(sigma)}
    knocked = made(store, Stage.S04K, upstream=[first], files=files, params=params, role=role)
    views = {T01: t01(**table), "notebook/phase5.html": b"<p>"}
    return made(store, Stage.S05, upstream=[first, knocked], files=views, params=params, role=role)
