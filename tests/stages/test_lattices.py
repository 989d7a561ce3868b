"""Models whose lattice leaves something undefined are refused by the stage that would be the first to need it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from critnb.canon import Intervention, SliceRole
from critnb.errors import ModelError, ParamsError
from critnb.stages.s01_calibrate import work as s01
from critnb.stages.s03_rasters import work as s03


def session(n_layers: int, interventions: list[Intervention]) -> SimpleNamespace:
    """As much of a stage's session as is asked before the first window is read."""

    def no_windows(role: SliceRole) -> None:
        raise AssertionError(f"{role} was read")

    gain = SimpleNamespace(grid=[1.0], interventions=interventions)
    params = SimpleNamespace(gain=gain)
    return SimpleNamespace(model=SimpleNamespace(n_layers=n_layers), params=params, slice=no_windows, upstream=bool)


def test_one_layer_has_no_depth():
    with pytest.raises(ModelError, match="one layer has no next layer"):
        s01.measure(session(1, []))


@pytest.mark.parametrize(
    ("intervention", "n_layers", "scales"),
    [
        (Intervention.MLP_BAND_MID, 2, False),
        (Intervention.MLP_BAND_EARLY, 2, True),
        (Intervention.MLP_BAND_LATE, 2, True),
        (Intervention.MLP_BAND_MID, 3, True),
        (Intervention.ATTN_GLOBAL, 2, True),
    ],
)
def test_an_intervention_that_scales_no_layer_is_refused(monkeypatch, intervention, n_layers, scales):
    monkeypatch.setattr(s03, "load_gstar", lambda run: {})
    stage = session(n_layers, [Intervention.MLP_GLOBAL, intervention])
    with pytest.raises(AttributeError if scales else ParamsError, match="forward_passes" if scales else intervention):
        s03.measure(stage)
