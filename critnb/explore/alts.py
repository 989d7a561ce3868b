"""What the pictures show, in words, for those who do not see them."""

from __future__ import annotations

import math

from critnb.criticality.tails import Histogram
from critnb.explore.curves import QUANTITIES, BranchingCurves, SizeCurves
from critnb.explore.state import ExplorerState
from critnb.report.figures import panels
from critnb.report.words import counted, interval_words


def branching_words(curves: BranchingCurves) -> str:
    """Return what the three panels of branching show: the selection, its null, and the course over the gain."""
    here = ", ".join(
        f"{name} {curves.here[name]:.3f}" + _null(curves.null_here.get(name, math.nan)) for name in QUANTITIES
    )
    said = [f"Branching over the gain in three panels. At the selected gain {curves.gain:g}: {here}."]
    gains, values = panels.column(curves.rows, "g"), panels.column(curves.rows, "b_tot")
    if len(gains):
        said.append(
            f"With the gain on the MLP b_tot goes from {values[0]:.3f} at {gains[0]:g} to {values[-1]:.3f} at {gains[-1]:g}; "
            f"its smallest is {values.min():.3f}, its largest {values.max():.3f}."
        )
    if curves.gstar is not None:
        said.append(f"g* is {curves.gstar:g}.")
    return " ".join(said)


def _null(value: float) -> str:
    return "" if math.isnan(value) else f" (null {value:.3f})"


def sizes_words(curves: SizeCurves, picked_size: int | None) -> str:
    """Return what the panel of sizes shows: how many avalanches, how large, in the null too, and the fitted power law."""
    said = f"Sizes of all windows' avalanches, P(S ≥ s) on logarithmic axes: {_extent(curves.real)}"
    if curves.null is not None:
        said += f"; in the null {_extent(curves.null)}"
    said += "."
    if curves.fitted:
        alpha = curves.alpha
        said += f" Power law from s ≥ {alpha.xmin:.0f}: α = {interval_words(alpha.value, alpha.low, alpha.high, 2)}."
    return said + ("" if picked_size is None else f" The picked avalanche has {counted(picked_size, 'event')}.")


def _extent(sizes: Histogram) -> str:
    if not sizes.n:
        return "no avalanches"
    return f"{counted(sizes.n, 'avalanche')}, the largest of {counted(int(sizes.values[-1]), 'event')}"


def gain_words(state: ExplorerState, gain: float) -> str:
    """Return a gain of the grid, and whether it is g*."""
    return f"{gain:g} = g*" if gain == state.gstar() else f"{gain:g}"
