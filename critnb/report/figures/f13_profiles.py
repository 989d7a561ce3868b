"""F13: the mean course of avalanches of each duration, and whether one exponent brings all courses together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.ticker import NullFormatter, NullLocator

from critnb.canon import SliceRole, SpikeDef
from critnb.criticality.sizes.profiles import Profiles
from critnb.report.figures import panels
from critnb.report.style import GREY, Drawing, Scope, canvas, styled


@dataclass(frozen=True, eq=False)
class ShownProfiles:
    """One condition of F13: the profiles of its raster and of one permutation replicate, and its crackling slope gamma."""

    spike_def: SpikeDef
    rate: float
    g: float
    real: Profiles
    null: Profiles
    gamma: float


_TICKS = 6
_CAPTION = (
    "Mean temporal profiles on A_raster at the highest target rate of each spike definition: s(t, D), the mean events at "
    "token t of avalanches that last D tokens, for every D with enough avalanches that touch no edge of the window; dark: "
    "short, light: long. Left: as measured. Right: over t/D and divided by D^(gamma − 1), gamma the slope of log mean size "
    "on log duration of the real raster. At criticality all curves of a panel fall on one. Lower panels of each pair: one "
    "replicate of the permutation null, scaled with the same gamma; independent sites collapse too where both panels look "
    "alike. In the titles on the right: gamma, and the exponent that makes each panel collapse best."
)


def avalanche_profiles(shown: Sequence[ShownProfiles]) -> Drawing:
    """Return F13: for every condition shown the real profiles above those of its permutation null."""
    with styled():
        figure, body = canvas(0.5 + 2.9 * max(1, len(shown)))
        grid = body.subplots(2 * max(1, len(shown)), 2, squeeze=False)
        if not shown:
            for axes in grid.flat:
                panels.unavailable(axes, "no condition with avalanches")
        colours = _Colours.of(shown)
        for i, condition in enumerate(shown):
            _condition(grid[2 * i : 2 * i + 2], condition, colours)
        for axes, label in zip(
            grid[-1], ("token t since the avalanche's first", "t / D (share of the duration)"), strict=True
        ):
            axes.set_xlabel(label)
        colours.draw_bar(body, grid)
        body.align_ylabels()
    kinds = tuple(panels.in_order(one.spike_def for one in shown))
    return Drawing(figure, _CAPTION, Scope(SliceRole.A_raster, kinds, tuple(sorted({one.rate for one in shown}))))


@dataclass(frozen=True, eq=False)
class _Colours:
    """A colour per duration from dark to light, the same in every panel; ``durations`` ascending."""

    durations: list[int]
    scale: ScalarMappable

    @classmethod
    def of(cls, shown: Sequence[ShownProfiles]) -> _Colours:
        durations = sorted({int(d) for one in shown for kind in (one.real, one.null) for d in kind.durations})
        low, high = (durations[0], durations[-1]) if durations else (1, 2)
        # The lightest yellow of the map would vanish on white.
        inks = ListedColormap(mpl.colormaps["cividis"](np.linspace(0.0, 0.88, 256)))
        return cls(durations, ScalarMappable(LogNorm(low, max(high, low + 1)), inks))

    def draw_bar(self, body: Any, grid: Any) -> None:
        """Draw the scale of durations beside the panels, labelled at a few of them; one duration needs none."""
        if len(self.durations) < 2:
            return
        bar = body.colorbar(self.scale, ax=grid, aspect=40, pad=0.01, label="duration D (tokens)")
        places = np.unique(np.round(np.geomspace(self.durations[0], self.durations[-1], _TICKS)))
        bar.set_ticks(places, labels=[f"{place:.0f}" for place in places])
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.outline.set_visible(False)


def _condition(pair: Any, condition: ShownProfiles, colours: _Colours) -> None:
    """Fill the 2 x 2 panels of one condition, real above null, the panels of a column on one vertical scale."""
    for (left, right), profiles, word in zip(
        pair, (condition.real, condition.null), ("real", "permutation null"), strict=True
    ):
        _profiles(left, profiles, colours)
        _collapse(right, profiles, condition.gamma, colours)
        left.set_ylabel(f"{word}\ns(t, D) (events)")
        right.set_ylabel("s(t, D) D^(1 − gamma)\n(events)")
        right.set_title(_title(profiles, condition.gamma))
    pair[0][0].set_title(
        f"{panels.SPIKE_WORDS[condition.spike_def]}, {panels.rate_label(condition.rate)}, g = {condition.g:g}"
    )
    for column in pair.T:
        _same_scales([axes for axes in column if axes.lines])


def _same_scales(column: Sequence[Any]) -> None:
    for axes in column:
        axes.set_xlim(0, max(1.0, *(1.02 * other.dataLim.x1 for other in column)))
        axes.set_ylim(0, 1.2 * max(other.dataLim.y1 for other in column))


def _title(profiles: Profiles, gamma: float) -> str:
    numbers = {"gamma": gamma, "best collapse": profiles.gamma_collapse}
    return ", ".join(f"{name} {x:.2f}" if np.isfinite(x) else f"no {name}" for name, x in numbers.items())


def _profiles(axes: Any, profiles: Profiles, colours: _Colours) -> None:
    if not len(profiles.durations):
        panels.unavailable(axes, profiles.reason or "no duration has enough avalanches")
        return
    for duration, mean in zip(profiles.durations, profiles.mean, strict=True):
        shown = mean[:duration]
        axes.plot(np.arange(duration), shown, color=colours.scale.to_rgba(duration), marker=".", mew=0, linewidth=0.9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    n = profiles.n
    words = f"D = {profiles.durations[0]}, {n[0]} avalanches"
    if len(n) > 1:
        words = f"{len(n)} durations, {n.min()} to {n.max()} avalanches each"
    axes.text(0.99, 0.97, words, ha="right", va="top", color=GREY, fontsize=6.5, transform=axes.transAxes)


def _collapse(axes: Any, profiles: Profiles, gamma: float, colours: _Colours) -> None:
    if not len(profiles.durations) or not np.isfinite(gamma):
        panels.unavailable(
            axes, "no profiles to collapse" if np.isfinite(gamma) else "no crackling slope to collapse with"
        )
        return
    x, curves = profiles.collapsed(gamma)
    for duration, y in zip(profiles.durations, curves, strict=True):
        axes.plot(x, y, color=colours.scale.to_rgba(duration), linewidth=0.9)
