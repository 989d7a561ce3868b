"""Knock-outs and stability from a text: the engines' own numbers, and what bad input gets."""

from __future__ import annotations

import numpy as np
import pytest
from models import loaded, tiny_llama

import critnb
from critnb.canon import Intervention, SpikeDef
from critnb.criticality.knock_outs import Variant
from critnb.errors import DataError, ParamsError
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.stability import stability

TEXTS = [f"The {n}th line of a small corpus: {n} times {n} is {n * n}." for n in range(20)]


@pytest.fixture(scope="module")
def model():
    return loaded(tiny_llama(n_layers=4))


@pytest.fixture(scope="module")
def reference(model):
    return critnb.calibrate(model, TEXTS, seq_len=24, tau0=1.5)


@pytest.fixture(scope="module")
def found(model, reference):
    return critnb.knock_out(model, TEXTS[:9], reference=reference, target_rate=0.02, gain=1.3, seq_len=24)


def test_the_events_put_out_are_those_that_an_extraction_finds(model, reference, found):
    events = critnb.extract(model, TEXTS[:9], reference=reference, target_rate=0.02, gain=1.3, seq_len=24).counts
    assert np.array_equal(found.sums.out[Variant.EVENTS], events[:, :-1].sum(axis=2))
    assert np.array_equal(found.sums.events_next, events[:, 1:].sum(axis=2))
    assert found.events_out == events[:, :-1].sum()
    occupied = events > 0
    assert np.array_equal(found.sums.pairs_before, (occupied[:, :-1] & occupied[:, 1:]).sum(axis=2))


def test_it_prints_as_a_table_with_its_layers(found):
    frame = found.to_frame()
    assert list(frame["name"]) == [
        *("sigma_depth", "at_places", "offspring", "offspring_at_places"),
        *("causal_share", "lost_share", "new_share"),
    ]
    assert "gain 1.3" in repr(found)
    assert found.layers()["layer"].tolist() == [0, 1, 2]
    assert 0 < frame["p"][0] <= 1
    assert found.sigma_depth.ci_low <= found.sigma_depth.value <= found.sigma_depth.ci_high


def test_thresholds_out_of_reach_give_reasons_and_no_numbers(model, reference):
    silent = critnb.knock_out(model, TEXTS[:4], reference=reference, tau=1e6, seq_len=24)
    assert silent.to_frame()["value"].isna().all()
    assert silent.sigma_depth.reason.startswith("no event was put out")
    assert silent.layers()["reason"].notna().all()


def test_one_window_has_values_and_no_intervals(model, reference):
    single = critnb.knock_out(
        model, TEXTS[0][:23], reference=reference, tau=1.5, seq_len=24, spike_def=SpikeDef.SPIKE_TWO_SIDED_ABS
    )
    assert np.isfinite(single.sigma_depth.value)
    assert single.sigma_depth.reason == "one window: no interval"
    still = critnb.stability(model, TEXTS[0][:23], seq_len=24)
    assert np.isfinite(still.exponent.value)
    assert still.exponent.reason == "one window: no interval"


def test_stability_is_that_of_the_engine(model):
    found = critnb.stability(model, TEXTS[:6], gain=0.7, directions=2, seq_len=24, seed=5)
    tokens = critnb.extract(model, TEXTS[:6], tau=9.0, seq_len=24).tokens
    passes = ForwardPasses(model, batch_tokens=10**6)
    setting = Setting(Intervention.MLP_GLOBAL, 0.7)
    again = stability(passes, tokens, setting, directions=2, seed=5, seq_id=np.arange(len(tokens)))
    assert np.allclose(found.log_growth, again.log_growth, atol=1e-4)
    assert found.exponent.value == pytest.approx(again.log_growth.mean(), abs=1e-4)
    assert found.layers()["log_growth"].mean() == pytest.approx(found.exponent.value)
    assert found.step_deviation < 0.01
    assert "gain 0.7" in repr(found)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"target_rate": 0.1, "tau": 2.0}, ParamsError, "target_rate or tau"),
        ({"tau": 2.0, "bootstrap_reps": 1}, ParamsError, "bootstrap_reps"),
        ({"tau": 2.0, "gain": -1.0}, ParamsError, "gain"),
        ({"tau": 2.0, "intervention": "ALL"}, ParamsError, "intervention"),
    ],
)
def test_bad_arguments_are_named(model, wrong, error, message):
    with pytest.raises(error, match=message):
        critnb.knock_out(model, TEXTS[:3], seq_len=24, **wrong)


def test_no_direction_and_one_layer_are_refused(model):
    with pytest.raises(ParamsError, match="directions"):
        critnb.stability(model, TEXTS[:3], seq_len=24, directions=0)
    with pytest.raises(DataError, match="one layer"):
        critnb.knock_out(loaded(tiny_llama(n_layers=1)), TEXTS[:3], tau=2.0, seq_len=24)
