"""What a unit at one token and layer can reach: the layers above, at its own token and later ones, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import critnb
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.partial import each_kept_pass

TOKEN, LAYER = 11, 3


@pytest.fixture(scope="module", params=["BASE", "INSTRUCT"])
def moved(request):
    """Return by how much u [L, T] of an embedded model moves at most when all units of one site are put to zero."""
    model = critnb.load_model("embedded", role=request.param)
    tokens = np.random.default_rng(2).integers(0, model.n_tokens, size=(2, 24))
    before, after = {}, {}

    def put(u):
        u[:, TOKEN] = 0.0

    def knock(_first, kept):
        kept.replaceable(LAYER).rerun(put, after.__setitem__)
        full = units_of_whole_pass(model, tokens, put)
        after.update({layer: full[layer] for layer in range(LAYER + 1)})
        for layer in range(LAYER + 1, model.n_layers):
            assert torch.equal(full[layer], after[layer])

    passes = ForwardPasses(model, batch_tokens=10**6)
    each_kept_pass(passes, tokens, Setting(), knock, lambda _first, layer, u: before.__setitem__(layer, u.clone()))
    return np.array([(after[m] - before[m]).abs().amax(dim=(0, 2)).numpy() for m in range(model.n_layers)])


def units_of_whole_pass(model, tokens, put):
    """Return u of every layer of a whole pass in which u of one layer is changed after it was read, by hooks of its own."""
    found, handles = {}, []

    def hook_of(number):
        def read(_module, args):
            found[number] = args[0].clone()
            if number != LAYER:
                return None
            changed = args[0].clone()
            put(changed)
            return (changed,)

        return read

    for number, taps in enumerate(model.taps.layers):
        handles.append(taps.projection.register_forward_pre_hook(hook_of(number)))
    model.body(input_ids=torch.from_numpy(tokens), use_cache=False)
    for handle in handles:
        handle.remove()
    return found


def test_no_token_of_the_same_layer_nor_the_next_one_is_reached(moved):
    assert (moved[: LAYER + 1] == 0).all()
    assert moved[LAYER, TOKEN + 1] == 0


def test_no_earlier_token_of_any_layer_is_reached(moved):
    assert (moved[:, :TOKEN] == 0).all()


def test_the_same_token_above_and_later_tokens_above_are_reached(moved):
    assert (moved[LAYER + 1 :, TOKEN] > 0).all()
    assert (moved[LAYER + 1 :, TOKEN + 1 :] > 0).any()
    # at the layer just above, later tokens are reached by attention alone
    assert moved[LAYER + 1, TOKEN] > moved[LAYER + 1, TOKEN + 1 :].max()
