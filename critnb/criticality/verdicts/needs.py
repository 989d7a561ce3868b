"""What criteria ask for beside one raster and its nulls: on a raster alone these are not available."""

from __future__ import annotations

from collections.abc import Mapping

from critnb.canon import Criterion

NOT_OF_A_RASTER: Mapping[Criterion, str] = {
    Criterion.S2_SUSCEPTIBILITY: "asks for a grid of gains and for shuffled tokens",
    Criterion.S6_KNOCK_OUT: "asks for a model whose events can be put out",
    Criterion.X2_NO_SUSCEPTIBILITY_PEAK: "asks for a grid of gains",
    Criterion.X3_WORD_ORDER_IRRELEVANT: "asks for shuffled tokens",
    Criterion.X5_DEPENDS_ON_SPIKE_DEF: "asks for two spike definitions",
}
