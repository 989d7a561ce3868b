"""A model's checks are made once for each way in which stages of one command load it, and a broken one never passes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from critnb.errors import ModelError
from critnb.model import soundness as module
from critnb.model.soundness import Soundness


@pytest.fixture
def checks(monkeypatch) -> list[object]:
    """The models that were checked; one that is called broken does not pass."""
    seen: list[object] = []

    def check(model) -> None:
        seen.append(model)
        if model.broken:
            raise ModelError("broken")

    monkeypatch.setattr(module, "require_sound", check)
    return seen


def loaded(
    *, broken: bool = False, dtype: torch.dtype = torch.float32, attention: str = "eager", on: str | None = None
):
    causal = SimpleNamespace(config=SimpleNamespace(_attn_implementation=attention))
    return SimpleNamespace(
        causal=causal, device=torch.device("cpu"), dtype=dtype, broken=broken, placed={"layers.1": on} if on else {}
    )


def files(weights: str = "a" * 64):
    return SimpleNamespace(identity=lambda: {"weights_sha256": weights, "config_sha256": "b" * 64})


def test_a_model_is_checked_once_for_each_way_of_loading_it(tmp_path, checks):
    known = Soundness(tmp_path)
    for _ in range(2):
        known.require(loaded(), files())
    assert len(checks) == 1
    known.require(loaded(), files("c" * 64))
    known.require(loaded(dtype=torch.bfloat16), files())
    known.require(loaded(attention="sdpa"), files())
    known.require(loaded(on="cuda:1"), files())
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        known.require(loaded(), files())
    finally:
        torch.set_num_threads(before)
    assert len(checks) == 6
    known.require(loaded(), files())
    assert len(checks) == 6


def test_without_a_folder_or_anew_every_model_is_checked(tmp_path, checks):
    for known in (Soundness(), Soundness(tmp_path, anew=True), Soundness(tmp_path / "gone")):
        for _ in range(2):
            known.require(loaded(), files())
    assert len(checks) == 6
    # what was found anew counts for others
    Soundness(tmp_path).require(loaded(), files())
    assert len(checks) == 6


def test_a_model_that_did_not_pass_is_not_remembered(tmp_path, checks):
    known = Soundness(tmp_path)
    for _ in range(2):
        with pytest.raises(ModelError, match="broken"):
            known.require(loaded(broken=True), files())
    assert len(checks) == 2
    with pytest.raises(ModelError, match="broken"):
        replace(known, anew=True).require(loaded(broken=True), files())
