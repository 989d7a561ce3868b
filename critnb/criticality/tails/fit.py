"""One sample, one xmin, four laws on the same support, and the tests between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfc
from scipy.stats import chi2

from critnb.canon import CANON
from critnb.criticality.tails.cutoff import fit_cutoff
from critnb.criticality.tails.histogram import Histogram, check_end
from critnb.criticality.tails.laws import Fitted, fit_exponential, fit_power_law
from critnb.criticality.tails.lognormal import fit_lognormal
from critnb.criticality.tails.scan import too_few
from critnb.errors import DataError

# A spread of log-likelihood ratios below this many nats per value is rounding: the two laws are one.
_SAME_LAW = 1e-10
NAN = float("nan")


@dataclass(frozen=True)
class TailFit:
    """Parameters, log-likelihoods (nats, whole tail) and tests of one tail; NaN where not available, with the reason.

    llr_ is the power law's log-likelihood minus the other's: positive favours the power law. z_ and p_ of lognormal and
    exponential are Vuong's (1989), two-sided: a large p means that the sample does not decide. p_ of the cutoff belongs
    to the nested test of lambda = 0, which lies on the boundary of lambda >= 0: half a chi-square of one degree of
    freedom (Self and Liang 1987), and 1 where the fitted lambda is zero.
    """

    xmin: int
    xmax: int | None
    n_tail: int
    available: bool
    reason: str
    alpha_powerlaw: float = NAN
    alpha_se: float = NAN
    lambda_exponential: float = NAN
    lognorm_mu: float = NAN
    lognorm_sigma: float = NAN
    cutoff_alpha: float = NAN
    cutoff_lambda: float = NAN
    ll_powerlaw: float = NAN
    ll_exponential: float = NAN
    ll_lognormal: float = NAN
    ll_cutoff: float = NAN
    llr_powerlaw_vs_lognormal: float = NAN
    llr_powerlaw_vs_exponential: float = NAN
    llr_powerlaw_vs_cutoff: float = NAN
    z_powerlaw_vs_lognormal: float = NAN
    p_powerlaw_vs_lognormal: float = NAN
    z_powerlaw_vs_exponential: float = NAN
    p_powerlaw_vs_exponential: float = NAN
    p_powerlaw_vs_cutoff: float = NAN


def fit_tail(
    sample: Histogram,
    *,
    xmin: int,
    xmax: int | None,
    min_tail: int = CANON.CONST.TAIL_FIT_MIN_TAIL_SAMPLES,
) -> TailFit:
    """Fit all four laws to the sample's values from xmin on, each normalised over xmin..xmax (None: no upper end).

    Not available, with the reason: fewer than min_tail values from xmin on, all of them equal, or nearly all at xmax.
    Raises DataError where a value lies above xmax, and where xmin or xmax is no whole number from one on or they are crossed.
    """
    sample.check_bound(xmax)
    check_end(xmin, "xmin")
    if xmax is not None and xmin > xmax:
        raise DataError(f"tails: xmin {xmin} is above xmax {xmax}; there is no size between them")
    tail = sample.tail(xmin)
    if reason := _obstacle(tail, min_tail):
        return TailFit(xmin, xmax, tail.n, available=False, reason=reason)
    power_law, error = fit_power_law(tail, xmin, xmax)
    if np.isnan(error):
        return TailFit(xmin, xmax, tail.n, available=False, reason="nearly all values are at xmax")
    others = {
        "exponential": fit_exponential(tail, xmin, xmax),
        "lognormal": fit_lognormal(tail, xmin, xmax),
        "cutoff": fit_cutoff(tail, xmin, xmax, power_law),
    }
    numbers = {
        "alpha_powerlaw": power_law.parameters[0],
        "alpha_se": error,
        "lambda_exponential": others["exponential"].parameters[0],
        **dict(zip(("lognorm_mu", "lognorm_sigma"), others["lognormal"].parameters, strict=True)),
        **dict(zip(("cutoff_alpha", "cutoff_lambda"), others["cutoff"].parameters, strict=True)),
        "ll_powerlaw": power_law.log_likelihood(tail),
    }
    for name, law in others.items():
        numbers |= {f"ll_{name}": law.log_likelihood(tail), **_tests(name, power_law, law, tail)}
    return TailFit(xmin, xmax, tail.n, available=True, reason="", **numbers)


def _tests(name: str, power_law: Fitted, other: Fitted, tail: Histogram) -> dict[str, float]:
    """Return the ratio and the tests of the power law against another law, as TailFit names them."""
    if name == "cutoff":
        ratio = power_law.log_likelihood(tail) - other.log_likelihood(tail)
        return {"llr_powerlaw_vs_cutoff": ratio, "p_powerlaw_vs_cutoff": boundary_p(ratio)}
    tested = zip(("llr", "z", "p"), vuong(power_law, other, tail), strict=True)
    return {f"{what}_powerlaw_vs_{name}": number for what, number in tested}


def _obstacle(tail: Histogram, min_tail: int) -> str:
    if tail.n < max(1, min_tail):
        return too_few(tail.n, min_tail)
    return "all values are equal" if len(tail.values) == 1 else ""


def vuong(one: Fitted, other: Fitted, sample: Histogram) -> tuple[float, float, float]:
    """Return the log-likelihood ratio, Vuong's z and its two-sided p-value (Vuong 1989; Clauset et al. 2009, 5 and C).

    z = ratio / (sqrt(n) sd), sd the spread of the ratio per value. NaN where the two laws are one.
    """
    ratio = one.log_p - other.log_p
    mean = float(sample.counts @ ratio) / sample.n
    spread = float(np.sqrt(sample.counts @ (ratio - mean) ** 2 / sample.n))
    if not spread > _SAME_LAW:
        return sample.n * mean, NAN, NAN
    z = np.sqrt(sample.n) * mean / spread
    return sample.n * mean, float(z), float(erfc(abs(z) / np.sqrt(2)))


def boundary_p(ratio: float) -> float:
    """Return the p-value of a log-likelihood ratio <= 0 whose one free parameter lies on its boundary under the null."""
    if not ratio < 0:
        return 1.0 if ratio == 0 else NAN
    return float(chi2.sf(-2 * ratio, 1)) / 2
