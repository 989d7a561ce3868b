"""Target rates on a logarithmic axis: ticks at the rates themselves, counted in one power of ten, and series side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from critnb.report.figures import panels
from critnb.report.figures.panels import Floats


def rate_axis(axes: Any, rates: Iterable[float], *, notes: Sequence[str] = (), labels: int = 8) -> None:
    """Make the axis logarithmic with a tick per rate, counted in ``rate_unit``, and the notes as a second line.

    Of more rates than ``labels`` only every second, third, ... is labelled.
    """
    distinct = np.unique(np.fromiter(rates, dtype=np.float64))
    words = [f"{rate / rate_unit(distinct):.3g}" for rate in distinct]
    lines = [f"{word}\n{note}" for word, note in zip(words, notes, strict=True)] if notes else words
    every = -(-len(distinct) // labels)
    margin = np.exp(0.6 * _log_step(distinct))
    axes.set_xscale("log")
    axes.set_xlim(distinct[0] / margin, distinct[-1] * margin)
    axes.set_xticks(distinct, [line if i % every == 0 else "" for i, line in enumerate(lines)])
    axes.set_xticks([], minor=True)


def rate_unit(rates: Iterable[float]) -> float:
    """Return the power of ten of the smallest rate, in which the axis counts."""
    return float(10.0 ** np.floor(np.log10(min(rates)) + 1e-9))


def rate_axis_label(rates: Iterable[float]) -> str:
    """Return the label of an axis that ``rate_axis`` made."""
    return f"target rate ρ ({panels.power_of_ten(rate_unit(rates)).removeprefix('1·')} events/unit/token)"


def spread(rates: Floats, series: int, n_series: int, *, width: float) -> Floats:
    """Set the rates [R] of one of several series aside on a logarithmic axis; ``width``: all series', in rate steps."""
    offset = (series - (n_series - 1) / 2) / max(n_series - 1, 1)
    beside: Floats = rates * np.exp(width * offset * _log_step(rates))
    return beside


def step_factor(rates: Floats, steps: float) -> float:
    """Return what a rate is multiplied by to stand so many rate steps to the right."""
    return float(np.exp(steps * _log_step(rates)))


def _log_step(rates: Floats) -> float:
    distinct = np.unique(rates)
    return float(np.diff(np.log(distinct)).min()) if len(distinct) > 1 else float(np.log(2.0))
