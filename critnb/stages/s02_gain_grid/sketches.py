"""What S02's notebook shows as a picture: branching over the gain at matched rates."""

from __future__ import annotations

import pandas as pd

from critnb.canon import CANON, Stage
from critnb.pipeline.session import StageSession
from critnb.report.figures import panels
from critnb.report.sketch import Sketch, sheet, sketch
from critnb.report.style import INK, inks

_NAMES = {"b_time": "b_time (along tokens)", "b_depth": "b_depth (along layers)", "b_tot": "b_tot"}
_CAPTION = (
    "Branching ratios on A_cal over the MLP gain, at rates that are matched anew at every gain. Dotted: b_tot = 1. A ratio rises "
    f"with the rate, whatever the structure; how far it lies above its nulls is asked in {Stage.S05}."
)


def curves(stage: StageSession, shown: pd.DataFrame) -> Sketch:
    """Return the picture of the rows of ``work.curve``."""
    kinds, looks = panels.spike_defs(shown), inks(shown["target_rate"])
    with sheet(0.6 + 1.7 * len(kinds)) as figure:
        labels = {"xlabel": panels.GAIN_LABEL, "ylabel": "successors/site"}
        grid = panels.kind_rows(figure, kinds, list(_NAMES.values()), **labels)
        for axes_row, kind in zip(grid, kinds, strict=True):
            for axes, name in zip(axes_row, _NAMES, strict=True):
                panels.baseline(axes)
                for rate, ink in looks.items():
                    rows = panels.select(shown, kind, rate)
                    axes.plot(rows["gain"], rows[name], color=ink.color, marker=ink.marker, markeredgewidth=0)
                panels.gain_axis(axes, shown["gain"])
            axes_row[-1].axhline(1.0, color=INK, linewidth=0.8, linestyle=":")
        panels.legend_below(figure, [*panels.rate_handles(looks), panels.unity_handle()], columns=5)
        return sketch(
            figure, caption=_CAPTION, alt=_seen(shown), sources=(stage.file(CANON.OUTPUT.METRICS_PARQUET_BASENAME),)
        )


def _seen(shown: pd.DataFrame) -> str:
    ends = shown.groupby("target_rate")["b_tot"].agg(["min", "max"])
    said = [f"{low:.2f} to {high:.2f} at rate {rate:g}" for rate, low, high in ends.itertuples()]
    return f"b_tot over the gains and both spike definitions: {', '.join(said)}."
