"""Lattices for controls: events at random, under shared rates, persistent along depth, and driven branching.

Each function returns counts uint16 [N, L, T] and is a function of the key alone. Words are keyed by (seed, name, window,
site), so the first n of more windows are the n. Where nothing else is said a site holds Poisson(rate) events, so that it is
active with probability 1 - exp(-rate); factors of the rate that vary have mean one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from critnb.criticality.synthetic.cascades import poisson
from critnb.lattice.randomness import Words, below, words

Counts = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float64]

_LARGEST = int(np.iinfo(np.uint16).max)
_UNIFORM_BITS = np.uint64(11)
_SITES, _WINDOWS = 0, 1


def independent(key: np.uint64, shape: tuple[int, int, int], *, rate: float) -> Counts:
    """Return independent sites."""
    return _events(key, np.full(shape, rate))


def window_rates(key: np.uint64, shape: tuple[int, int, int], *, rate: float, parts: int) -> Counts:
    """Return sites that are independent given each window's rate, a gamma variable of that mean and shape ``parts``.

    Known: the events Y of a window are negative binomial, with mean M = L T rate and variance M + M^2 / parts.
    """
    n = shape[0]
    factor = -np.log(_uniform(_of_windows(key, n, np.arange(parts)))).sum(axis=1) / parts
    return _events(key, np.broadcast_to((rate * factor)[:, None, None], shape))


def hot_first_tokens(key: np.uint64, shape: tuple[int, int, int], *, rate: float, hot: int, factor: float) -> Counts:
    """Return independent sites, whose rate on the first ``hot`` tokens of a window is ``factor`` times the others'."""
    rates = np.where(np.arange(shape[2]) < hot, factor * rate, rate)
    return _events(key, np.broadcast_to(rates, shape))


def token_burst(key: np.uint64, shape: tuple[int, int, int], *, rate: float, length: int, factor: float) -> Counts:
    """Return independent sites with one stretch of tokens a window, at a uniform place, at ``factor`` times the rate.

    Known: where the stretch fits, a window has L rate (T + (factor - 1) length) events on average.
    """
    n, _, tokens = shape
    length = min(length, tokens)
    start = below(_of_windows(key, n, np.arange(1)), tokens - length + 1)
    inside = (np.arange(tokens) >= start) & (np.arange(tokens) < start + length)
    return _events(key, np.broadcast_to(np.where(inside, factor * rate, rate)[:, None, :], shape))


def shared_rate(key: np.uint64, shape: tuple[int, int, int], *, rate: float, phi: float, strength: float) -> Counts:
    """Return sites that are independent given rate exp(s a(t) - s^2 / 2), which all layers of a window share.

    a is a stationary Gaussian AR(1) sequence of unit variance, a(t) = phi a(t-1) + sqrt(1 - phi^2) noise; phi = 0 is an
    effect of each token alone. Known: two sites k tokens apart have covariance rate^2 (exp(s^2 phi^k) - 1).
    """
    n, _, tokens = shape
    noise = ndtri(_uniform(_of_windows(key, n, np.arange(tokens))))
    shared = np.empty_like(noise)
    shared[:, 0] = noise[:, 0]
    for t in range(1, tokens):
        shared[:, t] = phi * shared[:, t - 1] + np.sqrt(1 - phi**2) * noise[:, t]
    factor = np.exp(strength * shared - strength**2 / 2)
    return _events(key, np.broadcast_to(rate * factor[:, None, :], shape))


def fading_effect(key: np.uint64, shape: tuple[int, int, int], *, rate: float, strength: float, reach: float) -> Counts:
    """Return sites that are independent given each token's own effect a(t), which fades with depth.

    The rate at layer l is rate exp(s_l a(t) - s_l^2 / 2), s_l = strength exp(-l / (reach L)), a(t) standard normal.
    Known: sites of one token at layers l and k have covariance rate^2 (exp(s_l s_k) - 1).
    """
    n, layers, tokens = shape
    effect = ndtri(_uniform(_of_windows(key, n, np.arange(tokens))))[:, None, :]
    felt = (strength * np.exp(-np.arange(layers) / (reach * layers)))[:, None]
    return _events(key, rate * np.exp(felt * effect - felt**2 / 2))


