"""Shards joined are one pass over all windows, to the last bit; and why they have to be whole batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from models import loaded, tiny_llama
from transformers import LlamaConfig, LlamaForCausalLM

from critnb.canon import Intervention, SpikeDef
from critnb.events import RateTargets, base_rates, calibrate, extract, match_rates
from critnb.events.calibration import Moments
from critnb.events.largest_values import LargestValues
from critnb.events.shards import BaseEventsOf, Extracted, MatchedRates, MomentsOf, side_by_side
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.language_model import LanguageModel
from critnb.model.shards import Shard, shards_of, spans

DEFS = tuple(SpikeDef)
SETTING = Setting(Intervention.MLP_GLOBAL, 1.2)
# 10 windows in batches of 3, the last of one window
TOKENS = np.random.default_rng(7).integers(0, 257, size=(10, 32))


@pytest.fixture(scope="module")
def passes():
    return ForwardPasses(loaded(tiny_llama()), batch_tokens=96, burn_in=3)


@pytest.fixture(scope="module")
def calibration(passes):
    return calibrate(passes, TOKENS)


@pytest.fixture(scope="module")
def targets(passes, calibration):
    return RateTargets(1.5, passes.model.n_units, base_rates(passes, TOKENS, calibration, DEFS, 1.5), (0.01, 0.03))


def parts(n, setting=SETTING):
    return [Shard(setting, *span) for span in spans(len(TOKENS), batch=3, parts=n)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_joined_shards_are_one_pass_over_all_windows(passes, calibration, targets, n):
    moments = Moments(passes.model.n_layers, passes.model.n_units)
    for shard in parts(n, Setting()):
        for mean, squares in zip(*MomentsOf(TOKENS)(passes, shard), strict=True):
            moments.merge_window(29, mean=mean, squares=squares)
    found = moments.finish()
    assert found.mu.tobytes() == calibration.mu.tobytes()
    assert found.sigma.tobytes() == calibration.sigma.tobytes()

    events = sum(BaseEventsOf(TOKENS, calibration, DEFS, 1.5)(passes, shard) for shard in parts(n, Setting()))
    n_samples = len(TOKENS) * 29 * passes.model.n_units
    assert all(np.array_equal(events[i] / n_samples, targets.base[d]) for i, d in enumerate(DEFS))

    thresholds, counts = match_rates(passes, TOKENS, calibration, targets, SETTING)
    work = MatchedRates(TOKENS, calibration, targets)
    matched = work.join([work(passes, shard) for shard in parts(n)])
    assert matched["counts"].tobytes() == counts.tobytes()
    assert all(matched[name].tobytes() == array.tobytes() for name, array in thresholds.arrays().items())

    take = Extracted(TOKENS, calibration, {SETTING: thresholds.tau}, DEFS)
    extracted = side_by_side([take(passes, shard) for shard in parts(n)])["counts"]
    assert extracted.tobytes() == extract(passes, TOKENS, calibration, thresholds.tau, DEFS, SETTING).tobytes()
    # so that the comparison says something: another gain gives other counts
    other = Extracted(TOKENS, calibration, {Setting(): thresholds.tau}, DEFS)
    assert not np.array_equal(
        side_by_side([other(passes, shard) for shard in parts(n, Setting())])["counts"], extracted
    )


@pytest.mark.parametrize(("first", "stop"), [(1, 4), (0, 2), (3, 8), (9, 11), (3, 3), (-3, 3)])
def test_a_shard_that_is_not_whole_batches_is_refused(passes, first, stop):
    with pytest.raises(ValueError, match="not whole batches of 3"):
        MomentsOf(TOKENS)(passes, Shard(Setting(), first, stop))


@pytest.mark.parametrize(
    ("n", "workers", "shards"), [(9, 1, 9), (9, 2, 10), (9, 9, 9), (2, 4, 4), (1, 8, 4), (4, 3, 6)]
)
def test_settings_are_divided_only_where_workers_are_left(n, workers, shards):
    settings = [Setting(Intervention.MLP_GLOBAL, 1 + gain / 8) for gain in range(n)]
    found = shards_of(settings, 10, batch=3, workers=workers)
    assert list(found) == settings
    assert sum(map(len, found.values())) == shards
    for setting, of_setting in found.items():
        edges = [(each.first, each.stop) for each in of_setting]
        assert [first for first, _ in edges] == [0, *(stop for _, stop in edges[:-1])]
        assert edges[-1][1] == 10
        assert all(each.setting == setting for each in of_setting)


@pytest.mark.parametrize("seed", range(20))
def test_joined_largest_values_are_those_of_one_stream(seed):
    rng = np.random.default_rng(seed)
    # few distinct values, so that cuts fall among ties
    values, capacity = rng.integers(0, 12, size=60).astype(float), int(rng.integers(2, 30))
    edges = np.sort(rng.integers(0, 61, size=3))
    whole = LargestValues(capacity)
    for first, stop in zip([0, *edges], [*edges, 60], strict=True):
        part = LargestValues(capacity)
        for at in range(first, stop):
            part.add(values[at : at + 1], np.array([at - first]))
        whole.join(part, first_site=first)
    ordered = np.sort(values)[::-1]
    for k in range(capacity):
        assert whole.threshold(k) == ordered[k]
        assert whole.ties(ordered[k]) == np.count_nonzero(values == ordered[k])
        assert np.array_equal(np.sort(whole.sites_above(ordered[k])), np.flatnonzero(values > ordered[k]))


def test_shards_have_the_batches_of_the_whole_run(calibration):
    """Of a model whose numbers follow from the size of a batch, as those of half precision may, shards give what a run gives."""
    model = loaded(tiny_llama())
    model.causal.model.layers[0].register_forward_hook(lambda _m, _a, out: out + len(out) * 1e-3)
    tau = np.full((2, 2, 3), 1.0)

    def counts(passes, shards):
        take = Extracted(TOKENS, calibration, {SETTING: tau}, DEFS)
        return side_by_side([take(passes, shard) for shard in shards])["counts"]

    threes, twos = (ForwardPasses(model, batch_tokens=size * 32, burn_in=3) for size in (3, 2))
    whole = counts(threes, parts(1))
    assert all(np.array_equal(counts(threes, parts(n)), whole) for n in (2, 4))
    assert not np.array_equal(counts(twos, parts(1)), whole)


def wide_layer(dtype: torch.dtype) -> LanguageModel:
    config = LlamaConfig(
        vocab_size=257, hidden_size=2048, intermediate_size=8192, num_hidden_layers=1, num_attention_heads=8,
        num_key_value_heads=8, max_position_embeddings=64, tie_word_embeddings=True, initializer_range=0.02,
    )  # fmt: skip
    torch.manual_seed(0)
    return loaded(LlamaForCausalLM(config).eval().to(dtype))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_a_wide_layer_gives_the_same_bits_in_shards_and_other_ones_in_other_batches(dtype):
    """Of one token a window, where the product of one row is another program's than that of two."""
    model = wide_layer(dtype)
    pairs, singles = (ForwardPasses(model, batch_tokens=n) for n in (2, 1))
    tokens = np.random.default_rng(3).integers(0, 257, size=(64, 1))
    take = MomentsOf(tokens)
    whole = take(pairs, Shard(Setting(), 0, 64))
    for n in (2, 4):
        shards = [Shard(Setting(), *span) for span in spans(64, batch=2, parts=n)]
        assert np.concatenate([take(pairs, shard) for shard in shards], axis=1).tobytes() == whole.tobytes()
    with pytest.raises(ValueError, match="not whole batches of 2"):
        take(pairs, Shard(Setting(), 0, 3))
    if take(singles, Shard(Setting(), 0, 64)).tobytes() == whole.tobytes():
        pytest.skip("this processor's products have the same bits in batches of one row and of two")
