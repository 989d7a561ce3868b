"""Pictures that are no files of a run, and what figures are said to be drawn from."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd

from critnb.canon import CANON, NullId, SpikeDef
from critnb.lattice import RASTER_NULLS
from critnb.report.links import Link
from critnb.report.sketch import sheet, sketch
from critnb.report.sources import SOURCES
from critnb.stages.s02_gain_grid import sketches as of_s02
from critnb.stages.s04_nulls import sketches as of_s04

ONE_SIDED = str(SpikeDef.SPIKE_ONE_SIDED_POS)


def stage(**more) -> SimpleNamespace:
    """What a view asks of its stage: where a file is, and what the tests of that view put in its place."""
    return SimpleNamespace(file=lambda name: Link(name, f"../results/{name}"), **more)


def test_every_figure_of_the_registry_says_what_it_is_drawn_from():
    assert set(SOURCES) == {name for _, name in CANON.FIGURE}


def test_a_sketch_is_the_same_bytes_and_loads_nothing():
    def drawn() -> bytes:
        with sheet(1.0) as figure:
            figure.subplots().plot([1, 2], [3, 5])
            return sketch(figure, caption="c", alt="rises from 3 to 5").svg

    assert drawn() == drawn()
    assert not re.search(rb"\d{4}-\d\d-\d\d|matplotlib v|<script|href=.http", drawn())


def test_the_curves_of_the_gain_grid_are_told_in_words():
    rows = [
        {"spike_def_id": ONE_SIDED, "target_rate": rate, "gain": gain, "b_time": b, "b_depth": b, "b_tot": 2 * b}
        for rate, gain, b in [(1e-4, 0.8, 0.1), (1e-4, 1.2, 0.2), (1e-3, 0.8, 0.5), (1e-3, 1.2, 0.25)]
    ]
    shown = of_s02.curves(stage(), pd.DataFrame(rows))
    assert "0.20 to 0.40 at rate 0.0001, 0.50 to 1.00 at rate 0.001" in shown.alt
    assert [link.words for link in shown.sources] == [CANON.OUTPUT.METRICS_PARQUET_BASENAME]


def test_the_picture_of_the_nulls_counts_what_lies_beyond_them():
    """Real 0.5 beside replicates that are all below, all above, or even from 0.1 to 0.9."""
    replicates = [np.linspace(0.1, 0.4, 200), np.linspace(0.6, 0.9, 200), np.linspace(0.1, 0.9, 200)]
    samples = {
        null_id: SimpleNamespace(ratios=lambda _, r=r: [None, r])
        for null_id, r in zip(RASTER_NULLS, replicates, strict=False)
    }
    row = {"spike_def_id": ONE_SIDED, "target_rate": 1e-4, "b_tot": 0.5, "intervention_id": "MLP_GLOBAL"}
    metrics = pd.DataFrame([{**row, "cond_id": 0, "is_g1": False}, {**row, "cond_id": 1, "is_g1": True}])
    run = SimpleNamespace(result=str, parquet=lambda _: metrics)
    alt = of_s04.compared(stage(upstream=lambda _: run), samples).alt
    names = [RASTER_NULLS[NullId(each)].name for each in samples]
    counted = f"{names[0]} in 1, {names[1]} in 0, {names[2]} in 0."
    assert alt == f"Of 1 conditions at gain 1, b_tot lies right of 97.5 % of the replicates of: {counted}"
