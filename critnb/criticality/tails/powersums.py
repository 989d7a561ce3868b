"""Sums of k^-alpha over integers xmin..xmax, with their moments of ln k and their partial sums, without a loop.

Up to DIRECT terms at the lower end are added as they are where the summand is steep; the rest is Euler and Maclaurin's
formula (NIST DLMF 2.10.1) with five end terms, whose error is some 1e-12 of the sum at most. The integral's moments are
incomplete gamma functions of (alpha - 1) ln(xmax/xmin), so alpha = 1 is no special case. Everything is computed
relative to one end of the support, so nothing over- or underflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc

Floats = npt.NDArray[np.float64]

DIRECT = 64
# From here on, and for exponents up to an eighth of the lower end, no direct terms are needed.
_SMOOTH_FROM = 32.0
_STEEP = 8.0
# alpha - 1 is kept this far from zero, where quotients of two vanishing numbers would lose their value.
_TINY = 1e-14


@dataclass(frozen=True, eq=False)
class LogMoments:
    """ln of the sum, and mean and variance of ln k under the law, each float64 [C]."""

    log_sum: Floats
    mean: Floats
    variance: Floats


class Survival(NamedTuple):
    """Of laws [C] at values [C, V]: the probability of the value or more, and that of the value itself."""

    reach: Floats
    mass: Floats


def lowest_exponent(xmin: Floats, xmax: Floats | None) -> Floats:
    """Return the alpha [C] above which the sums hold: 1 without xmax; -xmax/2, or none where all terms are added."""
    if xmax is None:
        return np.ones_like(xmin)
    return np.where(xmax - xmin < DIRECT, -np.inf, -xmax / 2)


def log_moments(alpha: Floats, xmin: Floats, xmax: Floats | None) -> LogMoments:
    """Return the moments of the laws k^-alpha on xmin..xmax, all arguments [C]; xmax None: no upper end."""
    anchor = _anchor(alpha, xmin, xmax)
    start = np.where(_is_direct(alpha, xmin, xmax), xmin + DIRECT, xmin)
    sums = np.zeros((3, len(alpha)))
    direct = np.flatnonzero(start > xmin)
    sums[:, direct] += _direct_moments(alpha[direct], xmin[direct], _at(xmax, direct), anchor[direct])
    smooth = np.arange(len(alpha)) if xmax is None else np.flatnonzero(start <= xmax)
    sums[:, smooth] += _smooth_moments(alpha[smooth], start[smooth], _at(xmax, smooth), anchor[smooth])
    mean = sums[1] / sums[0]
    log_anchor = np.log(anchor)
    return LogMoments(np.log(sums[0]) - alpha * log_anchor, log_anchor + mean, sums[2] / sums[0] - mean**2)


def survival(alpha: Floats, xmin: Floats, xmax: float | None, values: Floats) -> Survival:
    """Return the survival of the laws alpha [C] on xmin [C] .. xmax at values [C, V] or [1, V] (below xmin: as at xmin)."""
    top = None if xmax is None else np.full_like(alpha, xmax)
    anchor = _anchor(alpha, xmin, top)
    at = np.maximum(values, xmin[:, None])
    sums, mass = _partial_sums(alpha, anchor, top, at)
    whole = _partial_sums(alpha, anchor, top, xmin[:, None])[0][:, 0]
    rows = np.flatnonzero(_is_direct(alpha, xmin, top))
    if rows.size:
        terms = _direct_terms(alpha[rows], xmin[rows], _at(top, rows), anchor[rows])[1]
        beyond = _sums_beyond(alpha[rows], xmin[rows] + DIRECT, _at(top, rows), anchor[rows])
        suffix = np.cumsum(terms[:, ::-1], axis=1)[:, ::-1] + beyond[:, None]
        whole[rows] = suffix[:, 0]
        offset = at[rows] - xmin[rows, None]
        near, index = offset < DIRECT, np.minimum(offset, DIRECT - 1).astype(np.intp)
        sums[rows] = np.where(near, np.take_along_axis(suffix, index, axis=1), sums[rows])
        mass[rows] = np.where(near, np.take_along_axis(terms, index, axis=1), mass[rows])
    return Survival(sums / whole[:, None], mass / whole[:, None])


def _at(xmax: Floats | None, rows: npt.NDArray[np.intp]) -> Floats | None:
    return None if xmax is None else xmax[rows]


def _anchor(alpha: Floats, xmin: Floats, xmax: Floats | None) -> Floats:
    """Return the end of the support relative to which powers are taken: the lower for falling laws, else the upper."""
    return xmin if xmax is None else np.where(alpha >= 1, xmin, xmax)


def _is_direct(alpha: Floats, xmin: Floats, xmax: Floats | None) -> npt.NDArray[np.bool_]:
    steep = (xmin < _SMOOTH_FROM) | (alpha * _STEEP > xmin)
    return steep if xmax is None else steep | (xmax - xmin < DIRECT)


def _direct_terms(alpha: Floats, xmin: Floats, xmax: Floats | None, anchor: Floats) -> tuple[Floats, Floats]:
    """Return ln(k / anchor) and (k / anchor)^-alpha of the first DIRECT integers [C, DIRECT], zero beyond xmax."""
    k = xmin[:, None] + np.arange(DIRECT)
    inside = np.minimum(k, np.inf if xmax is None else xmax[:, None])
    log = np.log1p((inside - anchor[:, None]) / anchor[:, None])
    return log, np.where(k == inside, np.exp(-alpha[:, None] * log), 0.0)


def _direct_moments(alpha: Floats, xmin: Floats, xmax: Floats | None, anchor: Floats) -> Floats:
    log, terms = _direct_terms(alpha, xmin, xmax, anchor)
    first = terms * log
    return np.stack([terms.sum(axis=1), first.sum(axis=1), (first * log).sum(axis=1)])


def _smooth_moments(alpha: Floats, start: Floats, xmax: Floats | None, anchor: Floats) -> Floats:
    """Return the sums [3, C] of (k/anchor)^-alpha ln(k/anchor)^(0, 1, 2) over k from start on."""
    sums = _integral_moments(alpha, start, xmax, anchor) + _end_moments(alpha, start, anchor, 1.0)
    return sums if xmax is None else sums + _end_moments(alpha, xmax, anchor, -1.0)


def _integral_moments(alpha: Floats, start: Floats, xmax: Floats | None, anchor: Floats) -> Floats:
    """Integrate over t = |ln(x/heavy)|, heavy being the end where x^(1 - alpha) is largest."""
    rate = np.maximum(np.abs(alpha - 1), _TINY)
    falling = alpha >= 1
    heavy = start if xmax is None else np.where(falling, start, xmax)
    reach = np.inf if xmax is None else rate * np.log(xmax / start)
    log, sign = np.log(heavy / anchor), np.where(falling, 1.0, -1.0)
    weight = heavy * np.exp(-alpha * log) / rate
    zeroth = -np.expm1(-reach)
    first, second = sign * gammainc(2, reach) / rate, 2 * gammainc(3, reach) / rate**2
    return np.stack(
        [weight * zeroth, weight * (log * zeroth + first), weight * (log * (log * zeroth + 2 * first) + second)]
    )


def _end_moments(alpha: Floats, end: Floats, anchor: Floats, sign: float) -> Floats:
    from critnb.criticality.tails.end_terms import end_jet

    log = np.log(end / anchor)
    jet: Floats = sign * end_jet(alpha, end)
    value, slope, bend = jet
    value += 0.5
    moments: Floats = np.stack([value, log * value - slope, log * (log * value - 2 * slope) + bend])
    return np.exp(-alpha * log) * moments


def _partial_sums(alpha: Floats, anchor: Floats, xmax: Floats | None, at: Floats) -> tuple[Floats, Floats]:
    """Return the sums [C, V] of (k/anchor)^-alpha from ``at`` to xmax, and the summand there.

    To some 1e-13 of the sum over the whole support: all that a distance between distributions needs.
    """
    from critnb.criticality.tails.end_terms import end_values

    rate = (alpha - 1)[:, None]
    rate = np.where(np.abs(rate) < _TINY, _TINY, rate)
    log = np.log(at) - np.log(anchor)[:, None]
    steps = anchor[:, None] / at
    if xmax is None:
        power = np.exp(-rate * log)
        mass = power * steps
        return mass * (0.5 + end_values(alpha, at)) + anchor[:, None] * power / rate, mass
    rise = np.expm1(-rate * log)
    mass = (1 + rise) * steps
    log_top = np.log(xmax / anchor)
    top_rise = np.expm1(-rate[:, 0] * log_top)
    top_end = np.exp(-alpha * log_top) * (0.5 - end_values(alpha, xmax[:, None])[:, 0])
    integral = anchor[:, None] * (rise - top_rise[:, None]) / rate
    return integral + (mass * (0.5 + end_values(alpha, at)) + top_end[:, None]), mass


def _sums_beyond(alpha: Floats, start: Floats, xmax: Floats | None, anchor: Floats) -> Floats:
    if xmax is None:
        return _partial_sums(alpha, anchor, xmax, start[:, None])[0][:, 0]
    some = np.minimum(start, xmax)
    return np.where(start <= xmax, _partial_sums(alpha, anchor, xmax, some[:, None])[0][:, 0], 0.0)
