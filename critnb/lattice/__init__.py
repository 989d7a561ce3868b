"""The token x layer lattice: rasters of event counts, the conditions on their first axis, and their nulls.

Everything here is numpy on arrays [C, N, L, T], or a loop compiled by numba; random numbers are counter-based, so that
every part of every null can be made alone. The room knows nothing of models, statistics or files.
"""

from critnb.lattice.conditions import Condition, ConditionTable
from critnb.lattice.drawing import (
    bit_blocks,
    draw_null,
    marginals_exact,
    null_raster,
    null_when_asked,
    why_not_drawn,
)
from critnb.lattice.nulls import ALL_NULLS, PRIMARY, RASTER_NULLS, SECONDARY, WITHOUT_TOKENS, RasterNull, null_of
from critnb.lattice.planes import HeldPlanes, Planes
from critnb.lattice.raster import Raster, concatenate, from_planes
from critnb.lattice.token_shuffle import token_shuffle_order

__all__ = [
    "ALL_NULLS",
    "PRIMARY",
    "RASTER_NULLS",
    "SECONDARY",
    "WITHOUT_TOKENS",
    "Condition",
    "ConditionTable",
    "HeldPlanes",
    "Planes",
    "Raster",
    "RasterNull",
    "bit_blocks",
    "concatenate",
    "draw_null",
    "from_planes",
    "marginals_exact",
    "null_of",
    "null_raster",
    "null_when_asked",
    "token_shuffle_order",
    "why_not_drawn",
]
