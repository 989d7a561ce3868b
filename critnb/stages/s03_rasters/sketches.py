"""What S03's notebook shows as a picture: where on held-out windows events fall, over layers and over tokens."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from critnb.canon import CANON, Intervention, SpikeDef
from critnb.lattice import Raster
from critnb.pipeline.session import StageSession
from critnb.report.figures.panels import SPIKE_INKS, SPIKE_WORDS, Floats
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import INK

_BASELINE = CANON.CONST.GAIN_BASELINE
_CAPTION = (
    "Events on A_raster at the model's own gain. Left: the rate of each layer as a multiple of its target, the mean over target "
    "rates and their range; the threshold was fitted on A_cal, where this is one. Right: events per window and token at the "
    "highest target rate, all layers together."
)


def where(stage: StageSession, raster: Raster, thresholds: pd.DataFrame) -> Sketch:
    """Return the picture of held-out rates over layers and of events over tokens."""
    is_own = (thresholds["gain"] == _BASELINE) & (thresholds["intervention_id"] == str(Intervention.MLP_GLOBAL))
    own = thresholds[is_own].assign(ratio=lambda rows: rows["achieved_rate_raster"] / rows["target_layer_rate"])
    seen = []
    with sheet(2.5) as figure:
        left, right = figure.subplots(1, 2)
        left.axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
        for name, rows in own.groupby("spike_def_id"):
            kind = SpikeDef(str(name))
            ink, ratio = SPIKE_INKS[kind], rows.groupby("layer")["ratio"].agg(["mean", "min", "max"])
            left.vlines(ratio.index, ratio["min"], ratio["max"], color=ink.color, linewidth=0.9, alpha=0.75)
            left.plot(ratio.index, ratio["mean"], color=ink.color, marker=ink.marker, label=SPIKE_WORDS[kind])
            right.plot(_over_tokens(raster, kind), color=ink.color, linewidth=0.8)
            seen.append(
                f"{SPIKE_WORDS[kind].partition(' (')[0]} rates of layers are {rows['ratio'].min():.2f} to "
                f"{rows['ratio'].max():.2f} times their targets"
            )
        left.set(xlabel="layer", ylabel="held-out rate / target rate")
        right.set(xlabel="token of the window", ylabel="events per window and token")
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.set_ylim(bottom=0)
        left.legend()
        files = (CANON.OUTPUT.TAU_RATE_MATCHED_PARQUET_BASENAME, CANON.OUTPUT.RASTER_NPZ_BASENAME)
        return sketch(figure, caption=_CAPTION, alt=f"{'; '.join(seen)}.", sources=tuple(map(stage.file, files)))


def _over_tokens(raster: Raster, spike_def: SpikeDef) -> Floats:
    """Return events per window [T] at gain 1 and the highest rate, over all layers."""
    of_kind = raster.conditions.where(intervention_id=Intervention.MLP_GLOBAL, spike_def_id=spike_def, gain=_BASELINE)
    place = max(of_kind, key=lambda i: raster.conditions[i].target_rate)
    counts = raster.counts[place]
    over_tokens: Floats = counts.sum(axis=(0, 1), dtype=np.int64) / len(counts)
    return over_tokens
