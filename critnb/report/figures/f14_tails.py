"""F14: how sizes and durations are distributed at g*, beside the permutation null and the laws fitted to the tail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, SliceRole, SpikeDef
from critnb.criticality.tails import Histogram
from critnb.report.figures import panels
from critnb.report.figures.panels import Floats
from critnb.report.figures.tail_curves import cutoff_survival, lognormal_survival, support
from critnb.report.style import FAINT, GREY, INK, Drawing, Scope, canvas, styled
from critnb.report.words import SPIKE_NAMES


@dataclass(frozen=True, eq=False)
class ShownTails:
    """One condition of F14: all avalanches of its raster and of one permutation replicate, as counted sizes and durations."""

    spike_def: SpikeDef
    rate: float
    g: float
    real_sizes: Histogram
    null_sizes: Histogram
    real_durations: Histogram
    null_durations: Histogram


@dataclass(frozen=True)
class _Variable:
    """Sizes or durations: real and null of a condition, how T04 prefixes their columns, and both axes' labels."""

    samples: Callable[[ShownTails], tuple[Histogram, Histogram]]
    base: str
    further: str
    label: str
    upwards: str


_VARIABLES = (
    _Variable(lambda one: (one.real_sizes, one.null_sizes), "", "opt_", "size s (events)", "P(S ≥ s)"),
    _Variable(
        lambda one: (one.real_durations, one.null_durations), "opt_D_", "opt_D_", "duration d (tokens)", "P(D ≥ d)"
    ),
)


@dataclass(frozen=True)
class Law:
    """One fitted law: its name, its parameters' columns, its curve on the support's points, and how it is drawn."""

    words: str
    columns: tuple[str, ...]
    curve: Callable[..., Floats]
    look: dict[str, Any]


LAWS = (
    Law(
        "power law",
        ("alpha_powerlaw",),
        lambda k, alpha: cutoff_survival(k, alpha=alpha, rate=0.0),
        {"color": "#0072B2", "linestyle": "-"},
    ),
    Law(
        "power law with cutoff",
        ("cutoff_alpha", "cutoff_lambda"),
        lambda k, alpha, rate: cutoff_survival(k, alpha=alpha, rate=rate),
        {"color": "#D55E00", "linestyle": (0, (5, 2))},
    ),
    Law(
        "lognormal",
        ("lognorm_mu", "lognorm_sigma"),
        lambda k, mu, sigma: lognormal_survival(k, mu=mu, sigma=sigma),
        {"color": "#009E73", "linestyle": (0, (5, 1.5, 1, 1.5))},
    ),
    Law(
        "exponential",
        ("lambda_exponential",),
        lambda k, rate: cutoff_survival(k, alpha=0.0, rate=rate),
        {"color": "#CC79A7", "linestyle": (0, (1, 1.2))},
    ),
)
_REAL: dict[str, Any] = {"linestyle": "none", "color": INK, "marker": "o", "mew": 0, "markersize": 2.4}
_NULL: dict[str, Any] = {
    "linestyle": "none",
    "color": GREY,
    "marker": "s",
    "mew": 0.5,
    "markersize": 2.6,
    "mfc": "white",
}
# The share of a panel's height that a line of its words takes.
_LINE = 0.1
_MOST_TICKS = 5
_WORDS: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 6, "linespacing": 1.15}
_NOTE = (
    "α: exponent of the drawn power law with its 95 % interval. KS: exponent and goodness-of-fit p of the power law from "
    "the KS-optimal xmin, edge-touching avalanches left out; a small p speaks against a power law, a large one does not "
    f"speak for it. Where one is not available, {CANON.TABLE.T04_TAIL_FITS} says why."
)
_CAPTION = (
    "Share of avalanches at least that large (S, events) or long (D, tokens) at g* on A_raster, on logarithmic axes: real "
    "raster (points) beside one replicate of its permutation null (open), which has the same density. Lines: four laws "
    "fitted to the real tail by maximum likelihood on the same support, drawn from xmin (upright line, the "
    f"{CANON.CONST.TAIL_FIT_XMIN_PERCENTILE:g} quantile) and scaled to the tail's share. A good fit of a tail "
    "never implies criticality: independent sites alone give tails that look like power laws. " + _NOTE
)


def tail_distributions(shown: Sequence[ShownTails], t04: pd.DataFrame) -> Drawing:
    """Return F14: a column per target rate, for every spike definition a row of sizes and one of durations."""
    found = {(one.spike_def, one.rate): one for one in shown}
    kinds = panels.in_order(kind for kind, _ in found) or panels.spike_defs(t04)
    rates = sorted({rate for _, rate in found} or set(t04["target_rate"]))
    rows = [(kind, variable) for kind in kinds for variable in _VARIABLES]
    with styled():
        figure, body = canvas(0.7 + 1.6 * len(rows) * panels.n_blocks(rates), notes=[_NOTE])
        labels = [f"{SPIKE_NAMES[kind]}\n{variable.upwards}" for kind, variable in rows]
        for rate, of_rate in panels.rate_columns(body, rates, labels, xlabel="").items():
            for axes, (kind, variable) in zip(of_rate, rows, strict=True):
                axes.set_xlabel(variable.label)
                _panel(axes, found.get((kind, rate)), variable, t04)
        panels.legend_below(body, _handles(), columns=4)
    return Drawing(figure, _CAPTION, Scope(SliceRole.A_raster, tuple(kinds), tuple(rates)))


