"""The control lattices: each against what is known of its law, and their words against the pack's rules for draws."""

import numpy as np
import pytest

from critnb.canon import ControlId
from critnb.criticality.branching import branching_sums
from critnb.criticality.synthetic import CONTROLS, NETWORKS, control_lattices, described
from critnb.errors import DataError

KEY = np.uint64(7)
RATE = 0.15


def near(values, known):
    """Whether the mean over windows, the first axis, is within five standard errors of what is known."""
    values = np.asarray(values, dtype=np.float64)
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return np.abs(values.mean(axis=0) - known) <= 5 * error


def test_every_id_has_its_control_and_both_kinds_are_there():
    assert [*CONTROLS, *NETWORKS] == list(ControlId)
    assert {control.positive for control in CONTROLS.values()} == {True, False}
    assert [described(id_).positive for id_ in NETWORKS] == [False, True]


@pytest.mark.parametrize("control_id", list(CONTROLS))
def test_windows_are_keyed_one_by_one_and_rasters_by_their_number(control_id):
    draw = CONTROLS[control_id].draw
    few, many = draw(3, layers=5, tokens=40, seed=1), draw(8, layers=5, tokens=40, seed=1)
    assert few.dtype == np.uint16
    np.testing.assert_array_equal(few, many[:3])
    for other in (draw(8, layers=5, tokens=40, seed=2), draw(8, layers=5, tokens=40, seed=1, number=1)):
        assert not np.array_equal(many, other)


@pytest.mark.parametrize("control_id", list(CONTROLS))
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 9), (2, 6, 1)])
def test_a_lattice_of_one_row_or_one_token_is_drawn(control_id, shape):
    n, layers, tokens = shape
    assert CONTROLS[control_id].draw(n, layers=layers, tokens=tokens, seed=1).shape == shape


def test_an_empty_lattice_is_refused():
    with pytest.raises(DataError, match="empty"):
        CONTROLS[ControlId.INDEPENDENT_SITES].draw(0, layers=2, tokens=2, seed=1)


def test_controls_whose_density_is_chosen_are_as_dense_as_a_small_model_s_rasters():
    of_chance = [control for control in CONTROLS.values() if control.id is not ControlId.DRIVEN_SUBCRITICAL]
    for control in of_chance:
        if not control.positive:
            assert 0.1 < (control.draw(96, layers=8, tokens=128, seed=1) > 0).mean() < 0.2, control.id


def test_independent_sites_are_poisson():
    counts = control_lattices.independent(KEY, (400, 6, 50), rate=RATE)
    assert near((counts > 0).mean(axis=(1, 2)), 1 - np.exp(-RATE))
    assert near(counts.mean(axis=(1, 2)), RATE)
    assert near((counts == 2).mean(axis=(1, 2)), np.exp(-RATE) * RATE**2 / 2)


@pytest.mark.slow
def test_events_of_a_window_at_gamma_rates_are_negative_binomial():
    counts = control_lattices.window_rates(KEY, (20_000, 4, 50), rate=RATE, parts=4)
    events = counts.sum(axis=(1, 2), dtype=np.float64)
    mean = RATE * 4 * 50
    assert near(events, mean)
    assert near((events - mean) ** 2, mean + mean**2 / 4)


def test_the_first_tokens_are_hot_and_no_other():
    counts = control_lattices.hot_first_tokens(KEY, (500, 6, 40), rate=RATE, hot=4, factor=8)
    known = 1 - np.exp(-np.where(np.arange(40) < 4, 8 * RATE, RATE))
    assert near((counts > 0).mean(axis=1), known).all()


def test_a_burst_is_one_stretch_of_tokens_somewhere():
    counts = control_lattices.token_burst(KEY, (800, 6, 40), rate=RATE, length=8, factor=5)
    assert near(counts.sum(axis=(1, 2)), 6 * RATE * (40 + 4 * 8))
    sure = control_lattices.token_burst(KEY, (300, 6, 40), rate=1e-9, length=8, factor=1e11).any(axis=1)
    assert (sure.sum(axis=1) == 8).all()
    assert (np.count_nonzero(np.diff(sure.astype(int), axis=1, prepend=0, append=0), axis=1) == 2).all()
    # every start from 0 to 32 is as likely
    assert near(sure.argmax(axis=1), 16)
    assert {0, 32} <= set(sure.argmax(axis=1))


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_layers_that_share_a_log_normal_rate_have_its_covariance(phi):
    strength = 0.6
    counts = control_lattices.shared_rate(KEY, (6000, 3, 24), rate=RATE, phi=phi, strength=strength).astype(float)
    assert near(counts.mean(axis=(1, 2)), RATE)
    centred = counts - RATE
    assert near((centred[:, 0] * centred[:, 1]).mean(axis=1), RATE**2 * (np.exp(strength**2) - 1))
    for lag in (1, 5):
        known = RATE**2 * (np.exp(strength**2 * phi**lag) - 1)
        assert near((centred[:, 0, :-lag] * centred[:, 2, lag:]).mean(axis=1), known)


def test_an_effect_of_tokens_fades_with_depth():
    counts = control_lattices.fading_effect(KEY, (4000, 5, 30), rate=RATE, strength=1.2, reach=0.5).astype(float)
    felt = 1.2 * np.exp(-np.arange(5) / 2.5)
    centred = counts - RATE
    for one, other in ((0, 1), (0, 4), (3, 4)):
        known = RATE**2 * (np.exp(felt[one] * felt[other]) - 1)
        assert near((centred[:, one] * centred[:, other]).mean(axis=1), known)
    assert near((centred[:, 0, :-1] * centred[:, 1, 1:]).mean(axis=1), 0)


def test_what_stays_along_depth_has_the_branching_of_its_chain():
    density, keep = 0.2, np.array([0.9, 0.7, 0.5])
    counts = control_lattices.depth_persistence(KEY, (900, 4, 40), density=density, first=0.9, last=0.5)
    assert near(counts.mean(axis=2), density).all()
    sums = branching_sums(counts)
    known = (density + (1 - density) * keep).mean()
    assert near(sums.depth_pairs - known * sums.depth_sites, 0)
    assert near(sums.time_pairs - density * sums.time_sites, 0)


@pytest.mark.parametrize(("m", "drive"), [(0.5, 0.27), (0.95, 0.01), (1.0, 0.01)])
def test_driven_branching_has_its_mean_in_every_layer(m, drive):
    layers = 6
    counts = control_lattices.driven_cascades(KEY, (1500, layers, 20), m=m, drive=drive)
    level = np.arange(layers) + 1
    ratio = m / (2 - m)
    stationary = 2 * drive * level if m == 1 else drive / (1 - m) * (1 - ratio**level)
    assert near(counts.mean(axis=2), stationary).all()
    assert near(counts[:, :, 0], stationary).all()


def test_driven_branching_gives_a_site_what_its_two_predecessors_cause():
    m, drive = 0.8, 0.05
    counts = control_lattices.driven_cascades(KEY, (1500, 5, 20), m=m, drive=drive).astype(float)
    at, before, below = counts[:, 1:, 1:], counts[:, 1:, :-1], counts[:, :-1, 1:]
    cause = drive + m / 2 * (before + below)
    # given the past a site is Poisson: nothing else tells of its mean or its variance
    for of_past in (np.ones_like(at), before, below, counts[:, :-1, :-1]):
        assert near(((at - cause) * of_past).mean(axis=(1, 2)), 0)
        assert near((((at - cause) ** 2 - cause) * of_past).mean(axis=(1, 2)), 0)
