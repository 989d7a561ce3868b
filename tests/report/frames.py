"""Plausible tables for the figures' tests: every column of the schema, numbers that look like a study's, conformed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import Adjacency, GCondition, Intervention, NullId, SizeDef, SpikeDef
from critnb.criticality.sizes.profiles import Profiles
from critnb.criticality.tails import Histogram
from critnb.lattice import SECONDARY
from critnb.report.figures.f13_profiles import ShownProfiles
from critnb.report.figures.f14_tails import ShownTails
from critnb.report.schema import T01, T03, T04, T06, T09, DType, TableSchema, conform
from critnb.report.schema.nulls import null_columns

GAINS = (0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3)
RATES = (1e-5, 2e-5, 4e-5, 8e-5)
KINDS = tuple(SpikeDef)
PERM = NullId.NULL_RASTER_WITHIN_LAYER_TIME_PERM
_BLANK: dict[DType, Any] = {DType.TEXT: "-", DType.INT: 0, DType.FLOAT: np.nan, DType.BOOL: False}

Gstar = dict[tuple[SpikeDef, float], float]


def filled(schema: TableSchema, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with every column of the schema that they lack: NaN, zero, false, or a word that is allowed."""
    blank = {
        column.name: next(iter(column.allowed))
        if isinstance(column.allowed, type) and issubclass(column.allowed, StrEnum)
        else _BLANK[column.dtype]
        for column in schema.columns
        if column.name not in rows
    }
    blank |= {name: "" for name in blank if "reason" in name}
    return conform(pd.concat([rows, pd.DataFrame(blank, index=rows.index)], axis=1), schema)


def gstar(kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES) -> Gstar:
    chosen = (1.1, 1.05, 1.0, 0.85)
    return {(kind, rate): chosen[(i + j) % 4] for (i, kind), (j, rate) in product(enumerate(kinds), enumerate(rates))}


