"""A chain of runs made in a moment: a small random raster with everything that the explorer reads of it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import yaml
from made import MODEL, made

from critnb.canon import CANON, Adjacency, DatasetRole, Intervention, ModelRole, NullId, SizeDef, SpikeDef, Stage
from critnb.criticality.metrics import condition_metrics
from critnb.lattice import RASTER_NULLS, Condition, ConditionTable, Raster, concatenate, null_raster
from critnb.runs import RunStore

GAINS = (0.8, 1.0, 1.2)
RATES = (0.001, 0.002)
GSTAR = 1.2
SEED = 7
SHAPE = (6, 4, 20)
_OUT = CANON.OUTPUT
_MLP = Intervention.MLP_GLOBAL


def result(name: str) -> str:
    return f"{CANON.RUN_SUBDIR.RESULTS}/{name}"


def condition(spike_def, rate, gain, intervention=_MLP) -> Condition:
    return Condition(ModelRole.BASE, DatasetRole.A, spike_def, rate, gain, intervention)


def real_raster() -> Raster:
    table = [condition(*key) for key in itertools.product(SpikeDef, RATES, GAINS)]
    table += [condition(*key, GSTAR, Intervention.ATTN_GLOBAL) for key in itertools.product(SpikeDef, RATES)]
    rng = np.random.default_rng(3)
    density = np.array([0.2 + 100 * each.target_rate for each in table])
    counts = rng.poisson(density[:, None, None, None], (len(table), *SHAPE)).astype(np.uint16)
    tokens = rng.integers(0, 9, (SHAPE[0], SHAPE[2]), dtype=np.int32)
    return Raster(counts, ConditionTable(table), np.arange(10, 10 + SHAPE[0], dtype=np.int32), tokens)


def marked(raster: Raster) -> pd.DataFrame:
    metrics = condition_metrics(raster)
    is_global = metrics["intervention_id"] == str(_MLP)
    return metrics.assign(is_g1=is_global & (metrics["gain"] == 1.0), is_gstar=metrics["gain"] == GSTAR)


def kept_nulls(raster: Raster) -> Raster:
    wanted = [i for i, c in enumerate(raster.conditions) if c.intervention_id is _MLP and c.gain in (1.0, GSTAR)]
    kept = raster.take(wanted)
    shuffled = ConditionTable(c.with_null(NullId.NULL_TOKEN_SHUFFLE_INPUT) for c in kept.conditions)
    drawn = [null_raster(kept, null_id, seed=SEED) for null_id in RASTER_NULLS]
    return concatenate([*drawn, Raster(kept.counts[..., ::-1].copy(), shuffled, kept.seq_id)])


def raster_files(raster: Raster, arrays: str, conditions: str) -> dict:
    return {result(arrays): raster.arrays(), result(conditions): raster.conditions.to_frame()}


def summary(metrics: pd.DataFrame) -> pd.DataFrame:
    rows = metrics[metrics["intervention_id"] == str(_MLP)].rename(columns={"gain": "g"}).reset_index(drop=True)
    for name in ("b_time", "b_depth", "b_tot"):
        rows[f"{name}_perm"] = rows[name] - 0.05
        rows[f"opt_{name}_perm_sd"] = 0.01
        rows[f"opt_{name}_ci_low"], rows[f"opt_{name}_ci_high"] = rows[name] - 0.02, rows[name] + 0.02
    kept = rows["g"].isin((1.0, GSTAR))
    return rows.assign(opt_b_tot_shift=rows["b_tot"] - 0.03, opt_b_tot_token_shuffle=(rows["b_tot"] - 0.07).where(kept))


def fits(t01: pd.DataFrame) -> pd.DataFrame:
    keys = t01[["spike_def_id", "target_rate", "g"]]
    return keys.assign(
        xmin=2.0, opt_xmax=80.0, alpha_powerlaw=2.0 + keys["g"], opt_alpha_powerlaw_ci_low=1.9 + keys["g"],
        opt_alpha_powerlaw_ci_high=2.1 + keys["g"], lambda_exponential=0.4, lognorm_mu=0.5, lognorm_sigma=1.0,
        opt_cutoff_alpha=1.5, opt_cutoff_lambda=0.1, opt_D_cutoff_alpha=9.0,
    )  # fmt: skip


def exponents(t01: pd.DataFrame) -> pd.DataFrame:
    nulls = (NullId.NULL_NONE, NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM)
    keys, parts = t01[["spike_def_id", "target_rate", "g"]], []
    for i, (null_id, adjacency, size_def) in enumerate(itertools.product(nulls, Adjacency, SizeDef)):
        tau = keys["g"] + i
        names = {"null_id": str(null_id), "adjacency": str(adjacency), "size_def": str(size_def)}
        ends = {"tau_S_ci_low": tau - 0.1, "tau_S_ci_high": tau + 0.1}
        parts.append(keys.assign(**names, tau_S=tau, **ends, xmin_S=3.0 + i))
    return pd.concat(parts, ignore_index=True)


def config(role: str = "BASE", **sections) -> bytes:
    return yaml.safe_dump({"role": role, **sections}).encode()


def make_s03(store: RunStore, raster: Raster, **words):
    files = raster_files(raster, _OUT.RASTER_NPZ_BASENAME, _OUT.CONDITIONS_PARQUET_BASENAME)
    files[result(_OUT.METRICS_PARQUET_BASENAME)] = marked(raster)
    sections = {"models": {"BASE": {"source": "file", "path": "nowhere"}}, "windows": {"seq_len": SHAPE[2]}}
    return made(store, Stage.S03, files=files, model=MODEL, config=config(**sections), **words)


def make_s04(store: RunStore, raster: Raster, s03):
    files = raster_files(kept_nulls(raster), _OUT.NULL_NPZ_BASENAME, _OUT.NULL_CONDITIONS_PARQUET_BASENAME)
    return made(store, Stage.S04, upstream=[s03], files=files, config=config(nulls={"seed": SEED}))


def make_s05(store: RunStore, raster: Raster, s03, s04):
    t01 = summary(marked(raster))
    tables, appendix = CANON.RUN_SUBDIR.TABLES, CANON.RUN_SUBDIR.TABLES_APPENDIX
    files = {
        f"{tables}/{CANON.TABLE.T01_SUMMARY}.parquet": t01,
        f"{appendix}/{CANON.TABLE.T04_TAIL_FITS}.parquet": fits(t01),
        f"{appendix}/{CANON.TABLE.T09_EXPONENTS}.parquet": exponents(t01),
    }
    analysis = config(analysis={"adjacency": str(Adjacency.ADJ_4N)})
    return made(store, Stage.S05, upstream=[s03, s04], files=files, config=analysis)


def flip_a_byte(store: RunStore, artifact: str, run_id: str | None = None) -> None:
    """Damage an artifact of a run, by default of the first."""
    path = store.root / (run_id or store.ids()[0]) / artifact
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
