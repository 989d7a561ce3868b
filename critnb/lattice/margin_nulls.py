"""The null that keeps both margins of a window: how many tokens each layer is active at, and how many layers each token.

Occupancies with given margins have no direct draw; a chain of trades reaches them. A trade takes two layers and deals the
tokens at which exactly one of them is active out anew (Strona et al. 2014, Nature Communications 5, 4114); a global trade
pairs all layers at random and trades within each pair (Carstens, Berger and Strona 2018, arXiv 1609.05137). Either is a draw
from the uniform law conditioned on all that it leaves alone, so the chain is symmetric and its law uniform.

MARGIN_TRADES global trades lead from the real window to a hub, and as many lead from there to each replicate. Real window
and replicates are then alike draws from the hub where the null holds, so that p-values are exact however well the chain
mixes (Besag and Clifford 1989, Biometrika 76, 633); mixing decides how far the mean over replicates may lie from the law's.
"""

from __future__ import annotations

import numpy as np

from critnb.canon import CANON
from critnb.lattice.bits import Bits, pack, unpack
from critnb.lattice.planes import Counts
from critnb.lattice.randomness import Words, words
from critnb.lattice.raster import Occupancy
from critnb.lattice.row_nulls import rows_kept
from critnb.lattice.source import DrawBits, DrawCounts, Sequences, Source, occupied_first, site_words

# the word of a window's stream that is the key of its hub: no replicate has this number
_HUB = 1 << 63


def fixed_margins(source: Source) -> DrawCounts:
    """Draw an occupancy with the window's margins, and lay the counts of each row on its new sites in random order."""
    bits, in_order, tokens = fixed_margins_bits(source), occupied_first(source.counts), source.counts.shape[-1]
    return lambda sequence, keys: _laid(in_order[sequence], unpack(bits(sequence, keys), tokens), words(keys, 1))


def fixed_margins_bits(source: Source) -> DrawBits:
    """Draw occupancies with the margins of the window: MARGIN_TRADES global trades from its hub."""
    from critnb.lattice import kernels

    trades, hubs = CANON.CONST.MARGIN_TRADES, pack(source.counts > 0)
    kernels.trade_planes(hubs, trades, words(source.keys, _HUB))

    def draw(sequence: Sequences, keys: Words) -> Bits:
        planes = hubs[sequence]
        kernels.trade_planes(planes, trades, words(keys[:, 0, 0], 0))
        return planes

    return draw


def margins_kept(real: Source, null: Counts) -> bool:
    """Say whether every row of the null holds the counts of the real row, and every token as many active layers."""
    return rows_kept(real, null) and np.array_equal((real.counts > 0).sum(axis=1), (null > 0).sum(axis=1))


def _laid(in_order: Counts, occupied: Occupancy, keys: Words) -> Counts:
    """Lay the counts of each row, those above zero first, on its occupied sites in ascending order of their words."""
    drawn = site_words(keys, *in_order.shape[1:])
    order = np.lexsort((drawn, ~occupied), axis=-1)
    laid = np.empty_like(in_order)
    np.put_along_axis(laid, order, in_order, axis=-1)
    return laid
