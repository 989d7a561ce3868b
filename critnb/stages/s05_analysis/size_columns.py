"""Analyses of sizes under the names of the columns of T01, T04, T05 and T09."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from critnb.canon import Adjacency, SizeDef
from critnb.criticality.multistep import Multistep, correlation_length
from critnb.criticality.sizes.analysis import MARGINS, PERMUTED, REAL, SizeAnalysis, TailAnalysis
from critnb.criticality.sizes.crackling import Crackling
from critnb.criticality.sizes.exponents import Exponents, ResampledEstimate, joined_reasons
from critnb.report.schema.nulls import MARGINS_TWIN, TWIN

Row = dict[str, Any]
NAN = float("nan")
_IN_T04_ALWAYS = (
    *("xmin", "n_tail", "alpha_powerlaw", "lambda_exponential", "lognorm_mu", "lognorm_sigma"),
    *("ll_powerlaw", "ll_exponential", "ll_lognormal", "llr_powerlaw_vs_lognormal", "llr_powerlaw_vs_exponential"),
)


def t01_columns(analysis: SizeAnalysis, adjacency: Adjacency) -> Row:
    """Return the exponents of T01: default adjacency, sizes as events, those of the primary null beside the real ones."""
    row: Row = {}
    real = analysis.exponents[REAL, adjacency, SizeDef.SIZE_EVENTS]
    for null_id, suffix, found in ((REAL, "", real), (PERMUTED, TWIN, analysis.pooled.exponents)):
        row |= _exponent_columns(found, suffix)
        row |= _multistep_columns(f"time{suffix}", analysis.tokens[null_id])
        row |= _multistep_columns(f"depth{suffix}", analysis.depth[null_id])
        row[f"opt_reason{suffix}"] = joined_reasons(
            {
                "exponents": found.reason,
                "m_time": analysis.tokens[null_id].reason,
                "m_depth": analysis.depth[null_id].reason,
                "dcc_ref": analysis.reference.reason if null_id is REAL else "",
            }
        )
    reference = analysis.reference
    return row | {
        **_correlation_lengths("time", analysis.tokens[REAL]),
        **_correlation_lengths("depth", analysis.depth[REAL]),
        **_slope_columns(f"time{MARGINS_TWIN}", analysis.tokens.get(MARGINS)),
        **_slope_columns(f"depth{MARGINS_TWIN}", analysis.depth.get(MARGINS)),
        "opt_dcc_ref": reference.dcc,
        **_ends("opt_dcc_ref", (reference.dcc_low, reference.dcc_high)),
        "opt_gamma_ref": reference.gamma,
        "opt_tau_S_ref": reference.tau_S,
        "opt_alpha_D_ref": reference.alpha_D,
    }


def _exponent_columns(found: Exponents, suffix: str) -> Row:
    crackling = "crackling" if not suffix else f"opt_crackling_gamma{suffix}"
    return {
        ("opt_" if suffix else "") + f"crackling_gamma{suffix}": found.crackling.gamma,
        **_ends(crackling, (found.crackling.ci_low, found.crackling.ci_high)),
        **_estimate(f"opt_tau_S{suffix}", found.tau_S),
        **_estimate(f"opt_alpha_D{suffix}", found.alpha_D),
        f"opt_gamma_uncensored{suffix}": found.gamma.gamma,
        **_ends(f"opt_gamma_uncensored{suffix}", (found.gamma.ci_low, found.gamma.ci_high)),
        **_estimate(f"opt_gamma_pred{suffix}", found.gamma_pred),
        **_estimate(f"opt_dcc{suffix}", found.dcc),
    }


def _multistep_columns(name: str, found: Multistep) -> Row:
    ends = _ends(f"opt_m_{name}", (found.m_ci_low, found.m_ci_high))
    return {f"opt_m_{name}": found.m, **ends, **_slope_columns(name, found)}


def _slope_columns(name: str, found: Multistep | None) -> Row:
    """``found``: None where the null was not drawn."""
    value, *ends = (NAN, NAN, NAN) if found is None else (found.r1, found.r1_ci_low, found.r1_ci_high)
    return {f"opt_r1_{name}": value, **_ends(f"opt_r1_{name}", (ends[0], ends[1]))}


def _correlation_lengths(name: str, found: Multistep) -> Row:
    value, *ends = (correlation_length(m) for m in (found.m, found.m_ci_low, found.m_ci_high))
    return {f"opt_xi_{name}": value, **_ends(f"opt_xi_{name}", (ends[0], ends[1]))}


def t04_columns(analysis: SizeAnalysis) -> Row:
    """Return the tail fits of T04, of sizes and of durations."""
    sizes, durations = _tail_columns(analysis.sizes), _tail_columns(analysis.durations)
    always = {name: sizes.pop(name) for name in _IN_T04_ALWAYS}
    return (
        always
        | {f"opt_{name}": value for name, value in sizes.items()}
        | {f"opt_D_{name}": value for name, value in durations.items()}
    )


def _tail_columns(tail: TailAnalysis) -> Row:
    scan = tail.scan
    return asdict(tail.fit) | {
        # a quantile of the sample has a tail, unless there is no sample
        "xmin": tail.fit.xmin if tail.fit.n_tail else float("nan"),
        **_ends("alpha_powerlaw", tail.alpha.interval),
        "ks_xmin": scan.xmin if scan.available else float("nan"),
        "ks_alpha": scan.alpha,
        "ks_distance": scan.distance,
        "ks_n_tail": scan.n_tail,
        "ks_p": tail.p_value,
        "ks_reason": scan.reason,
    }


def t05_columns(analysis: SizeAnalysis, adjacency: Adjacency) -> Row:
    """Return the crackling diagnostics of T05."""
    real = analysis.exponents[REAL, adjacency, SizeDef.SIZE_EVENTS].crackling
    permuted = analysis.pooled.exponents.crackling
    return {
        "crackling_gamma": real.gamma,
        **_ends("crackling", (real.ci_low, real.ci_high)),
        "crackling_ci_width": real.ci_width,
        "n_duration_points": len(real.durations),
        "n_avalanches_used": int(real.n.sum()),
        "r2": real.r2,
        "pass": real.passed,
        "opt_reason": _why_not(real),
        "opt_dropped_replicates": real.dropped,
        f"opt_crackling_gamma{TWIN}": permuted.gamma,
        **_ends(f"opt_crackling_gamma{TWIN}", (permuted.ci_low, permuted.ci_high)),
        f"opt_r2{TWIN}": permuted.r2,
        f"opt_reason{TWIN}": _why_not(permuted),
        "opt_gamma_collapse": analysis.collapse.gamma_collapse,
        "opt_reason_collapse": analysis.collapse.reason,
        **survival_columns(analysis),
    }


def survival_columns(analysis: SizeAnalysis) -> Row:
    """Return how many replicates of the primary null were pooled, and what lives long or grows large beside all of them."""
    pooled, survival = analysis.pooled, analysis.pooled.survival
    return {
        f"opt_pooled_slope{TWIN}": float(pooled.slope_replicates),
        f"opt_pooled_relation{TWIN}": float(pooled.relation_replicates),
        "opt_survival_D": survival.duration,
        f"opt_survival_D{TWIN}": survival.null_duration,
        "opt_survival_S": survival.size,
        f"opt_survival_S{TWIN}": survival.null_size,
        "opt_survival_replicates": float(survival.replicates),
        "opt_survival_p": survival.p,
    }


def _why_not(found: Crackling) -> str:
    if found.reason or found.passed:
        return found.reason
    return "the interval has width zero" if found.ci_width == 0 else "the interval is too wide"


def reasons(analysis: SizeAnalysis, adjacency: Adjacency) -> dict[str, str]:
    """Return why the signatures' statistics are not available or do not pass, by their T01 names; empty where they are."""
    main = analysis.exponents[REAL, adjacency, SizeDef.SIZE_EVENTS]
    relation = main.relation_reason or analysis.reference.reason
    return {
        "crackling_gamma": main.crackling.reason,
        "opt_dcc": relation,
        "opt_tau_S": main.size_scan.reason,
        "opt_m_time": analysis.tokens[REAL].reason,
        "opt_m_depth": analysis.depth[REAL].reason,
    }


