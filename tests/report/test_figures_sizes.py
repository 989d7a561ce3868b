"""F12 to F14: figures of exponents, profiles and tails of avalanches, read back from what is drawn."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from report import frames
from report.drawn import all_axes, bars, crosses, draw, full, legend_words, words_in

from critnb.canon import Adjacency, NullId, SizeDef, SpikeDef
from critnb.criticality.tails import Histogram
from critnb.report.figures import ShownProfiles, avalanche_profiles, tail_distributions, threshold_sweep
from critnb.report.figures.f14_tails import survival
from critnb.report.style import Drawing

ONE, TWO = SpikeDef
EXPONENTS = (
    ("tau_S", "tau_S", SizeDef.SIZE_EVENTS, 1.5),
    ("tau_S", "tau_S", SizeDef.SIZE_SITES, 1.5),
    ("alpha_D", "alpha_D", SizeDef.SIZE_EVENTS, 2.0),
    ("crackling_gamma", "crackling", SizeDef.SIZE_EVENTS, 2.0),
    ("crackling_gamma", "crackling", SizeDef.SIZE_SITES, 2.0),
)
LAWS = ("-", "--", "-.", ":")


@pytest.fixture(scope="module")
def t09() -> pd.DataFrame:
    return frames.t09()


@pytest.fixture(scope="module")
def t04() -> pd.DataFrame:
    return frames.t04()


@pytest.fixture(scope="module")
def shown() -> list[Any]:
    return frames.shown_tails()


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return full()


def at(t09: pd.DataFrame, kind: SpikeDef, gains: dict[float, float]) -> pd.DataFrame:
    rows = t09[t09["spike_def_id"] == kind]
    return rows[rows["g"] == rows["target_rate"].map(gains)].sort_values("target_rate")


@pytest.mark.parametrize("kind", SpikeDef)
@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("column", range(5))
def test_f12_draws_both_adjacencies_real_beside_null(drawings, t09, kind, baseline, column) -> None:
    name, stem, size_def, mean_field = EXPONENTS[column]
    axes = all_axes(drawings["F12"])[5 * (2 * list(SpikeDef).index(kind) + baseline) + column]
    gains = {rate: 1.0 if baseline else gain for (of, rate), gain in frames.gstar().items() if of == kind}
    rows = at(t09, kind, gains)
    series = [
        rows[(rows["adjacency"] == adjacency) & (rows["null_id"] == null) & (rows["size_def"] == size_def)]
        for adjacency in Adjacency
        for null in (NullId.NULL_NONE, frames.PERM)
    ]
    drawn = [line for line in axes.lines if line.get_marker() in ("o", "s")]
    np.testing.assert_array_equal([line.get_ydata() for line in drawn], [rows[name] for rows in series])
    ends = [rows[[f"{stem}_ci_low", f"{stem}_ci_high"]] for rows in series]
    np.testing.assert_array_equal(bars(axes), ends)
    assert [line.get_markerfacecolor() == "white" for line in drawn] == [False, True] * 2
    assert [mean_field] * 2 in [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == ":"]


def test_f12_says_whose_values_the_lines_are_and_how_dense_the_lattice_is(drawings, t09) -> None:
    assert "mean-field critical branching, infinite lattice" in legend_words(drawings["F12"])
    labels = [label.get_text() for label in all_axes(drawings["F12"])[0].get_xticklabels()]
    assert [label.split("\n")[0] for label in labels] == ["1", "2", "4", "8"]
    occupancy = [float(label.split("\n")[1].rstrip("%")) / 100 for label in labels]
    np.testing.assert_allclose(occupancy, sorted(set(t09["occupancy"])), rtol=0.05)


@pytest.fixture
def one_kind(t09) -> pd.DataFrame:
    return t09[t09["spike_def_id"] == ONE]


def test_f12_says_why_an_exponent_is_missing(one_kind) -> None:
    reason = "tau_S: 87 values, fewer than 100; gamma: 3 durations are too few"
    lost = one_kind.assign(tau_S=np.nan, crackling_gamma=np.nan, reason=reason)
    panels = all_axes(threshold_sweep(lost, gstar=frames.gstar([ONE])))
    said = [" ".join(words_in(axes).split()) for axes in panels]
    assert said[0] == said[1] == "not available: 87 values, fewer than 100 (at ρ = 8·10⁻⁵)"
    assert said[2] == ""
    assert said[3] == said[4] == "not available: 3 durations are too few (at ρ = 8·10⁻⁵)"


def test_f12_marks_a_missing_point(one_kind) -> None:
    first = (one_kind["target_rate"] == frames.RATES[0]) & (one_kind["null_id"] == frames.PERM)
    drawing = threshold_sweep(one_kind.assign(alpha_D=one_kind["alpha_D"].mask(first)), gstar=frames.gstar([ONE]))
    assert [crosses(axes) for axes in all_axes(drawing)] == [0, 0, 2, 0, 0] * 2


def test_f12_without_a_gain_says_so(one_kind) -> None:
    drawing = threshold_sweep(one_kind[one_kind["g"] != 1.0], gstar={(ONE, frames.RATES[1]): 1.1})
    assert "no value in the table" in words_in(all_axes(drawing)[5])


def test_f12_labels_of_many_rates_stay_apart() -> None:
    rates = tuple(float(f"{1e-5 * 1.4**i:.3g}") for i in range(7))
    drawing = threshold_sweep(frames.t09([ONE], rates, [1.0]), gstar={(ONE, rate): 1.0 for rate in rates})
    canvas = draw(drawing)
    for axes in all_axes(drawing):
        boxes = [label.get_window_extent(canvas) for label in axes.get_xticklabels() if label.get_text()]
        assert len(boxes) == 4
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def profile_panels(drawing: Drawing, condition: int) -> list[Any]:
    """The real profiles and their collapse, then the null's."""
    return all_axes(drawing)[4 * condition : 4 * condition + 4]


