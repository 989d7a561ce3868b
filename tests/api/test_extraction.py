"""Events of activations and of texts, against a plain twin that sorts all of v."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models import loaded, save, tiny_llama

import critnb
from critnb.canon import CANON, Intervention, SpikeDef
from critnb.errors import DataError, DependencyError, ParamsError
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.model.forward import ForwardPasses, Setting

ONE, TWO = SpikeDef
TAU0, RATE = 1.5, 0.02
TEXTS = [f"The {n}th line of a small corpus: {n} times {n} is {n * n}." for n in range(40)]


@pytest.fixture(scope="module")
def model():
    return loaded(tiny_llama())


def activations(seed: int, n: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, size=(n, 30, 3, 16)).astype(np.float32) * np.arange(1, 17)


def score(u, like, spike_def):
    z = (u.astype(np.float64) - like.mean((0, 1), np.float64)) / (like.std((0, 1), np.float64) + CANON.CONST.EPS)
    return z if spike_def is ONE else np.abs(z)


@pytest.mark.parametrize("spike_def", [ONE, TWO])
@pytest.mark.parametrize("held_out", [False, True])
def test_thresholds_of_activations_equal_those_of_sorting_everything(spike_def, held_out):
    u = activations(1)
    fitted = activations(2, n=11) if held_out else u
    found = critnb.extract_activations(
        u, target_rate=RATE, tau0=TAU0, spike_def=spike_def, reference=fitted if held_out else None
    )
    v = score(fitted, fitted, spike_def)
    base = (v > TAU0).mean(axis=(0, 1, 3))
    wanted = np.rint(base * RATE / base.mean() * v[:, :, 0].size).astype(int)
    tau = [np.sort(v[:, :, layer].ravel())[-k - 1] for layer, k in enumerate(wanted)]
    np.testing.assert_allclose(found.tau, tau, rtol=1e-5)
    np.testing.assert_array_equal(found.layers["target_events"], wanted)
    np.testing.assert_array_equal(found.layers["fitted_events"], wanted)
    events = (score(u, fitted, spike_def) > np.array(tau)[:, None] * (1 + 1e-6)).sum(axis=-1).transpose(0, 2, 1)
    assert abs(found.counts.astype(int) - events).sum() <= 1  # mu and sigma are stored as float32
    assert (found.from_reference, found.events.n_units) == (held_out, 16)
    again = critnb.extract_activations(u, tau=found.tau, calibration=found.calibration, spike_def=spike_def)
    np.testing.assert_array_equal(again.counts, found.counts)
    np.testing.assert_allclose(again.layers["rate"], found.counts.mean(axis=(0, 2)) / 16)


@pytest.mark.parametrize(
    ("tau", "words"),
    [
        (np.ma.masked_array([1.0, 2, 3], mask=[0, 1, 0]), "tau: 1 of 3 values are missing"),
        ([1.0, None, 2], "tau: 1 of 3 values are missing"),
        (np.nan, "tau: 1 of 1 values are missing"),
        ("high", "tau: values are str"),
        ([1.0, 2.0], "tau: give one number"),
    ],
)
def test_thresholds_that_are_none_are_refused(tau, words):
    with pytest.raises(ValueError, match=words):
        critnb.extract_activations(activations(3), tau=tau)


@pytest.mark.parametrize(
    "mu", [np.full((3, 16), np.nan), np.ma.masked_array(np.zeros((3, 16)), mask=np.eye(3, 16)), np.zeros((3, 15))]
)
def test_moments_that_are_none_are_refused(mu):
    with pytest.raises(DataError, match=r"^calibration: mu"):
        critnb.Calibration(mu=mu, sigma=np.ones((3, 16)), n_samples=1)


def test_a_site_with_more_events_than_a_raster_holds_is_refused():
    u = np.zeros((1, 2, 1, 65_536), dtype=np.float32)
    with pytest.raises(DataError, match="a site has 65536 events, more than a raster can hold"):
        critnb.extract_activations(u, tau=-1.0)
    assert critnb.extract_activations(u[..., 1:], tau=-1.0).counts.max() == 65_535


def test_moments_given_are_the_moments_used():
    u = activations(3)
    mu, sigma = np.zeros((3, 16), np.float32), np.ones((3, 16), np.float32)
    found = critnb.extract_activations(u, tau=20.0, calibration=critnb.Calibration(mu=mu, sigma=sigma, n_samples=1))
    np.testing.assert_array_equal(found.counts, (u > 20 * (1 + 1e-6)).sum(axis=-1).transpose(0, 2, 1))
    one = critnb.extract_activations(u[0], tau=[20, 20, 20], calibration=found.calibration)
    np.testing.assert_array_equal(one.counts, found.counts[:1])
    with pytest.raises(DataError, match="has no text"):
        found.words(0)


@pytest.mark.parametrize(
    ("u", "options", "words"),
    [
        (np.zeros((3, 4)), {"tau": 1}, r"shape \(3, 4\); give \[N, T, L, F\]"),
        (np.full((2, 5, 3, 4), np.nan), {"tau": 1}, "120 of 120 values are missing"),
        (np.full((2, 5, 3, 4), np.inf), {"tau": 1}, "there are infinite values"),
        (np.full((2, 5, 3, 4), "a"), {"tau": 1}, "values are str"),
        (np.zeros((2, 5, 3, 4)), {"tau": 1, "reference": np.zeros((2, 5, 3, 5))}, "layers and units"),
        (np.zeros((2, 5, 3, 4)), {"target_rate": 0.1}, "layer 0 has no SPIKE_ONE_SIDED_POS event above tau0 = 2.5"),
        (
            activations(4),
            {"target_rate": 0.001, "tau0": 1.5},
            "expected SPIKE_ONE_SIDED_POS events, at least 50 are needed",
        ),
    ],
)
def test_activations_that_cannot_be_used_are_refused(u, options, words):
    with pytest.raises(DataError, match=words):
        critnb.extract_activations(u, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give target_rate or tau"),
        ({"tau": 1, "target_rate": 0.1}, "give target_rate or tau"),
        ({"target_rate": 2}, "no share of events"),
        ({"tau": [1, 2]}, "one for each of the 3 layers"),
        ({"tau": 1, "spike_def": "SPIKE"}, "spike_def: 'SPIKE' is none of SPIKE_ONE_SIDED_POS"),
    ],
)
def test_a_question_without_an_answer_is_refused(options, words):
    with pytest.raises(ParamsError, match=words):
        critnb.extract_activations(activations(5), **options)


def test_a_text_gives_what_the_stages_passes_give(model):
    reference = critnb.calibrate(model, TEXTS[:25], seq_len=32, tau0=TAU0)
    found = critnb.extract(model, TEXTS[25:], reference=reference, target_rate=RATE, gain=1.3, seq_len=32)
    passes, setting = ForwardPasses(model, batch_tokens=64), Setting(Intervention.MLP_GLOBAL, 1.3)
    known = calibrate(passes, reference.tokens)
    np.testing.assert_allclose(reference.calibration.sigma, known.sigma, rtol=1e-5)
    base = base_rates(passes, reference.tokens, known, (ONE,), TAU0)
    thresholds, _ = match_rates(
        passes, reference.tokens, known, RateTargets(TAU0, model.n_units, base, (RATE,)), setting
    )
    np.testing.assert_allclose(found.tau, thresholds.tau[0, 0], rtol=1e-4)
    counts = extract(passes, found.tokens, reference.calibration, found.tau[None, None], (ONE,), setting)
    np.testing.assert_array_equal(found.counts, counts[0, 0])
    assert found.from_reference
    assert "gain 1.3" in repr(found)
    assert critnb.branching(found, null_replicates=5, bootstrap_reps=5).events is found.events


def test_words_are_the_text_s(model):
    text = TEXTS[0] * 2
    found = critnb.extract(model, text, tau=2.0)
    whole = "".join(found.words(0)).removeprefix("<s>")
    assert text.startswith(whole)
    assert len(whole) > 50
    assert found.tokens.shape == (1, 64)  # the model's context is shorter than the text
    assert critnb.extract(model, TEXTS[0], tau=2.0).tokens.shape == (1, len(TEXTS[0]) + 1)


def test_a_text_can_be_its_own_reference(model):
    alone = critnb.extract(model, TEXTS, target_rate=0.05, seq_len=32, gain=0.7, spike_def=TWO)
    off = (alone.layers["target_events"] - alone.layers["fitted_events"]).to_numpy()
    assert ((off >= 0) & (off < alone.layers["ties"])).all()  # equal bytes tie in the first layers
    np.testing.assert_array_equal(alone.counts.sum(axis=(0, 2)), alone.layers["fitted_events"])
    assert "tau from these windows" in alone.headline()
    same = critnb.calibrate(model, TEXTS, seq_len=32)
    by_reference = critnb.extract(model, TEXTS, target_rate=0.05, seq_len=32, gain=0.7, spike_def=TWO, reference=same)
    np.testing.assert_array_equal(by_reference.counts, alone.counts)
    assert "tau from the reference" in by_reference.headline()  # the windows are the same, so not "others"
    moments = critnb.extract(
        model, TEXTS, target_rate=0.05, seq_len=32, gain=0.7, spike_def=TWO, reference=alone.calibration
    )
    np.testing.assert_array_equal(moments.counts, alone.counts)
    ids = critnb.extract(model, alone.tokens, tau=alone.tau, reference=alone.calibration, gain=0.7, spike_def=TWO)
    np.testing.assert_array_equal(ids.counts, alone.counts)


@pytest.mark.parametrize("form", [np.ndarray.tolist, torch.tensor, lambda ids: ids.astype(np.uint16), tuple])
def test_token_ids_in_any_form_are_the_same_windows(model, form):
    ids = critnb.extract(model, TEXTS, tau=2.0, seq_len=32).tokens
    found = critnb.extract(model, form(ids), tau=2.0, seq_len=32)
    np.testing.assert_array_equal(found.tokens, ids)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ([1, 2, 3], r"list is no text; give .* token ids \[N, T\]"),
        (np.arange(5), "ndarray is no text"),
        ([[1, 2, 3], [4, 5]], "rows of one length"),
        (np.ones((2, 9)), "whole token ids"),
        (np.ones((0, 9), dtype=int), "ndarray is no text"),
        (["words", 3], "list is no text"),
        (np.ma.masked_array(np.ones((2, 9), dtype=int), mask=np.eye(2, 9)), "2 of 18 values are missing"),
        ([[1, None], [3, 4]], "1 of 4 values are missing"),
        (None, "NoneType is no text"),
        (iter(TEXTS), "no text; give a string, a list of strings"),
        ([[0, 99999]], "lie in 0..99999; the model's lie in 0..256"),
        ([[0, -1]], "lie in -1..0"),
        (Path("text") / "mine.txt", "'text/mine.txt' is a path; give what stands there"),
        ([Path("mine.txt")], "'mine.txt' is a path"),
    ],
)
def test_what_is_no_text_is_not_read_as_one(model, text, words):
    for call in (lambda: critnb.calibrate(model, text), lambda: critnb.extract(model, text, tau=1.0)):
        with pytest.raises(DataError, match=words):
            call()


def test_leading_tokens_can_be_left_out(model):
    whole = critnb.extract(model, TEXTS, tau=1.5, seq_len=32)
    cut = critnb.extract(model, TEXTS, tau=1.5, seq_len=32, burn_in_tokens=4, reference=whole.calibration)
    np.testing.assert_array_equal(cut.counts, whole.counts[..., 4:])
    np.testing.assert_array_equal(cut.tokens, whole.tokens[:, 4:])


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("short", {"tau": 1, "seq_len": 32}, DataError, "6 tokens make no window of 32"),
        ([], {"tau": 1}, DataError, "0 tokens make no window"),
        ("", {"tau": 1}, DataError, "make no window of 2"),
        (TEXTS, {"tau": 1, "seq_len": 0}, ParamsError, "seq_len: 0 is too short"),
        (TEXTS, {"tau": 1, "seq_len": -8}, ParamsError, "seq_len: -8 is too short"),
        (TEXTS, {"tau": 1, "seq_len": 1}, ParamsError, "seq_len: 1 is too short"),
        ([[5, 6, 7, 8]], {"tau": 1, "seq_len": 2}, ParamsError, "windows already, of 4 tokens"),
        (TEXTS, {"tau": 1, "seq_len": 65}, ParamsError, "longer than the model's context of 64"),
        (TEXTS, {"tau": 1, "seq_len": 8, "burn_in_tokens": 7}, ParamsError, "leaves fewer than 2 of the 8"),
        (TEXTS, {"tau": 1, "gain": -1}, ParamsError, "gain: -1"),
        (TEXTS, {"tau": 1, "intervention": "MLP"}, ParamsError, "intervention: 'MLP' is none of"),
        (TEXTS, {"target_rate": 1e-4}, DataError, "at least 50 are needed|has no"),
    ],
)
def test_a_text_that_cannot_be_measured_is_refused(model, text, options, error, words):
    with pytest.raises(error, match=words):
        critnb.extract(model, text, **options)


def test_a_reference_of_another_model_is_refused(model):
    other = critnb.Calibration(np.zeros((2, 24), np.float32), np.ones((2, 24), np.float32), 1)
    with pytest.raises(DataError, match=r"mu is \(2, 24\), the model has 3 x 24 units"):
        critnb.extract(model, TEXTS, tau=1, reference=other)


def test_a_model_is_loaded_from_its_directory(tmp_path, monkeypatch):
    save(tmp_path / "mine", tiny_llama())
    monkeypatch.chdir(tmp_path)
    model = critnb.load_model("mine", device="cpu")
    assert (model.n_layers, model.n_units) == (3, 24)
    assert repr(model) == "LlamaForCausalLM: 3 layers of 24 units, context 64 tokens, float32 on cpu"
    with pytest.raises(DependencyError, match="'yours' is no directory, no hub id"):
        critnb.load_model("yours")
    with pytest.raises(ParamsError, match=r"compute\.dtype"):
        critnb.load_model("mine", dtype="int8")