def depth_persistence(
    key: np.uint64, shape: tuple[int, int, int], *, density: float, first: float, last: float
) -> Counts:
    """Return sites that keep the state of the layer below with a probability, and are drawn anew otherwise.

    The probability to keep falls evenly from ``first`` to ``last`` with depth. Known: every layer has the same density p,
    tokens are independent, and after an active site the next layer is active with probability p + (1 - p) keep_l.
    """
    layers = shape[1]
    drawn = _site_words(key, shape)
    anew = _uniform(drawn) < density
    keeps = _uniform(words(drawn, 0))
    keep = np.linspace(first, last, max(1, layers - 1))
    active = anew.copy()
    for layer in range(1, layers):
        active[:, layer] = np.where(keeps[:, layer] < keep[layer - 1], active[:, layer - 1], anew[:, layer])
    return active.astype(np.uint16)


def driven_cascades(key: np.uint64, shape: tuple[int, int, int], *, m: float, drive: float) -> Counts:
    """Return branching on the lattice: a site receives Poisson(drive + m/2 x[t-1, l] + m/2 x[t, l-1]) events.

    So every event causes m events on average, half along tokens and half along depth. A window begins 2 L tokens after
    the drive does, when what the first tokens lack is gone. Known: the mean of layer l is
    drive / (1 - m) (1 - r^(l+1)) with r = m / (2 - m), and 2 drive (l + 1) where m = 1, the exactly critical process.
    """
    n, layers, tokens = shape
    before = 2 * layers
    counts = np.zeros((n, layers, before + tokens), dtype=np.uint16)
    words_of = _windows_key(key, n, _SITES)
    level = np.arange(layers)
    events = np.zeros((n, layers))
    for diagonal in range(before + tokens + layers - 1):
        token = diagonal - level
        inside = np.flatnonzero((token >= 0) & (token < before + tokens))
        mean = drive + m / 2 * events
        mean[:, 1:] += m / 2 * events[:, :-1]
        site = words(words_of[:, None], token[inside] * layers + inside)
        drawn = np.minimum(_poisson(mean[:, inside], site), _LARGEST)
        counts[:, inside, token[inside]] = drawn
        events = np.zeros((n, layers))
        events[:, inside] = drawn
    return counts[:, :, before:]


def _events(key: np.uint64, rates: Floats) -> Counts:
    """Return Poisson events at the rates [N, L, T]."""
    return np.minimum(_poisson(rates, _site_words(key, rates.shape)), _LARGEST).astype(np.uint16)


def _poisson(mean: Floats, word: Words) -> npt.NDArray[np.int64]:
    drawn = np.zeros(mean.size, dtype=np.int64)
    some = np.flatnonzero(mean.ravel() > 0)
    drawn[some] = poisson(mean.ravel()[some], word.ravel()[some])
    return drawn.reshape(mean.shape)


def _site_words(key: np.uint64, shape: tuple[int, ...]) -> Words:
    n, layers, tokens = shape
    site = np.arange(tokens) * layers + np.arange(layers)[:, None]
    return words(_windows_key(key, n, _SITES)[:, None, None], site)


def _of_windows(key: np.uint64, n: int, counter: npt.NDArray[np.int64]) -> Words:
    """Return words [N, K] that windows have apart from their sites'."""
    return words(_windows_key(key, n, _WINDOWS)[:, None], counter)


def _windows_key(key: np.uint64, n: int, purpose: int) -> Words:
    return words(words(key, purpose), np.arange(n))


def _uniform(word: Words) -> Floats:
    """Return numbers strictly between 0 and 1."""
    return ((word >> _UNIFORM_BITS).astype(np.float64) + 0.5) * 2.0**-53
