"""The tail of a sample of sizes: where it starts, its exponent, and the laws that compete with a power law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.activity import enough
from critnb.api.cascades import AvalancheSet
from critnb.api.estimates import NAN, Estimate, Shown
from critnb.canon import CANON, SizeDef
from critnb.criticality import Histogram, TailFit, XminScan, fit_tail, ks_p_value, scan_xmin
from critnb.errors import DataError, ParamsError

_CONST = CANON.CONST
_KEY = b"a sample of one's own"
_OF = _SIZE, _DURATION = "size", "duration"
_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, eq=False, repr=False)
class TailEstimate(Shown):
    """A tail: its support xmin..xmax, the power law's exponent on it, and four laws on that same support.

    scan: how xmin was chosen, None where it was given; p_value: how often a power law lies as far from its own fit as
    the sample does, small where the sample is not of that law, NaN where it was not asked for; reason: what is not
    available and why, in words, empty where everything that was asked for is.
    """

    fit: TailFit
    scan: XminScan | None = None
    p_value: float = NAN
    reason: str = ""

    @property
    def alpha(self) -> Estimate:
        """The exponent with its interval given xmin, from the Fisher information."""
        spread = _NORMAL_975 * self.fit.alpha_se
        value = self.fit.alpha_powerlaw
        return Estimate(value, value - spread, value + spread, reason=self.fit.reason)

    def headline(self) -> str:
        """Return support, exponent and goodness of fit in words."""
        fit = self.fit
        if not fit.available:
            return f"Tail not available: {self.reason}"
        end = "" if fit.xmax is None else fit.xmax
        p = "" if np.isnan(self.p_value) else f", p {self.p_value:.2g}"
        why = f"; {self.reason}" if self.reason else ""
        return f"Tail of {fit.n_tail} values on {fit.xmin}..{end}: exponent {self.alpha!r}{p}{why}"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a law: parameters, log-likelihood (nats), and the power law's ratio to it with its p-value.

        A positive ratio favours the power law; a large p says that the sample cannot tell.
        """
        fit = self.fit
        rows = [
            ("power law", f"alpha {fit.alpha_powerlaw:.4g}", fit.ll_powerlaw, NAN, NAN),
            (
                *("lognormal", f"mu {fit.lognorm_mu:.4g}, sigma {fit.lognorm_sigma:.4g}", fit.ll_lognormal),
                *(fit.llr_powerlaw_vs_lognormal, fit.p_powerlaw_vs_lognormal),
            ),
            (
                *("exponential", f"lambda {fit.lambda_exponential:.4g}", fit.ll_exponential),
                *(fit.llr_powerlaw_vs_exponential, fit.p_powerlaw_vs_exponential),
            ),
            (
                *("with cutoff", f"alpha {fit.cutoff_alpha:.4g}, lambda {fit.cutoff_lambda:.4g}", fit.ll_cutoff),
                *(fit.llr_powerlaw_vs_cutoff, fit.p_powerlaw_vs_cutoff),
            ),
        ]
        frame = pd.DataFrame(rows, columns=["law", "parameters", "log_likelihood", "power_law_minus_it", "p"])
        return frame if fit.available else frame.assign(parameters="not available")


def tail(
    x: AvalancheSet | npt.ArrayLike,
    *,
    of: str = _SIZE,
    xmin: int | None = None,
    xmax: int | None = None,
    p_replicates: int = 0,
    seed: int = _CONST.BOOTSTRAP_SEED,
) -> TailEstimate:
    """Fit power law, lognormal, exponential and power law with cutoff to a tail, by exact discrete likelihood.

    x: whole numbers from 1 on, or an ``AvalancheSet``, whose sizes (or durations: ``of="duration"``) of avalanches that
    touch no edge are taken, with the largest value that the lattice allows as xmax. Without ``xmin`` the one of least
    Kolmogorov-Smirnov distance is chosen (Clauset, Shalizi and Newman 2009). xmax None: no upper end. With
    ``p_replicates`` the p-value repeats that choice in so many samples of the fitted law. A tail that is too small is
    not available, with the reason.

    Raises:
        DataError: a value is no whole number from 1 on, or lies above xmax; xmin below 1.
        ParamsError: ``of`` is neither word; p_replicates together with xmin, which leaves no choice to repeat, or 1.
    """
    if of not in _OF:
        raise ParamsError(f"of: {of!r} is none of {', '.join(_OF)}")
    if p_replicates:
        enough(p_replicates=p_replicates)
        if xmin is not None:
            raise ParamsError("p_replicates: the p-value repeats the choice of xmin; leave out one of the two")
    values, largest = _values(x, of)
    bound = largest if xmax is None else xmax
    sample = Histogram.of(values)
    if xmin is not None:
        fit = fit_tail(sample, xmin=xmin, xmax=bound)
        return TailEstimate(fit, reason=fit.reason)
    scan = scan_xmin(sample, xmax=bound)
    if not scan.available:
        return TailEstimate(TailFit(scan.xmin, bound, 0, available=False, reason=scan.reason), scan, reason=scan.reason)
    fit = fit_tail(sample, xmin=scan.xmin, xmax=bound)
    if not p_replicates:
        return TailEstimate(fit, scan, reason=fit.reason)
    p_value = ks_p_value(sample, scan, xmax=bound, replicates=p_replicates, seed=seed, key=_KEY)
    lost = "p: no sample of the fitted law has a tail of its own" if np.isnan(p_value) else ""
    return TailEstimate(fit, scan, p_value, fit.reason or lost)


def _values(x: AvalancheSet | npt.ArrayLike, of: str) -> tuple[npt.NDArray[np.int64], int | None]:
    if not isinstance(x, AvalancheSet):
        return _sample(np.asarray(x)), None
    inside, lattice = ~x.touches_edge, x.events.lattice
    if of == _DURATION:
        return x.duration[inside], lattice.longest_duration(inside=True)
    return x.size[inside], lattice.largest_size(SizeDef.SIZE_EVENTS, inside=True)


def _sample(values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    if values.ndim != 1 or values.dtype.kind not in "uif":
        raise DataError(f"tail: a sample is a list of whole numbers, not {values.dtype.name} with {values.ndim} axes")
    numbers = values.astype(np.float64)
    if not (np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all()):
        raise DataError(
            "tail: the sample has fractional, NaN or infinite values; sizes and durations are whole numbers"
        )
    return values.astype(np.int64)
