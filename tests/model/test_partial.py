"""Partial passes on every architecture: what they give again, what they refuse, and what a replacement can reach."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import ROWS_AND_VARIANTS, loaded, tiny, tiny_llama, tiny_loaded

from critnb.canon import Intervention
from critnb.errors import ModelError
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.partial import each_kept_pass
from critnb.model.toy import Toy

TOKENS = np.random.default_rng(3).integers(1, 257, size=(3, 12))
GAIN = Setting(Intervention.MLP_GLOBAL, 1.3)


def kept_passes(model, *, setting=GAIN, burn_in=0, tokens=TOKENS):
    """Return the kept passes' own units [L] by layer, and what ``work(kept)`` gives, of one batch."""
    units, found = {}, {}

    def run(work):
        passes = ForwardPasses(model, batch_tokens=10**6, burn_in=burn_in)
        each_kept_pass(
            passes,
            tokens,
            setting,
            lambda _first, kept: found.update(done=work(kept)),
            lambda _first, layer, u: units.__setitem__(layer, u),
        )
        return units, found["done"]

    return run


def rerun_units(kept, layer):
    found = {}
    kept.rerun(layer, found.__setitem__)
    return found


def replaced_units(at, *, times=1):
    for _ in range(times):
        found = {}
        at.rerun(put_first_unit, found.__setitem__)
    return found


@pytest.mark.parametrize("name", ROWS_AND_VARIANTS)
def test_a_rerun_from_every_layer_gives_the_same_units_to_the_last_bit(name):
    model = tiny_loaded(name)
    units, again = kept_passes(model)(lambda kept: [rerun_units(kept, layer) for layer in range(model.n_layers)])
    for layer, found in enumerate(again):
        assert sorted(found) == list(range(layer, model.n_layers))
        assert all(torch.equal(u, units[m]) for m, u in found.items())


@pytest.mark.parametrize("name", ROWS_AND_VARIANTS)
def test_a_replacement_gives_what_a_whole_pass_with_the_same_replacement_gives(name):
    model = tiny_loaded(name)
    # the second time as the first: nothing that is kept of the block is used up
    _, found = kept_passes(model)(
        lambda kept: [replaced_units(kept.replaceable(layer), times=2) for layer in range(model.n_layers - 1)]
    )
    for layer, of_layer in enumerate(found):
        expected = whole_pass_with(model, TOKENS, layer=layer)
        assert sorted(of_layer) == list(range(layer + 1, model.n_layers))
        assert all(torch.equal(u, expected[m]) for m, u in of_layer.items())


def put_first_unit(u):
    u[1, 4:6, 0] = 7.0


def whole_pass_with(model, tokens, *, layer):
    """Return u of every layer of a whole pass in which the first unit of a layer is put to 7: hooks of the test's own."""
    found, handles = {}, []

    def hook_of(number):
        def hook(_module, args):
            u = args[0].clone()
            wide = u.view(*tokens.shape, -1)
            if number == layer:
                wide[1, 4:6, 0] = 7.0
            found[number] = wide
            return (u,)

        return hook

    for number, taps in enumerate(model.taps.layers):
        handles.append(taps.projection.register_forward_pre_hook(hook_of(number)))
        handles.append(taps.mlp.register_forward_hook(scale))
    with torch.inference_mode():
        model.body(input_ids=torch.from_numpy(tokens), use_cache=False)
    for handle in handles:
        handle.remove()
    return found


def scale(_module, _args, output):
    return (output[0] * 1.3, *output[1:]) if isinstance(output, tuple) else output * 1.3


def test_burn_in_is_hidden_from_readers_and_replacers():
    model = tiny_loaded("llama")
    seen, found = [], {}
    units, _ = kept_passes(model, burn_in=5)(
        lambda kept: kept.replaceable(0).rerun(lambda u: seen.append(tuple(u.shape)), found.__setitem__)
    )
    assert seen == [(3, 7, model.n_units)]
    assert all(torch.equal(found[m], units[m]) for m in (1, 2))


def test_bfloat16_is_run_as_it_is():
    model = loaded(tiny_llama().to(torch.bfloat16))
    units, found = kept_passes(model)(lambda kept: rerun_units(kept, 1))
    assert found[2].dtype is torch.bfloat16
    assert torch.equal(found[2], units[2])


def test_blocks_that_hand_on_more_than_the_stream_are_refused():
    model, tokens = Toy(0.5, windows=2, tokens=8, layers=3, units=4).network(0)
    body = model.causal.model
    third = body.layers[2]
    plain = third.forward
    third.forward = lambda hidden, early: plain(hidden + early.sum(dim=-1, keepdim=True))

    def forward(input_ids, use_cache=False):
        # as where layers share keys and values: what the first block made goes to the third past the second
        early = body.layers[0](body.embedding(input_ids))
        return SimpleNamespace(last_hidden_state=third(body.layers[1](early), early))

    body.forward = forward
    with pytest.raises(ModelError, match="layer 2: running the blocks again") as caught:
        kept_passes(model, tokens=tokens)(lambda kept: None)
    assert "\n" not in str(caught.value)


def test_blocks_between_which_something_happens_are_refused():
    causal = tiny("llama")
    plain = causal.model.layers[1].register_forward_pre_hook
    model = loaded(causal)
    plain(lambda _module, args: (2 * args[0], *args[1:]))
    with pytest.raises(ModelError, match="layer 1: running the blocks again"):
        kept_passes(model)(lambda kept: None)
