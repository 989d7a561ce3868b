"""T04_TAIL_FITS: what distribution the tails of avalanche sizes and durations follow, one row per row of T01."""

from __future__ import annotations

from critnb.canon import CANON
from critnb.report.schema import columns as col
from critnb.report.schema.model import Column, TableSchema

_NATS = "nats"
# the parameters and likelihoods of one fit, as ``TailFit`` names them
_BASE_FIT = (
    ("alpha_powerlaw", "-", "exponent of the power law k^-alpha"),
    ("lambda_exponential", "1/unit", "rate of the exponential e^-lambda k"),
    ("lognorm_mu", "ln unit", "mu of the rounded lognormal"),
    ("lognorm_sigma", "ln unit", "sigma of the rounded lognormal; in the thousands: as a lognormal it is a power law"),
    ("ll_powerlaw", _NATS, "log-likelihood of the power law"),
    ("ll_exponential", _NATS, "log-likelihood of the exponential"),
    ("ll_lognormal", _NATS, "log-likelihood of the lognormal"),
    ("llr_powerlaw_vs_lognormal", _NATS, "ll_powerlaw - ll_lognormal"),
    ("llr_powerlaw_vs_exponential", _NATS, "ll_powerlaw - ll_exponential"),
)
_FURTHER_FIT = (
    ("alpha_powerlaw_ci_low", "-", "lower end of alpha_powerlaw's 95 % sequence-bootstrap interval"),
    ("alpha_powerlaw_ci_high", "-", "upper end of alpha_powerlaw's 95 % sequence-bootstrap interval"),
    ("alpha_se", "-", "standard error of alpha_powerlaw from the Fisher information, were avalanches independent"),
    ("cutoff_alpha", "-", "alpha of the power law with cutoff k^-alpha e^-lambda k"),
    ("cutoff_lambda", "1/unit", "lambda of the power law with cutoff"),
    ("ll_cutoff", _NATS, "log-likelihood of the power law with cutoff"),
    ("llr_powerlaw_vs_cutoff", _NATS, "ll_powerlaw - ll_cutoff, never positive"),
    ("z_powerlaw_vs_lognormal", "-", "Vuong's normalised ratio; positive favours the power law"),
    ("p_powerlaw_vs_lognormal", "-", "two-sided p of that ratio"),
    ("z_powerlaw_vs_exponential", "-", "Vuong's normalised ratio; positive favours the power law"),
    ("p_powerlaw_vs_exponential", "-", "two-sided p of that ratio"),
    (
        "p_powerlaw_vs_cutoff",
        "-",
        "p of lambda = 0, which lies on the boundary: half a chi-square, 1 where lambda is 0",
    ),
)
_KS = (
    ("ks_xmin", "unit", "lower end of the support that minimises the Kolmogorov-Smirnov distance"),
    ("ks_alpha", "-", "exponent of the power law on that support"),
    ("ks_distance", "-", "that distance"),
    ("ks_n_tail", "avalanches", "avalanches on that support, 0 where none was found"),
    (
        "ks_p",
        "-",
        "(1 + replicates of the fitted law, xmin chosen anew in each, at least as far from their own fit) / (R + 1)",
    ),
)


def _numbers(columns: tuple[tuple[str, str, str], ...], *, prefix: str, unit: str, of: str) -> tuple[Column, ...]:
    return tuple(
        col.number(
            f"{prefix}{name}",
            column_unit.replace("unit", unit),
            f"{meaning}; {of}",
            col.SHARE if name.startswith(("p_", "ks_p", "ks_distance")) else None,
        )
        for name, column_unit, meaning in columns
    )


def _further(prefix: str, *, unit: str, of: str) -> tuple[Column, ...]:
    censored = f"{of}, those that touch an edge left out"
    return (
        *_numbers(_FURTHER_FIT, prefix=prefix, unit=unit, of=of),
        col.flag(f"{prefix}available", f"the fit is there; {of}"),
        col.text(f"{prefix}reason", f"why it is not, else empty; {of}"),
        *_numbers(_KS, prefix=prefix, unit=unit, of=censored),
        col.text(f"{prefix}ks_reason", f"why the KS fit is not there, else empty; {of}"),
    )


_SIZES = "sizes S"
_DURATIONS = "durations D"

T04 = TableSchema(
    name=CANON.TABLE.T04_TAIL_FITS,
    rows="one row per row of T01; all candidates are fitted on the same support [xmin, xmax], xmin the 0.8 quantile",
    key=col.GRID_KEY,
    columns=(
        *col.AT_EACH_GAIN,
        col.number("xmin", "events", "lower end of the support: the 0.8 quantile of the sizes", col.NOT_NEGATIVE),
        col.count("n_tail", "avalanches", "avalanches of at least that size"),
        *_numbers(_BASE_FIT, prefix="", unit="event", of=_SIZES),
        col.number("opt_xmax", "events", "upper end of the support: the largest size that a window allows"),
        *_further("opt_", unit="event", of=_SIZES),
        col.number("opt_D_xmin", "tokens", "lower end of the support: the 0.8 quantile of the durations"),
        col.number("opt_D_xmax", "tokens", "upper end of the support: the window"),
        col.count("opt_D_n_tail", "avalanches", "avalanches of at least that duration"),
        *_numbers(_BASE_FIT, prefix="opt_D_", unit="token", of=_DURATIONS),
        *_further("opt_D_", unit="token", of=_DURATIONS),
    ),
    appendix=True,
)