@pytest.mark.parametrize("condition", [0, 1])
def test_f13_draws_profiles_and_their_collapse_real_above_null(drawings, condition) -> None:
    one = frames.shown_profiles()[condition]
    panels = profile_panels(drawings["F13"], condition)
    for (left, right), profiles in zip((panels[:2], panels[2:]), (one.real, one.null), strict=True):
        for line, duration, mean in zip(left.lines, profiles.durations, profiles.mean, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), mean[:duration])
            assert np.isfinite(line.get_ydata()).all()
        x, y = profiles.collapsed(one.gamma)
        np.testing.assert_array_equal([line.get_ydata() for line in right.lines], y)
        np.testing.assert_array_equal(right.lines[0].get_xdata(), x)
        assert f"best collapse {profiles.gamma_collapse:.2f}" in right.get_title(loc="left")
    assert panels[0].get_ylim() == panels[2].get_ylim()
    assert panels[1].get_xlim() == panels[3].get_xlim()


def test_f13_durations_grow_lighter_in_grey_and_none_vanishes(drawings) -> None:
    lines = all_axes(drawings["F13"])[0].lines
    grey = [float(np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114))) for line in lines]
    assert (np.diff(grey) > 0).all()
    assert grey[-1] < 0.8


def test_f13_counts_the_avalanches_behind_the_curves(drawings) -> None:
    real = frames.shown_profiles()[0].real
    assert f"{len(real.n)} durations, {real.n.min()} to {real.n.max()} avalanches" in words_in(
        all_axes(drawings["F13"])[0]
    )


def test_f13_without_profiles_or_slope_says_why() -> None:
    one = frames.shown_profiles()[0]
    none = frames.profiles([], gamma=1.0, seed=1)
    few = ShownProfiles(ONE, one.rate, one.g, replace(none, reason="no duration has 20"), one.null, float("nan"))
    drawing = avalanche_profiles([few])
    draw(drawing)
    said = [" ".join(words_in(axes).split()) for axes in profile_panels(drawing, 0)]
    assert said[0] == "not available: no duration has 20"
    assert said[1] == said[3] == "not available: no crackling slope to collapse with"
    assert said[2].startswith("7 durations")
    assert "no gamma" in profile_panels(drawing, 0)[1].get_title(loc="left")


def test_f13_of_nothing_says_so() -> None:
    drawing = avalanche_profiles([])
    draw(drawing)
    assert all("no condition with avalanches" in words_in(axes) for axes in all_axes(drawing))


def test_f13_of_a_single_short_duration_is_drawn() -> None:
    single = frames.profiles([4], gamma=1.2, seed=1)
    drawing = avalanche_profiles([ShownProfiles(TWO, 1e-5, 1.0, single, single, 1.2)])
    draw(drawing)
    assert len(all_axes(drawing)) == 4  # and no scale of colours
    assert words_in(all_axes(drawing)[0]) == f"D = 4, {single.n[0]} avalanches"


def test_survival_by_hand() -> None:
    values, share = survival(Histogram(np.array([1, 2, 7]), np.array([5, 4, 1])))
    assert values.tolist() == [1, 2, 7]
    assert share.tolist() == [1.0, 0.5, 0.1]