def _grid(**levels: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(list(product(*levels.values())), columns=list(levels))


def with_interval(rows: pd.DataFrame, name: str, width: Any, rng: np.random.Generator, *, prefix: str = "") -> None:
    """Add an interval around a column, its ends not symmetric, so that a test can tell them from each other."""
    for end, side in (("low", -1), ("high", 1)):
        rows[f"{prefix}{name}_ci_{end}"] = rows[name] + side * width * rng.uniform(0.6, 1.4, len(rows))


def t01(
    kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES, gains: Sequence[float] = GAINS
) -> pd.DataFrame:
    """Branching that rises with rate and gain above its null, a chi with a peak, and a token shuffle at g1 and g*."""
    rng = np.random.default_rng(1)
    rows = _grid(spike_def_id=kinds, target_rate=rates, g=gains)
    dense, g = (rows["target_rate"] / 1e-5) ** 0.6, rows["g"]
    two = rows["spike_def_id"] == SpikeDef.SPIKE_TWO_SIDED_ABS
    rows["opt_occupancy"] = 0.05 * dense
    for name, perm, delta in (("b_time", 0.055, 0.12), ("b_depth", 0.05, 0.08)):
        rows[f"{name}_perm"] = perm * dense
        rows[f"delta_{name}"] = delta * dense**0.4 * g**1.5 * (1 + 0.15 * two) + rng.normal(0, 0.004, len(rows))
        rows[name] = rows[f"{name}_perm"] + rows[f"delta_{name}"]
    for name in ("b_tot_perm", "delta_b_tot", "b_tot"):
        rows[name] = rows[name.replace("tot", "time")] + rows[name.replace("tot", "depth")]
    rows["opt_b_tot_perm_sd"] = 0.008
    for name in ("b_tot", "delta_b_tot"):
        with_interval(rows, name, 0.015, rng, prefix="opt_")
    rows["opt_delta_b_tot_p"] = 1 / 201
    for null in SECONDARY:
        names = null_columns(null.null_id)
        rows[names.delta], rows[names.p] = 0.4 * rows["delta_b_tot"], 1 / 201
        with_interval(rows, names.delta, 0.01, rng)
    for name, share in (("diag", 0.5), ("anti", 0.3)):
        rows[f"opt_b_{name}"], rows[f"opt_delta_b_{name}"] = 0.1 * dense, share * rows["delta_b_tot"]
        with_interval(rows, f"opt_delta_b_{name}", 0.01, rng)
    rows["chi"] = dense * (2 + 1.5 * np.exp(-(((g - 1.05) / 0.15) ** 2))) + rng.normal(0, 0.1, len(rows))
    with_interval(rows, "chi", 0.35 * dense, rng, prefix="opt_")
    rows["opt_chi_intensive"] = (rows["chi"] - 1) / (40 * dense)
    with_interval(rows, "opt_chi_intensive", 0.01, rng)
    chosen = gstar(kinds, rates)
    keys = zip(rows["spike_def_id"], rows["target_rate"], strict=True)
    rows["opt_is_g1"], rows["opt_is_gstar"] = g == 1.0, g == [chosen[key] for key in keys]
    shuffled = (rows["opt_is_g1"] | rows["opt_is_gstar"]).to_numpy()
    rows["opt_delta_b_tot_token_shuffle"] = np.where(shuffled, 0.55 * rows["delta_b_tot"], np.nan)
    rows["opt_chi_token_shuffle"] = np.where(shuffled, 0.6 * rows["chi"], np.nan)
    return filled(T01, rows)


def t06(kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES) -> pd.DataFrame:
    """The baseline and g* under every intervention."""
    rng = np.random.default_rng(2)
    rows = _grid(spike_def_id=kinds, target_rate=rates, place=range(1 + len(Intervention)))
    place = rows["place"]
    rows["intervention_id"] = [[Intervention.MLP_GLOBAL, *Intervention][i] for i in place]
    rows["g_condition"] = np.where(place == 0, GCondition.g1, GCondition.gstar)
    chosen = gstar(kinds, rates)
    keys = zip(rows["spike_def_id"], rows["target_rate"], strict=True)
    rows["g"] = np.where(place == 0, 1.0, [chosen[key] for key in keys])
    dense = (rows["target_rate"] / 1e-5) ** 0.5
    rows["delta_b_tot"] = 0.1 * dense * (1 + 0.12 * place) + rng.normal(0, 0.005, len(rows))
    rows["chi"] = dense * (2 + 0.3 * place) + rng.normal(0, 0.1, len(rows))
    rows["opt_delta_b_tot_vs_g1"] = np.where(place == 0, np.nan, 0.01 * dense * place)
    with_interval(rows, "delta_b_tot", 0.02, rng, prefix="opt_")
    with_interval(rows, "chi", 0.3 * dense, rng, prefix="opt_")
    with_interval(rows, "opt_delta_b_tot_vs_g1", 0.008, rng)
    return filled(T06, rows.drop(columns="place"))


def t03(kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES) -> pd.DataFrame:
    """Answers a little above chance at g1, and a little worse the farther g* is from 1."""
    rng = np.random.default_rng(6)
    rows = _grid(spike_def_id=kinds, target_rate=rates, g_condition=list(GCondition))
    chosen = gstar(kinds, rates)
    keys = zip(rows["spike_def_id"], rows["target_rate"], strict=True)
    at_g1 = (rows["g_condition"] == GCondition.g1).to_numpy()
    rows["g"] = np.where(at_g1, 1.0, [chosen[key] for key in keys])
    rows["opt_chance"] = 0.25
    for name, base in (("accuracy", 0.31), ("opt_acc_text", 0.36), ("opt_acc_norm", 0.4)):
        rows[name] = base - 0.2 * (rows["g"] - 1).abs()
        with_interval(rows, name, np.where(at_g1, 0.02, 0.03), rng)
        rows.loc[at_g1, [f"{name}_ci_low", f"{name}_ci_high"]] = [base - 0.02, base + 0.03]
        difference = f"opt_{name.removeprefix('opt_')}_vs_g1"
        rows[difference] = np.where(at_g1, np.nan, rows[name] - base)
        with_interval(rows, difference, 0.01, rng)
    return filled(T03, rows)


def t09(
    kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES, gains: Sequence[float] = GAINS
) -> pd.DataFrame:
    """Exponents under both adjacencies and size definitions, those of the null a little higher."""
    rng = np.random.default_rng(3)
    rows = _grid(
        spike_def_id=kinds,
        target_rate=rates,
        g=gains,
        null_id=[NullId.NULL_NONE, PERM],
        adjacency=list(Adjacency),
        size_def=list(SizeDef),
    )
    null, diagonal = rows["null_id"] == PERM, rows["adjacency"] == Adjacency.ADJ_8N
    sites, log_rate = rows["size_def"] == SizeDef.SIZE_SITES, np.log(rows["target_rate"] / 1e-5)
    rows["occupancy"] = 0.03 * (rows["target_rate"] / 1e-5) ** 0.8
    rows["tau_S"] = 2.4 - 0.2 * log_rate + 0.35 * null - 0.2 * diagonal + 0.15 * sites + rng.normal(0, 0.04, len(rows))
    rows["alpha_D"] = 3.0 - 0.3 * log_rate + 0.5 * null - 0.3 * diagonal
    rows["crackling_gamma"] = 1.3 + 0.05 * log_rate - 0.1 * null + 0.05 * diagonal - 0.1 * sites
    for name, stem in (("tau_S", "tau_S"), ("alpha_D", "alpha_D"), ("crackling_gamma", "crackling")):
        middle = rows[[name]].rename(columns={name: stem})
        with_interval(middle, stem, 0.12, np.random.default_rng(4))
        rows[[f"{stem}_ci_low", f"{stem}_ci_high"]] = middle[[f"{stem}_ci_low", f"{stem}_ci_high"]]
    return filled(T09, rows)


def t04(
    kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES, gains: Sequence[float] = GAINS
) -> pd.DataFrame:
    """Fits of steep tails of sizes and durations, all available."""
    rows = _grid(spike_def_id=kinds, target_rate=rates, g=gains)
    fit = {
        "xmin": 3.0,
        "xmax": 50_000.0,
        "n_tail": 900,
        "alpha_powerlaw": 2.2,
        "alpha_powerlaw_ci_low": 2.12,
        "alpha_powerlaw_ci_high": 2.28,
        "alpha_se": 0.04,
        "lambda_exponential": 0.16,
        "lognorm_mu": 0.6,
        "lognorm_sigma": 1.2,
        "cutoff_alpha": 1.8,
        "cutoff_lambda": 0.02,
        "available": True,
        "ks_xmin": 5.0,
        "ks_alpha": 2.25,
        "ks_n_tail": 420,
        "ks_p": 0.31,
    }
    for prefix, changed in (("", {}), ("D_", {"xmax": 256.0, "alpha_powerlaw": 2.6, "ks_alpha": 2.7, "ks_p": 0.004})):
        for name, value in (fit | changed).items():
            plain = f"{prefix}{name}"
            rows[plain if plain in T04.by_name else f"opt_{plain}"] = value
    return filled(T04, rows)


def profiles(durations: Sequence[int], *, gamma: float, seed: int) -> Profiles:
    """Parabolas that collapse with gamma, with the noise of fewer avalanches the longer they last."""
    rng = np.random.default_rng(seed)
    d = np.array(durations, dtype=np.int64)
    n = np.maximum(20, (20_000 * d**-2.2).astype(np.int64))
    x = (np.arange(d.max(initial=0)) + 0.5) / d[:, None]
    mean = 2.4 * d[:, None] ** (gamma - 1) * x * (1 - x) + 0.8 + rng.normal(0, 1 / np.sqrt(n[:, None]), x.shape)
    enough = len(d) >= 3
    reason = "" if enough else f"{len(d)} durations have enough avalanches, 3 are needed to collapse"
    return Profiles(d, n, np.where(x < 1, mean, np.nan), gamma + 0.04 if enough else np.nan, reason)


def shown_profiles(kinds: Sequence[SpikeDef] = KINDS, *, rate: float = RATES[-1]) -> list[ShownProfiles]:
    return [
        ShownProfiles(
            kind,
            rate,
            1.1,
            profiles(range(4, 24), gamma=1.45, seed=i),
            profiles(range(4, 11), gamma=1.2, seed=i + 10),
            1.43,
        )
        for i, kind in enumerate(kinds)
    ]


def draws(alpha: float, n: int, *, xmax: int, seed: int) -> Histogram:
    """n draws of the power law k^-alpha on 1..xmax."""
    values = np.arange(1, xmax + 1)
    weights = values**-alpha
    return Histogram.of(np.random.default_rng(seed).choice(values, size=n, p=weights / weights.sum()))


def shown_tails(kinds: Sequence[SpikeDef] = KINDS, rates: Sequence[float] = RATES, n: int = 4000) -> list[ShownTails]:
    return [
        ShownTails(
            kind,
            rate,
            g,
            draws(2.2, n, xmax=50_000, seed=i),
            draws(2.9, n, xmax=50_000, seed=i + 100),
            draws(2.6, n, xmax=256, seed=i + 200),
            draws(3.4, n, xmax=256, seed=i + 300),
        )
        for i, ((kind, rate), g) in enumerate(gstar(kinds, rates).items())
    ]


def sparse(table: pd.DataFrame, share: float, *, reason: str = "") -> pd.DataFrame:
    """The table with a share of its numbers not available, as small lattices leave it; keys and occupancy stay."""
    rng = np.random.default_rng(5)
    keep = ("target_rate", "g", "occupancy", "opt_occupancy", "tau0_baseline", "rate_match_tol_abs")
    numbers = [name for name in table.columns if table[name].dtype == np.float64 and name not in keep]
    lost = {name: rng.random(len(table)) < share for name in numbers if "_ci_" not in name}
    lost |= {name: lost[_of_interval(name, lost)] for name in numbers if "_ci_" in name}
    said = {name: reason for name in table.columns if "reason" in name}
    return table.assign(**{name: table[name].mask(lost[name]) for name in numbers}, **said)


def _of_interval(end: str, names: Iterable[str]) -> str:
    stem = end.partition("_ci_")[0].removeprefix("opt_")
    return next(name for name in (stem, f"opt_{stem}", f"{stem}_gamma") if name in names)