def t09_rows(analysis: SizeAnalysis) -> list[Row]:
    """Return the exponents of T09: one row per null, adjacency and size definition."""
    return [
        {
            "null_id": str(null_id),
            "adjacency": str(adjacency),
            "size_def": str(size_def),
            "occupancy": analysis.occupancy,
            **_t09_columns(found),
        }
        for (null_id, adjacency, size_def), found in analysis.exponents.items()
    ]


def _t09_columns(found: Exponents) -> Row:
    return {
        "n_avalanches": found.n_avalanches,
        "n_uncensored": found.n_uncensored,
        "xmin_S": found.size_scan.xmin if found.size_scan.available else float("nan"),
        "n_tail_S": found.size_scan.n_tail,
        **_estimate("tau_S", found.tau_S),
        "xmin_D": found.duration_scan.xmin if found.duration_scan.available else float("nan"),
        "n_tail_D": found.duration_scan.n_tail,
        **_estimate("alpha_D", found.alpha_D),
        "crackling_gamma": found.crackling.gamma,
        **_ends("crackling", (found.crackling.ci_low, found.crackling.ci_high)),
        "gamma_uncensored": found.gamma.gamma,
        **_ends("gamma_uncensored", (found.gamma.ci_low, found.gamma.ci_high)),
        "n_duration_points": len(found.crackling.durations),
        **_estimate("gamma_pred", found.gamma_pred),
        **_estimate("dcc", found.dcc),
        "reason": found.reason,
    }


def _estimate(name: str, estimate: ResampledEstimate) -> Row:
    return {name: estimate.value, **_ends(name, estimate.interval)}


def _ends(stem: str, interval: tuple[float, float]) -> Row:
    return {f"{stem}_ci_low": interval[0], f"{stem}_ci_high": interval[1]}
