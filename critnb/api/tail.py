"""The tail of a sample of sizes: where it starts, its exponent, and the laws that compete with a power law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import enough, format_number, numbers, whole
from critnb.api.cascades import AvalancheSet
from critnb.api.estimates import NAN, Estimate, TableResult
from critnb.canon import CANON, SizeDef
from critnb.criticality.tails import Excluded, Histogram, TailFit, XminScan, excluded, fit_tail, ks_p_value, scan_xmin
from critnb.criticality.tails.histogram import LARGEST
from critnb.errors import DataError, ParamsError

_CONST = CANON.CONST
_KEY = b"a sample of one's own"
_OF = _SIZE, _DURATION = "size", "duration"
_NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, eq=False, repr=False)
class TailEstimate(TableResult):
    """A tail: its support xmin..xmax, the power law's exponent on it, and four laws on that same support.

    scan: how xmin was chosen, None where it was given; p_value: how often a power law lies as far from its own fit as
    the sample does, small where the sample is not of that law, NaN where no p-value was requested; reason: what is not
    available and why, empty where nothing is missing; excluded: the values that were no candidates for xmin since their
    tails are too small, None where xmin was given.
    """

    fit: TailFit
    scan: XminScan | None = None
    p_value: float = NAN
    reason: str = ""
    excluded: Excluded | None = None

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
            return f"Tail not available: {self.reason}{self._left_out()}"
        end = "" if fit.xmax is None else fit.xmax
        p = "" if np.isnan(self.p_value) else f", p {self.p_value:.2g}"
        why = f"; {self.reason}" if self.reason else ""
        return f"Tail of {fit.n_tail} values on {fit.xmin}..{end}: exponent {self.alpha!r}{p}{why}{self._left_out()}"

    def _left_out(self) -> str:
        """Return in words which candidates for xmin were left out, and whether one of them fits closer than the chosen one."""
        left_out, scan = self.excluded, self.scan
        if left_out is None or scan is None or not left_out.n:
            return ""
        nearest = left_out.nearest
        said = f"; {left_out.n} values were no candidates for xmin, their tails hold fewer than {left_out.min_tail}"
        if scan.available and nearest.distance >= scan.distance:
            return f"{said}, none of smaller distance"
        beside = f" against {scan.distance:.3g}" if scan.available else ""
        return (
            f"{said}; the nearest, {nearest.xmin}, has exponent {nearest.alpha:.4g} and distance {nearest.distance:.3g}{beside} "
            f"(min_tail={nearest.n_tail} lets it in)"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per law: parameters, log-likelihood (nats), and the power law's ratio to it with its p-value.

        A positive ratio favours the power law; with a large p the sample does not decide.
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
    min_tail: int = _CONST.TAIL_FIT_MIN_TAIL_SAMPLES,
    p_replicates: int = 0,
    seed: int = _CONST.BOOTSTRAP_SEED,
) -> TailEstimate:
    """Fit power law, lognormal, exponential and power law with cutoff to a tail, by exact discrete likelihood.

    x: whole numbers from 1 on, or an ``AvalancheSet``, whose sizes (or durations: ``of="duration"``) of avalanches that
    touch no edge are taken, with the largest value that the lattice allows as xmax. Without ``xmin`` the one of least
    Kolmogorov-Smirnov distance is chosen among those whose tail keeps ``min_tail`` values (Clauset, Shalizi and Newman
    2009); ``excluded`` holds the others. xmax None: no upper end. With ``p_replicates`` the p-value repeats that choice in
    so many samples of the fitted law. A tail of fewer than ``min_tail`` values is not available, with the reason.

    Raises:
        DataError: a value is missing (masked, NaN, None), is no whole number in 1..2^53, or lies above xmax.
        ParamsError: ``of`` is neither word; xmin, xmax or min_tail is no whole number, or xmin lies above xmax; p_replicates
            together with xmin, which leaves no choice to repeat, or 1.
    """
    if of not in _OF:
        raise ParamsError(f"of: {of!r} is none of {', '.join(_OF)}")
    if p_replicates:
        enough(p_replicates=p_replicates)
        if xmin is not None:
            raise ParamsError("p_replicates: the p-value repeats the choice of xmin; leave out one of the two")
    whole(seed, "seed", least=None)
    (lowest, end), least = _ends(xmin, xmax), whole(min_tail, "tail: min_tail", least=2)
    values, largest = _values(x, of)
    bound = largest if end is None else end
    sample = Histogram.of(values)
    if lowest is not None:
        fit = fit_tail(sample, xmin=lowest, xmax=bound, min_tail=least)
        return TailEstimate(fit, reason=fit.reason)
    scan, left_out = scan_xmin(sample, xmax=bound, min_tail=least), excluded(sample, xmax=bound, min_tail=least)
    if not scan.available:
        fit = TailFit(scan.xmin, bound, 0, available=False, reason=scan.reason)
        return TailEstimate(fit, scan, reason=scan.reason, excluded=left_out)
    fit = fit_tail(sample, xmin=scan.xmin, xmax=bound, min_tail=least)
    if not p_replicates:
        return TailEstimate(fit, scan, reason=fit.reason, excluded=left_out)
    p_value = ks_p_value(sample, scan, xmax=bound, replicates=p_replicates, seed=seed, key=_KEY, min_tail=least)
    lost = "p: no sample of the fitted law has a tail of its own" if np.isnan(p_value) else ""
    return TailEstimate(fit, scan, p_value, fit.reason or lost, left_out)


def _ends(xmin: object, xmax: object) -> tuple[int | None, int | None]:
    """Return the ends that were given as whole numbers; raises ParamsError naming the one that is none."""
    low, high = (
        None if given is None else whole(given, f"tail: {name}", point=True)
        for name, given in (("xmin", xmin), ("xmax", xmax))
    )
    if low is not None and high is not None and low > high:
        raise ParamsError(f"tail: xmin: {low} is above xmax {high}; there is no size between them")
    return low, high


def _values(x: AvalancheSet | npt.ArrayLike, of: str) -> tuple[npt.NDArray[np.integer[Any]], int | None]:
    if not isinstance(x, AvalancheSet):
        return _sample(x), None
    inside, lattice = ~x.touches_edge, x.events.lattice
    if of == _DURATION:
        return x.duration[inside], lattice.longest_duration(inside=True)
    return x.size[inside], lattice.largest_size(SizeDef.SIZE_EVENTS, inside=True)


def _sample(x: object) -> npt.NDArray[np.integer[Any]]:
    values = numbers(x, "tail", remedy="leave them out of the list")
    if values.ndim != 1 or values.dtype.kind == "b":
        raise DataError(f"tail: a sample is a list of whole numbers, not {values.dtype.name} with {values.ndim} axes")
    if values.dtype.kind in "iu":
        return values
    if strange := values[~np.isfinite(values) | (values != np.floor(values))].tolist():
        raise DataError(
            f"tail: the sample has {len(strange)} fractional or infinite values, such as {strange[0]}; sizes and durations are "
            "whole numbers"
        )
    # before the conversion, which would make another number of a value beyond int64
    if (outside := values[(values < 1) | (values > LARGEST)]).size:
        raise DataError(f"tail: the sample has a value {format_number(outside[0])}; sizes and durations lie in 1..2^53")
    return values.astype(np.int64)
