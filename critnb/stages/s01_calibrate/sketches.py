"""What S01's notebook shows as a picture: how the units of each layer spread, and how often each layer is extreme."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from critnb.canon import CANON
from critnb.events import Calibration, RateTargets
from critnb.pipeline.session import StageSession
from critnb.report.figures.panels import SPIKE_INKS, SPIKE_WORDS
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import OKABE_ITO

_CAPTION = (
    "Left: the standard deviation sigma of the MLP units of each layer, median and 5 % to 95 % of the units. Right: the share of "
    "values above tau0, the base rate, whose proportions the target rates keep."
)


def spread(stage: StageSession, calibration: Calibration, targets: RateTargets) -> Sketch:
    """Return the picture of sigma and base rates over the layers."""
    layers = np.arange(len(calibration.sigma))
    low, middle, high = np.quantile(calibration.sigma, [0.05, 0.5, 0.95], axis=1)
    with sheet(2.4) as figure:
        left, right = figure.subplots(1, 2)
        left.fill_between(layers, low, high, color=OKABE_ITO[0], alpha=0.2, linewidth=0)
        left.plot(layers, middle, color=OKABE_ITO[0], marker="o")
        left.set_ylabel("sigma of a unit")
        for kind, base in targets.base.items():
            right.plot(
                layers, base, color=SPIKE_INKS[kind].color, marker=SPIKE_INKS[kind].marker, label=SPIKE_WORDS[kind]
            )
        right.set_ylabel(f"share of values above tau0 = {targets.tau0:g}")
        for axes in (left, right):
            axes.set_xlabel("layer")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylim(bottom=0)
        right.legend()
        seen = [
            f"{SPIKE_WORDS[kind].partition(' (')[0]} base rates run from {base.min():.2g} in layer {base.argmin()} to "
            f"{base.max():.2g} in layer {base.argmax()}"
            for kind, base in targets.base.items()
        ]
        alt = f"Median sigma runs from {middle.min():.3g} to {middle.max():.3g} over {len(layers)} layers; {'; '.join(seen)}."
        files = (CANON.OUTPUT.CALIBRATION_STATS_NPZ_BASENAME, CANON.OUTPUT.RATE_TARGETS_JSON_BASENAME)
        return sketch(figure, caption=_CAPTION, alt=alt, sources=tuple(map(stage.file, files)))