@pytest.mark.parametrize("variable", ["sizes", "durations"])
def test_f14_draws_the_shares_of_real_and_null(drawings, shown, variable) -> None:
    one = shown[0]
    axes = all_axes(drawings["F14"])[0 if variable == "sizes" else 4]
    found = {line.get_marker(): line for line in axes.lines}
    for marker, which in (("o", "real"), ("s", "null")):
        sample = getattr(one, f"{which}_{variable}")
        np.testing.assert_array_equal(found[marker].get_xdata(), sample.values)
        at_least = [sample.counts[sample.values >= value].sum() / sample.n for value in sample.values]
        np.testing.assert_allclose(found[marker].get_ydata(), at_least)


def test_f14_draws_each_law_from_xmin_scaled_to_the_tails_share(drawings, shown, t04) -> None:
    axes = all_axes(drawings["F14"])[0]
    row, real = t04.iloc[0], shown[0].real_sizes
    laws = [line for line in axes.lines if line.get_marker() == "None" and len(line.get_xdata()) > 2]
    tail = real.counts[real.values >= row["xmin"]].sum() / real.n
    assert len(laws) == 4
    for line in laws:
        assert line.get_xdata()[0] == row["xmin"]
        assert line.get_ydata()[0] == pytest.approx(tail)
    k = np.arange(3, 50_001.0)
    power, exponential = laws[0], laws[3]
    masses = [k ** -row["alpha_powerlaw"], np.exp(-row["lambda_exponential"] * k)]
    for line, mass in zip((power, exponential), masses, strict=True):
        at_10 = line.get_ydata()[line.get_xdata() == 10].item()
        assert at_10 == pytest.approx(tail * mass[k >= 10].sum() / mass.sum(), rel=1e-6)
    assert [row["xmin"]] * 2 in [list(line.get_xdata()) for line in axes.lines]


def test_f14_writes_exponent_and_p(drawings) -> None:
    panels = all_axes(drawings["F14"])
    assert words_in(panels[0]) == "α 2.20 [2.12, 2.28]\nKS: α 2.25, p 0.31"
    assert words_in(panels[4]) == "α 2.60 [2.12, 2.28]\nKS: α 2.70, p 0.004"


def test_f14_words_stand_above_the_data(shown, t04) -> None:
    long = t04.assign(alpha_powerlaw=np.nan, opt_reason="only 87 values from the smallest size on, fewer than 100")
    drawing = tail_distributions(shown[:1], long)
    canvas = draw(drawing)
    for axes in all_axes(drawing):
        assert axes.texts[0].get_window_extent(canvas).y0 > axes.transData.transform((1.0, 0.999))[1]


def test_f14_without_a_fit_draws_the_data_and_says_why(shown, t04) -> None:
    lost = t04.assign(alpha_powerlaw=np.nan, opt_available=False, opt_reason="87 values, fewer than 100")
    axes = all_axes(tail_distributions(shown[:1], lost))
    assert " ".join(words_in(axes[0]).split()) == "no fit: 87 values, fewer than 100"
    assert [line.get_marker() for line in axes[0].lines] == ["s", "o"]
    assert "α 2.60" in words_in(axes[1])


def test_f14_without_a_ks_fit_says_so(shown, t04) -> None:
    axes = all_axes(tail_distributions(shown[:1], t04.assign(opt_ks_alpha=np.nan, opt_D_ks_p=np.nan)))
    assert words_in(axes[0]).endswith("KS: not available")
    assert words_in(axes[1]).endswith("KS: α 2.70, no p")


def test_f14_without_avalanches_or_condition_says_so(shown, t04) -> None:
    empty = Histogram(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    one = replace(shown[0], real_sizes=empty, null_durations=empty)
    drawing = tail_distributions([one, shown[1], shown[4]], t04)
    draw(drawing)
    panels = [" ".join(words_in(axes).split()) for axes in all_axes(drawing)]
    assert panels[0] == "not available: no avalanches"
    assert panels[2].startswith("α")
    assert panels[5] == panels[7] == "not available: this condition is not in the run"
    draw(tail_distributions([], t04))


def test_f14_of_single_events_only_is_drawn(shown, t04) -> None:
    ones = Histogram(np.array([1]), np.array([12]))
    one = replace(shown[0], real_sizes=ones, null_sizes=ones, real_durations=ones, null_durations=ones)
    drawing = tail_distributions([one], t04)
    draw(drawing)
    assert all(axes.get_xlim()[0] < 1 < axes.get_xlim()[1] for axes in all_axes(drawing))
