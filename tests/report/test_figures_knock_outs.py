"""F15 and F16: what is drawn is what the table says, and what is not available says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report import frames
from report.drawn import all_axes, bars, legend_words, titled, words_in

from critnb.canon import GCondition
from critnb.report import figures
from critnb.report.schema import T10

LAYERS = 7
MEASURED = ("sigma_depth", "sigma_depth_places", "delta_b_depth", "causal_share", "lyapunov")


def t10(*, gstar: float = 1.1, **changed) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        [(str(kind), rate, str(g), 1.0 if g is GCondition.g1 else gstar)
         for kind in frames.KINDS for rate in frames.RATES for g in GCondition],
        columns=["spike_def_id", "target_rate", "g_condition", "g"],
    )  # fmt: skip
    for name in MEASURED:
        rows[name] = rng.normal(0.1, 0.05, len(rows))
        rows[f"{name}_ci_low"], rows[f"{name}_ci_high"] = rows[name] - 0.02, rows[name] + 0.03
    return frames.filled(T10, rows.assign(**changed))


def by_layer(table: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    keys = table[["spike_def_id", "target_rate"]].drop_duplicates()
    rows = keys.merge(pd.DataFrame({"layer": range(LAYERS)}), how="cross")
    rows["sigma_depth"] = rng.normal(0.0, 0.1, len(rows))
    return rows.assign(sigma_depth_ci_low=rows["sigma_depth"] - 0.02, sigma_depth_ci_high=rows["sigma_depth"] + 0.02)


def exponents(gains, **changed) -> pd.DataFrame:
    values = -0.05 - 0.02 * np.asarray(gains)
    rows = pd.DataFrame({"g": gains, "lyapunov": values, "beyond_first": values + 0.03})
    for name in ("lyapunov", "beyond_first"):
        rows[f"{name}_ci_low"], rows[f"{name}_ci_high"] = rows[name] - 0.004, rows[name] + 0.004
    return rows.assign(lyapunov_reason="").assign(**changed)


def metrics(table: pd.DataFrame) -> pd.DataFrame:
    t01 = frames.t01()
    chosen = table[table["g_condition"] == "gstar"].set_index(["spike_def_id", "target_rate"])["g"]
    keys = zip(t01["spike_def_id"], t01["target_rate"], strict=True)
    return t01.rename(columns={"g": "gain"}).assign(is_gstar=[chosen[key] for key in keys] == t01["g"])


@pytest.mark.parametrize("gstar", [1.1, 1.0])
def test_intervals_of_f15_are_those_of_the_table(gstar):
    table = t10(gstar=gstar)
    drawing = figures.knockouts(table, by_layer(table))
    first = table[table["spike_def_id"] == str(frames.KINDS[0])]
    # where g* = 1 both are one condition, drawn once
    shown = first if gstar != 1.0 else first[first["g_condition"] == "gstar"]
    for name, title in (("sigma_depth", "σ_depth (events"), ("delta_b_depth", "Δb_depth"), ("causal_share", "causal")):
        ends = np.concatenate([each for each in bars(titled(drawing, title)) if len(each)])
        expected = shown[[f"{name}_ci_low", f"{name}_ci_high"]].to_numpy()
        np.testing.assert_allclose(np.sort(ends, axis=0), np.sort(expected, axis=0))
    assert ("g* = 1: one condition" in legend_words(drawing)) == (gstar == 1.0)


def test_f15_shows_every_layer_below_the_last():
    table = t10()
    layers = by_layer(table)
    drawn = bars(titled(figures.knockouts(table, layers), "σ_depth at g*"))
    assert [len(each) for each in drawn] == [LAYERS] * len(frames.RATES)


def test_what_f15_cannot_show_says_why():
    gone = ("sigma_depth", "sigma_depth_places", "causal_share")
    nothing = {name: np.nan for stem in gone for name in (stem, f"{stem}_ci_low", f"{stem}_ci_high")}
    table = t10(reason="no event was put out", causal_share_reason="no excess", **nothing)
    drawing = figures.knockouts(table, by_layer(table).iloc[:0])
    said = " ".join(words_in(axes) for axes in all_axes(drawing)).replace("\n", " ")
    assert said.count("no event was put out") == 2 * 2
    assert said.count("no excess") == 2


def test_f16_draws_the_exponent_of_every_gain_above_zero_s_line():
    table, gains = t10(), list(frames.GAINS)
    drawing = figures.stability(exponents(gains), metrics(table), table)
    top = titled(drawing, "Lyapunov")
    (curve, later) = (line for line in top.lines if len(line.get_xdata()) == len(gains))
    np.testing.assert_allclose(curve.get_ydata(), exponents(gains)["lyapunov"])
    np.testing.assert_allclose(later.get_ydata(), exponents(gains)["beyond_first"])
    assert any(np.all(np.asarray(line.get_ydata()) == 0) for line in top.lines)
    # each rate at g1 and at g*
    assert [len(each) for each in bars(titled(drawing, "σ_depth, one"))] == [2] * len(frames.RATES)


def test_f16_names_both_exponents_and_holds_every_point_within_its_panels():
    table, gains = t10(gstar=max(frames.GAINS)), list(frames.GAINS)
    drawing = figures.stability(exponents(gains), metrics(table), table)
    assert {"exponent, all layers", "without the first layer"} <= set(legend_words(drawing))
    axes = titled(drawing, "σ_depth, one")
    left, right = axes.get_xlim()
    room = 0.02 * (right - left)
    places = np.concatenate(
        [np.atleast_1d(line.get_xdata()) for line in axes.lines if line.get_marker() not in ("", "None")]
    )
    assert left + room < places.min() < places.max() < right - room


def test_the_open_points_of_f15_stand_beside_the_filled_ones():
    table = t10()
    axes = titled(figures.knockouts(table, by_layer(table)), "σ_depth (events")
    points = {True: [], False: []}
    for line in axes.lines:
        if len(line.get_xdata()) == len(frames.RATES) and line.get_marker() in ("o", "D"):
            points[line.get_markerfacecolor() == "white"].append(np.asarray(line.get_xdata()))
    assert len(points[True]) == len(points[False]) == 2
    assert all((beside > filled).all() for beside, filled in zip(points[True], points[False], strict=True))


def test_f16_of_a_model_without_exponents_says_why():
    nothing = dict.fromkeys(("lyapunov", "lyapunov_ci_low", "lyapunov_ci_high", "beyond_first"), np.nan)
    table = t10()
    drawing = figures.stability(exponents([1.0], lyapunov_reason="it vanished", **nothing), metrics(table), table)
    assert "it vanished" in words_in(all_axes(drawing)[0])
