"""K01 to K03: what the estimators find on inputs whose answer is known, drawn over that answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.canon import Adjacency
from critnb.criticality import closed_forms as known
from critnb.criticality.multistep import Multistep
from critnb.criticality.synthetic import Runs
from critnb.report.figures import panels
from critnb.report.figures.panels import Floats
from critnb.report.style import GREY, INK, OKABE_ITO, Drawing, Ink, Scope, canvas, inks, styled

_SYNTHETIC = Scope()
_HEIGHT = 2.5
_FOUND, _TAIL = Ink(OKABE_ITO[0], "o"), {"color": GREY, "linestyle": (0, (3, 2)), "linewidth": 0.8}
_EXACT: dict[str, Any] = {"color": INK, "linewidth": 0.9}
_LONGEST = 40
_SHOWN_LAGS = 40
_WORDS = {Adjacency.ADJ_4N: "four neighbours", Adjacency.ADJ_8N: "eight neighbours"}


def cluster_numbers(clusters: pd.DataFrame) -> Drawing:
    """Return K01 of rows (adjacency, density, size, found, error, exact): clusters per site over the density."""
    looks = inks(clusters["size"])
    with styled():
        figure, body = canvas(_HEIGHT)
        grid = body.subplots(1, len(_WORDS), sharey=True, squeeze=False)[0]
        for axes, (adjacency, words) in zip(grid, _WORDS.items(), strict=True):
            axes.set_yscale("log")
            of_panel = clusters[clusters["adjacency"] == adjacency]
            for size, ink in looks.items():
                rows = of_panel[of_panel["size"] == size]
                if len(rows):
                    _clusters_of(axes, adjacency, int(size), rows, ink)
            lowest = clusters["exact"].min() / 2
            axes.set(ylim=(lowest, 0.2), title=words, xlabel="density p of occupied sites")
        grid[0].set_ylabel("clusters per site")
        handles = [
            panels.line_handle(f"{size} site{'s' if size > 1 else ''}", color=ink.color, marker=ink.marker)
            for size, ink in looks.items()
        ]
        panels.legend_below(body, handles, columns=len(handles))
    return Drawing(figure, _CLUSTERS_CAPTION, _SYNTHETIC)


def _clusters_of(axes: Any, adjacency: Adjacency, size: int, rows: pd.DataFrame, ink: Ink) -> None:
    density, found, error = (panels.column(rows, name) for name in ("density", "found", "error"))
    fine = np.linspace(density.min(), density.max(), 200)
    axes.plot(fine, known.clusters_per_site(fine, adjacency)[size - 1], color=ink.color, linewidth=0.9)
    _points(axes, density, found, error, ink)


def critical_branching(runs: Runs) -> Drawing:
    """Return K02: sizes, durations and mean sizes of runs of critical branching, over the exact laws."""
    with styled():
        figure, body = canvas(_HEIGHT)
        sizes, durations, means = body.subplots(1, 3)
        _sizes(sizes, runs.sizes)
        _durations(durations, runs.durations)
        _mean_sizes(means, runs)
        handles = [
            panels.line_handle("found, ± 2 standard errors", color=_FOUND.color, marker="o", linestyle="none"),
            panels.line_handle("exact", **_EXACT),
            panels.line_handle("the power law it tends to", **_TAIL),
        ]
        panels.legend_below(body, handles, columns=3)
    return Drawing(figure, _BRANCHING_CAPTION, _SYNTHETIC)


def _sizes(axes: Any, sizes: npt.NDArray[np.int64]) -> None:
    """Single sizes up to ten, then bins of equal width in log size: the mean share of a size of the bin."""
    _log_log(axes, "size S (events)", "P(S)", "sizes: P tends to S$^{-3/2}$")
    edges = np.unique(np.concatenate([np.arange(1, 11), np.geomspace(11, 1001, 14).astype(np.int64)]))
    width = np.diff(edges)
    share = np.histogram(sizes, bins=edges)[0] / len(sizes)
    n = np.arange(1, 1001)
    axes.plot(n, known.borel_pmf(n), **_EXACT)
    axes.plot(n, n**-known.MEAN_FIELD.tau / np.sqrt(2 * np.pi), **_TAIL)
    places = np.sqrt(edges[:-1] * (edges[1:] - 1.0))
    _points(axes, places, share / width, np.sqrt(share / len(sizes)) / width, _FOUND)


def _durations(axes: Any, durations: npt.NDArray[np.int64]) -> None:
    _log_log(axes, "duration D (generations)", "P(D)", "durations: P tends to D$^{-2}$")
    places = np.arange(1.0, _LONGEST + 1)
    share = np.bincount(durations, minlength=_LONGEST + 1)[1 : _LONGEST + 1] / len(durations)
    axes.plot(places, known.poisson_branching_durations(_LONGEST), **_EXACT)
    axes.plot(places, 2 * places**-known.MEAN_FIELD.alpha, **_TAIL)
    _points(axes, places, share, np.sqrt(share / len(durations)), _FOUND)


def _mean_sizes(axes: Any, runs: Runs) -> None:
    _log_log(axes, "duration D (generations)", "E[S | D] (events)", "mean sizes: tend to D$^{2}$")
    places = np.arange(1.0, _LONGEST + 1)
    of_duration = [runs.sizes[runs.durations == d] for d in range(1, _LONGEST + 1)]
    mean = np.array([sizes.mean() if len(sizes) else np.nan for sizes in of_duration])
    error = np.array([sizes.std() / np.sqrt(len(sizes)) if len(sizes) else np.nan for sizes in of_duration])
    exact = known.mean_size_by_duration(_LONGEST)
    axes.plot(places, exact, **_EXACT)
    axes.plot(places, places**known.MEAN_FIELD.gamma / 6, **_TAIL)
    _points(axes, places, mean, error, _FOUND)


def subsampling(found: Mapping[tuple[float, float], tuple[Multistep, Floats]], *, m: float) -> Drawing:
    """Return K03 of regressions by (m, share of events seen), each with the standard errors of its slopes [K].

    Left the slopes of one m over the lag, right all m against the truth.
    """
    with styled():
        figure, body = canvas(_HEIGHT)
        slopes, parameters = body.subplots(1, 2, width_ratios=(1.25, 1))
        looks = inks(p for _, p in found)
        for p, ink in looks.items():
            _slopes(slopes, *found[m, p], m, p, ink)
        _parameters(parameters, found, looks)
        handles = [
            panels.line_handle(f"{p:.0%} of the events seen", color=ink.color, marker=ink.marker, linestyle="none")
            for p, ink in looks.items()
        ]
        handles.append(panels.line_handle("exact", **_EXACT))
        handles.append(
            panels.line_handle("naive: slope r₁ as m", color=GREY, linestyle="none", **panels.OPEN, marker="o")
        )
        panels.legend_below(body, handles, columns=4)
    return Drawing(figure, _SUBSAMPLING_CAPTION, _SYNTHETIC)


def _slopes(axes: Any, fit: Multistep, errors: Floats, m: float, p: float, ink: Ink) -> None:
    lags = fit.lags[:_SHOWN_LAGS].astype(np.float64)
    axes.plot(lags, known.subsampled_slopes(lags, m=m, p=p), **_EXACT)
    _points(axes, lags, fit.r[:_SHOWN_LAGS], errors[:_SHOWN_LAGS], ink)
    axes.set(
        title=f"m = {m:g}: slopes $r_k$ of activity k steps on", xlabel="lag k (steps)", ylabel="regression slope $r_k$"
    )


def _parameters(
    axes: Any, found: Mapping[tuple[float, float], tuple[Multistep, Floats]], looks: Mapping[float, Ink]
) -> None:
    axes.plot([0, 1], [0, 1], **_EXACT)
    for place, (p, ink) in enumerate(looks.items()):
        fits = {m: fit for (m, seen), (fit, _) in found.items() if seen == p}
        truth = np.array(list(fits)) + 0.006 * (2 * place - 1)
        m, low, high, r1 = np.array([(fit.m, fit.m_ci_low, fit.m_ci_high, fit.r1) for fit in fits.values()]).T
        axes.plot(truth, r1, color=ink.color, linestyle="none", **(panels.OPEN | {"marker": ink.marker}))
        axes.vlines(truth, low, high, color=ink.color, linewidth=0.9)
        axes.plot(truth, m, color=ink.color, marker=ink.marker, linestyle="none", markeredgewidth=0)
    axes.set(
        xlim=(0.45, 1.02), ylim=(0, 1.05), title="all m: found against true", xlabel="true m", ylabel="estimate of m"
    )


def _points(axes: Any, x: Floats, y: Floats, error: Floats, ink: Ink) -> None:
    """Draw points with two standard errors; a bar that a logarithmic axis cannot hold ends a decade below its point."""
    bar = np.where(y - 2 * error > 0, y - 2 * error, y / 10) if axes.get_yscale() == "log" else y - 2 * error
    shown = y > 0 if axes.get_yscale() == "log" else np.isfinite(y)
    axes.vlines(x[shown], bar[shown], (y + 2 * error)[shown], color=ink.color, linewidth=0.9, alpha=0.75)
    axes.plot(x[shown], y[shown], color=ink.color, marker=ink.marker, linestyle="none", markeredgewidth=0)


def _log_log(axes: Any, xlabel: str, ylabel: str, title: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel, title=title)


_CLUSTERS_CAPTION = (
    "Avalanches of independent sites: connected components per site of a periodic box, by number of sites. Points: "
    "found, with ± 2 standard errors (most are smaller than the points). Lines: the exact numbers, which count lattice "
    "animals by their empty neighbours. Nothing here is critical, and large components become frequent with density all "
    "the same: that is why every avalanche statistic is shown beside its null."
)
_BRANCHING_CAPTION = (
    "Critical branching: every event causes Poisson(1) events of the next generation, until none is left. Points: found in "
    "independent runs. Solid: the exact laws (sizes: Borel). Dashed: the power laws with exponents 3/2, 2 and 2 that they "
    "tend to. At short durations the exact laws are not yet on them, so an exactly critical process of few generations "
    "shows other exponents."
)
_SUBSAMPLING_CAPTION = (
    "Branching process with a constant drive, all or a tenth of its events seen. Left: regression slopes over the lag with "
    "± 2 standard errors, and the exact r_k = b m^k; seeing less lowers b and leaves the decay. Right: m of the multistep "
    "regression (filled, with 95 % bootstrap intervals) and the slope r₁ that a naive estimate reports (open), against the "
    "true m."
)
