"""What S04's notebook shows as a picture: b_tot of the real rasters beside what each null gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from critnb.canon import CANON, Intervention, NullId, SpikeDef, Stage
from critnb.lattice import null_of
from critnb.pipeline.artifacts import NullSamples
from critnb.pipeline.session import StageSession
from critnb.report.figures import panels
from critnb.report.figures.panels import Floats
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import GREY, OKABE_ITO

_LOW, _HIGH = 0.025, 0.975
_CAPTION = (
    "b_tot at the model's own gain (line) and under each raster null: 2.5 % to 97.5 % of the replicates, and their mean. A line "
    "to the right of a bar is more branching than the null has."
)


def compared(stage: StageSession, samples: NullSamples) -> Sketch:
    """Return the picture of every condition of S03 at gain 1 under MLP_GLOBAL beside its nulls."""
    run = stage.upstream(Stage.S03)
    own = _own(run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME)))
    kinds, rates = panels.spike_defs(own), sorted(own["target_rate"].unique())
    with sheet(0.5 + (0.45 + 0.2 * len(samples)) * len(kinds)) as figure:
        grid = figure.subplots(len(kinds), len(rates), sharey=True, sharex="col", squeeze=False)
        for cond_id, kind, rate, b_tot in own[["cond_id", "spike_def_id", "target_rate", "b_tot"]].itertuples(
            index=False
        ):
            replicates = {null_id: sample.ratios("b_tot")[cond_id] for null_id, sample in samples.items()}
            _panel(grid[kinds.index(SpikeDef(kind))][rates.index(rate)], b_tot, replicates)
        for axes, rate in zip(grid[0], rates, strict=True):
            axes.set_title(panels.rate_label(rate))
        for axes, kind in zip(grid[:, 0], kinds, strict=True):
            axes.set_ylabel(panels.SHORT_SPIKE_WORDS[kind])
        for axes in grid[-1]:
            axes.set_xlabel("b_tot")
        source = stage.file(CANON.OUTPUT.NULL_REPLICATES_PARQUET_BASENAME)
        return sketch(figure, caption=_CAPTION, alt=_seen(samples, own), sources=(source,))


def _own(metrics: pd.DataFrame) -> pd.DataFrame:
    return metrics[metrics["is_g1"] & (metrics["intervention_id"] == str(Intervention.MLP_GLOBAL))]


def _panel(axes: Any, b_tot: float, replicates: Mapping[NullId, Floats]) -> None:
    axes.axvline(b_tot, color=OKABE_ITO[1], linewidth=1.4)
    for height, values in enumerate(replicates.values()):
        if len(values) and np.isfinite(values).all():
            low, high = np.quantile(values, [_LOW, _HIGH])
            axes.hlines(height, low, high, color=GREY, linewidth=3)
            axes.plot(values.mean(), height, color=GREY, marker="|", markersize=8)
    axes.set_yticks(range(len(replicates)), [null_of(null_id).name for null_id in replicates])
    axes.set_ylim(len(replicates) - 0.5, -0.5)


def _seen(samples: NullSamples, own: pd.DataFrame) -> str:
    said = []
    for null_id, sample in samples.items():
        replicates = sample.ratios("b_tot")
        conditions = zip(own["cond_id"], own["b_tot"], strict=True)
        above = sum(b_tot > np.quantile(replicates[i], _HIGH) for i, b_tot in conditions if len(replicates[i]))
        said.append(f"{null_of(null_id).name} in {above}")
    return f"Of {len(own)} conditions at gain 1, b_tot lies right of 97.5 % of the replicates of: {', '.join(said)}."
