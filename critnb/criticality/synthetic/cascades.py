"""Critical cascades on a token x layer lattice: the reference for what finite depth does to exponents.

A cascade starts with one event. Every event at (t, l) causes Poisson(m_time) events at (t + 1, l) and Poisson(m_depth)
at (t, l + 1); what would fall beyond the last token or layer is lost. A site can hold several events. Since a sum of
independent Poisson variables is one, a site receives Poisson(m_time x[t-1, l] + m_depth x[t, l-1]) events, in one draw.

The draws are the pack's counter-based words, keyed by (seed, cascade, site), and are turned into Poisson variables
here, so that the cascades do not change with a version of numpy, and the first n of more are the n.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from critnb.criticality.sizes.avalanches import Avalanches
from critnb.errors import DataError
from critnb.lattice.randomness import Words, below, root_key, words

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# A block of cascades stays in the cache while its generations pass.
_BLOCK = 1 << 13
# exp(-mean) and the sum of the terms stay exact to rounding up to here; larger means are split into parts.
_LARGEST_MEAN = 32.0
# P(X > 200) at the largest mean is below 1e-80.
_LARGEST_DRAW = 200
_UNIFORM_BITS = np.uint64(11)


def lattice_cascades(n: int, *, n_layers: int, n_tokens: int, m_time: float, m_depth: float, seed: int) -> Avalanches:
    """Return n independent cascades, each from one event at a site drawn uniformly from the lattice.

    size: events; area: sites with an event; seq_id: the number of the cascade, avalanche_id 0; spans and touches_edge
    as of avalanches. Known: with m_time + m_depth = 1 the process is exactly critical, and the size of a cascade that
    no edge cuts off follows the Borel law (``closed_forms.borel_pmf``; a total progeny does not depend on where events
    fall); the spans follow ``closed_forms.cascade_spans``, on any lattice.

    Raises:
        DataError: a negative mean, m_time + m_depth above 1, or an empty lattice.
    """
    if not (min(n_layers, n_tokens) >= 1 and m_time >= 0 and m_depth >= 0 and m_time + m_depth <= 1 + 1e-9):
        raise DataError(
            f"lattice cascades: m_time {m_time:g} and m_depth {m_depth:g} on {n_layers} x {n_tokens} sites; both must "
            "be at least 0 with a sum of at most 1, on at least one site"
        )
    keys = words(root_key(seed, b"lattice_cascades"), np.arange(n))
    blocks = (keys[at : at + _BLOCK] for at in range(0, n, _BLOCK))
    parts = [_cascades(block, (n_layers, n_tokens), m_time, m_depth) for block in blocks]
    size, area, t_min, t_max, l_min, l_max = np.concatenate([np.zeros((6, 0), dtype=np.int64), *parts], axis=1)
    return Avalanches.of_extents(
        np.arange(n, dtype=np.int32),
        np.zeros(n, dtype=np.int32),
        size=size,
        area=area,
        tokens=(t_min, t_max),
        layers=(l_min, l_max),
        shape=(n_layers, n_tokens),
    )


def _cascades(keys: Words, shape: tuple[int, int], m_time: float, m_depth: float) -> Integers:
    """Return size, area, t_min, t_max, l_min, l_max [6, n] of the cascades with these keys on a lattice (layers, tokens).

    All events of one generation lie on one anti-diagonal, t + l constant, so its state is one count per layer.
    """
    n, (n_layers, n_tokens) = len(keys), shape
    layers, sites = np.arange(n_layers), n_layers * n_tokens
    l_min, t_min = below(words(keys, sites), n_layers), below(words(keys, sites + 1), n_tokens)
    size, area, t_max, l_max = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64), t_min.copy(), l_min.copy()
    alive, diagonal = np.arange(n), t_min + l_min
    events = (layers == l_min[:, None]).astype(np.int64)
    while len(alive):
        occupied = events > 0
        size[alive] += events.sum(axis=1)
        area[alive] += occupied.sum(axis=1)
        t_max[alive] = np.maximum(t_max[alive], diagonal - occupied.argmax(axis=1))
        l_max[alive] = np.maximum(l_max[alive], n_layers - 1 - occupied[:, ::-1].argmax(axis=1))
        diagonal += 1
        mean = m_time * events
        mean[:, 1:] += m_depth * events[:, :-1]
        tokens = diagonal[:, None] - layers
        cascade, layer = np.nonzero((mean > 0) & (tokens < n_tokens))
        drawn = words(keys[alive[cascade]], tokens[cascade, layer] * n_layers + layer)
        events = np.zeros_like(events)
        events[cascade, layer] = poisson(mean[cascade, layer], drawn)
        lives = events.any(axis=1)
        alive, diagonal, events = alive[lives], diagonal[lives], events[lives]
    return np.stack([size, area, t_min, t_max, l_min, l_max])


def poisson(mean: Floats, word: Words) -> Integers:
    """Return one Poisson variable for each mean [n] > 0 and word [n], by inversion of the distribution function.

    A mean above 32 is split into equal parts with words of their own, since a sum of Poisson variables is one.
    """
    parts = np.ceil(mean / _LARGEST_MEAN).astype(np.int64)
    if not len(parts) or parts.max() == 1:
        return _inverse(mean, word)
    owner = np.repeat(np.arange(len(mean)), parts)
    part = np.arange(len(owner)) - np.repeat(np.cumsum(parts) - parts, parts)
    drawn = _inverse((mean / parts)[owner], np.where(parts[owner] == 1, word[owner], words(word[owner], part)))
    return np.bincount(owner, weights=drawn, minlength=len(mean)).astype(np.int64)


def _inverse(mean: Floats, word: Words) -> Integers:
    uniform = (word >> _UNIFORM_BITS).astype(np.float64) * 2.0**-53
    drawn = np.zeros(len(mean), dtype=np.int64)
    at = np.arange(len(mean))
    term = np.exp(-mean)
    total = term.copy()
    for count in range(1, _LARGEST_DRAW):
        beyond = uniform >= total
        if not beyond.any():
            break
        at, mean, uniform = at[beyond], mean[beyond], uniform[beyond]
        drawn[at] = count
        term = term[beyond] * mean / count
        total = total[beyond] + term
    return drawn