def _panel(axes: Any, one: ShownTails | None, variable: _Variable, t04: pd.DataFrame) -> None:
    if one is None:
        panels.unavailable(axes, "this condition is not in the run")
        return
    real, null = variable.samples(one)
    if not real.n:
        panels.unavailable(axes, "no avalanches")
        return
    row = t04[(t04["spike_def_id"] == one.spike_def) & (t04["target_rate"] == one.rate) & (t04["g"] == one.g)]
    fit = _Fit(row, variable)
    if fit.available:
        _laws(axes, real, fit)
    axes.plot(*survival(null), **_NULL)
    axes.plot(*survival(real), **_REAL)
    words = fit.words(axes)
    _scales(axes, [sample for sample in (real, null) if sample.n], free=_LINE * (1.5 + words.count("\n")))
    axes.text(0.98, 0.97, words, color=INK if fit.available else GREY, **_WORDS, transform=axes.transAxes)


def _scales(axes: Any, samples: Sequence[Histogram], *, free: float) -> None:
    """Make both axes logarithmic and leave the upper ``free`` share of the panel to words."""
    largest = max(int(sample.values[-1]) for sample in samples)
    lowest = 0.5 / max(sample.n for sample in samples)
    axes.set(
        xscale="log", yscale="log", xlim=(0.85, max(4.0, 1.6 * largest)), ylim=(lowest, lowest ** (-1 / (1 / free - 1)))
    )
    decades = int(np.floor(-np.log10(lowest)))
    axes.set_yticks(10.0 ** -np.arange(0, decades + 1, 1 + decades // _MOST_TICKS))
    axes.minorticks_off()


def survival(sample: Histogram) -> tuple[Floats, Floats]:
    """Return the distinct values [U] and the share [U] of the sample that is at least each."""
    at_least = np.cumsum(sample.counts[::-1])[::-1]
    return sample.values.astype(np.float64), at_least / max(sample.n, 1)


@dataclass(frozen=True, eq=False)
class _Fit:
    """What T04 says of one condition's sizes or durations; NaN and a reason where it says nothing."""

    row: pd.DataFrame
    variable: _Variable

    def __getitem__(self, name: str) -> float:
        for prefix in (self.variable.base, self.variable.further):
            if len(self.row) and f"{prefix}{name}" in self.row.columns:
                return float(self.row[f"{prefix}{name}"].iloc[0])
        return float("nan")

    @property
    def available(self) -> bool:
        """Whether there is a power law to draw."""
        return bool(np.isfinite(self["alpha_powerlaw"]) and self["xmin"] >= 1)

    def words(self, axes: Any) -> str:
        """Return the panel's small legend: exponent and p, or the reasons why not."""
        if not self.available:
            return panels.broken(axes, f"no fit: {self._reason()}")
        ends = self["alpha_powerlaw_ci_low"], self["alpha_powerlaw_ci_high"]
        error = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if np.isfinite(ends).all() else ""
        if not np.isfinite(self["ks_alpha"]):
            return f"α {self['alpha_powerlaw']:.2f}{error}\nKS: not available"
        p = f", p {self['ks_p']:.2g}" if np.isfinite(self["ks_p"]) else ", no p"
        return f"α {self['alpha_powerlaw']:.2f}{error}\nKS: α {self['ks_alpha']:.2f}{p}"

    def _reason(self) -> str:
        name = f"{self.variable.further}reason"
        stated = str(self.row[name].iloc[0]) if len(self.row) and name in self.row.columns else ""
        return stated or "not in the table"


def _laws(axes: Any, real: Histogram, fit: _Fit) -> None:
    """Draw each law on the support, scaled to the share of the sample that lies there, up to the largest values."""
    points = support(fit["xmin"], fit["xmax"])
    values, share = survival(real)
    tail = float(share[np.searchsorted(values, fit["xmin"])]) if values[-1] >= fit["xmin"] else 0.0
    axes.axvline(fit["xmin"], color=FAINT, linewidth=0.9, zorder=0.5)
    reached = points <= 1.6 * values[-1]
    for law in LAWS:
        parameters = [fit[name] for name in law.columns]
        if np.isfinite(parameters).all():
            axes.plot(points[reached], tail * law.curve(points, *parameters)[reached], linewidth=0.9, **law.look)


def _handles() -> list[Any]:
    return [
        panels.line_handle("real", **_REAL),
        panels.line_handle("permutation null", **_NULL),
        *(panels.line_handle(law.words, linewidth=0.9, **law.look) for law in LAWS),
        panels.line_handle("xmin", color=FAINT, linewidth=0.9),
    ]
