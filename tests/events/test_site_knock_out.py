"""The events of one site put out, against whole passes with hooks of their own."""

from __future__ import annotations

import numpy as np
import pytest
from events.test_knock_out import (  # noqa: F401
    BURN_IN,
    GAIN,
    calibration,
    events_of_twin,
    model,
    tau,
    tokens,
)

from critnb.canon import SpikeDef
from critnb.errors import DataError
from critnb.events.site_knock_out import knock_out_site
from critnb.model.forward import ForwardPasses

ONE = SpikeDef.SPIKE_ONE_SIDED_POS


@pytest.fixture
def at(model, tokens, calibration, tau):  # noqa: F811
    """Put out a site of the first window; and the events of the twin, whole or with a mask of units put out."""

    def put_out(layer, token, seed=1):
        passes = ForwardPasses(model, batch_tokens=48, burn_in=BURN_IN)
        of = {"layer": layer, "token": token, "seed": seed}
        return knock_out_site(passes, tokens[0], calibration, tau[0, 0], ONE, GAIN, **of)

    return put_out, lambda out=None: events_of_twin(model, tokens[:1], calibration, tau[0, 0], ONE, out)


def test_what_vanishes_and_appears_is_what_whole_passes_say(at, model):  # noqa: F811
    put_out, twin = at
    before = [each[0] for each in twin()]
    seen = 0
    for layer in range(model.n_layers - 1):
        for token in np.flatnonzero(before[layer].any(axis=1))[:6]:
            found, mask = put_out(layer, int(token)), np.zeros_like(before[layer])
            mask[token] = before[layer][token]
            after = [each[0] for each in twin((layer, mask[None]))]
            assert found.out == mask.sum()
            assert not found.lost[: layer + 1].any()
            for above in range(layer + 1, model.n_layers):
                np.testing.assert_array_equal(found.lost[above], (before[above] & ~after[above]).sum(axis=1))
                np.testing.assert_array_equal(found.new[above], (after[above] & ~before[above]).sum(axis=1))
            seen += int(found.lost.sum() + found.new.sum())
    assert seen > 20


def test_nothing_before_the_token_changes(at):
    put_out, twin = at
    token = int(np.flatnonzero(twin()[0][0].any(axis=1))[-1])
    found = put_out(0, token)
    assert not found.lost[:, :token].any()
    assert not found.new[:, :token].any()


def test_the_control_depends_on_the_seed_and_the_knock_out_does_not(at):
    put_out, twin = at
    token = int(np.argmax(twin()[0][0].sum(axis=1)))
    found = [put_out(0, token, seed) for seed in range(6)]
    assert len({each.lost.tobytes() for each in found}) == 1
    assert len({(each.control_lost, each.control_new) for each in found}) > 1


def test_the_last_layer_and_an_empty_site_are_refused(at, model):  # noqa: F811
    put_out, twin = at
    with pytest.raises(DataError, match="is the last"):
        put_out(model.n_layers - 1, 0)
    empty = int(np.flatnonzero(~twin()[0][0].any(axis=1))[0])
    with pytest.raises(DataError, match="nothing to put out"):
        put_out(0, empty)
