"""The search for taps in classes that no row names: made here, kind and hostile, and real ones of transformers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import loaded, loaded_from, save, tiny, untrained_doge
from torch import nn
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel, PreTrainedConfig, PreTrainedModel

from critnb.canon import Intervention
from critnb.errors import ModelError
from critnb.model import checks
from critnb.model.discovery import discover, find_taps
from critnb.model.taps import TapSource, gain_applied

WIDTH, UNITS = 16, 40
TOKENS = np.random.default_rng(3).integers(0, 50, size=(2, 12))


class ToyConfig(PreTrainedConfig):
    model_type = "toy"

    def __init__(self, n_blocks: int = 3, **others: object) -> None:
        super().__init__(**others)
        self.vocab_size, self.hidden_size, self.num_hidden_layers = 50, WIDTH, n_blocks


class RunningMean(nn.Module):
    """Attention of a kind: the mean of all tokens so far, through a projection from something wide."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(3 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = torch.arange(1, x.shape[1] + 1)[:, None]
        return self.out(self.widen(x).cumsum(dim=1) / count)


class Feed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.back = nn.Linear(WIDTH, UNITS), nn.Linear(UNITS, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.back(torch.tanh(self.wide(x)))


class ToyBlock(nn.Module):
    """Its names say nothing; a normed MLP branch, and both branches shrunk before they are added."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = nn.LayerNorm(WIDTH), RunningMean(), Feed(), nn.LayerNorm(WIDTH)
        self.shrink = 0.5

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        h = h + self.shrink * self.b(self.a(h))
        return h + self.shrink * self.d(self.c(h))


class Squashed(ToyBlock):
    """The stream itself passes a nonlinearity."""

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(h))


class MixerOnly(ToyBlock):
    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h + self.b(self.a(h))


class ThreeBranches(ToyBlock):
    """A second MLP adds to the stream beside the one that would be scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.e = Feed()

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return super().forward(h) + self.e(h)


class TwoProjections(ToyBlock):
    """Half of what the MLP adds goes past the projection that would be read."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.ModuleDict({"one": Feed(), "two": Feed()})

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        h = h + self.b(self.a(h))
        return h + self.d(self.c["one"](h) + self.c["two"](h))


class Twice(ToyBlock):
    def forward(self, h: torch.Tensor) -> torch.Tensor:
        h = h + self.b(self.a(h))
        h = h + self.c(h)
        return h + self.c(h)


class Breaks(ToyBlock):
    def forward(self, h: torch.Tensor) -> torch.Tensor:
        if getattr(self, "ran", False):
            raise RuntimeError("not a second time")
        self.ran = True
        return super().forward(h)


class ToyModel(PreTrainedModel):
    config_class = ToyConfig

    def __init__(self, block: type[nn.Module] = ToyBlock, n_blocks: int = 3, turns: int = 1) -> None:
        super().__init__(ToyConfig(n_blocks))
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(50, WIDTH), nn.Linear(WIDTH, 50)
        self.pile, self.turns = nn.ModuleList([block() for _ in range(n_blocks)]), turns
        for parameter in self.parameters():
            parameter.data.normal_(std=0.5)
        self.eval()

    def forward(self, input_ids: torch.Tensor, use_cache: bool = False) -> SimpleNamespace:
        h = self.embed(input_ids)
        for block in list(self.pile) * self.turns:
            h = block(h)
        return SimpleNamespace(last_hidden_state=h, logits=self.head(h))


def test_a_class_that_no_one_has_named():
    row = discover(ToyModel(), "toy")
    assert (row.blocks, row.projection, row.mlp, row.attention, row.multiplier) == (
        "pile",
        "c.back",
        "d",
        "b",
        "shrink",
    )
    model = loaded(ToyModel())
    assert (model.taps.source, model.n_layers, model.n_units) == (TapSource.DISCOVERY, 3, UNITS)
    checks.require_sound(model)


def test_what_is_scaled_is_what_the_branch_adds():
    model = loaded(ToyModel(n_blocks=1))
    ids = torch.from_numpy(TOKENS)
    block, h = model.causal.pile[0], model.causal.embed(ids)
    middle = h + 0.5 * block.b(block.a(h))
    with torch.inference_mode(), gain_applied(model.taps, Intervention.MLP_GLOBAL, 0.7):
        found = model.body(ids).last_hidden_state
    torch.testing.assert_close(found, middle + 0.7 * 0.5 * block.d(block.c(middle)))


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (MixerOnly, "no MLP projection beside attention"),
        (Squashed, "tried, best c as MLP and b as attention: layer 0: a gain on the MLP does not move the block"),
        (ThreeBranches, "tried, best "),
        (TwoProjections, "tried, best "),
        (Twice, "no MLP projection beside attention"),
        (Breaks, "RuntimeError: not a second time"),
    ],
)
def test_what_cannot_be_tapped_soundly_is_refused_with_what_was_tried(block, reason):
    with pytest.raises(ModelError) as caught:
        find_taps(ToyModel(block), "toy")
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("model type 'toy' has no recognisable MLP: no row names it and a search found none (")
    assert reason in lines[0]
    assert lines[1] == (
        "use a model type that spec/06_ARCHITECTURES.md lists, or add a row to critnb/model/architectures.py"
    )


def test_blocks_that_run_more_than_once_a_pass():
    with pytest.raises(ModelError, match="layer 0 runs 2 times in a forward pass"):
        find_taps(ToyModel(turns=2), "toy")


def test_blocks_that_differ():
    model = ToyModel()
    model.pile[1] = Twice()
    with pytest.raises(ModelError, match=r"best d as MLP and b as attention: layer 1: "):
        find_taps(model, "toy")


def test_no_list_of_as_many_blocks_as_the_config_says():
    model = ToyModel()
    model.config.num_hidden_layers = 5
    with pytest.raises(ModelError, match="no list of 5 blocks"):
        find_taps(model, "toy")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mamba", "no MLP projection beside attention"),
        ("rwkv", "no MLP projection beside attention"),
    ],
)
def test_real_classes_without_an_mlp_of_the_kind(name, reason):
    changes = {"state_size": 4} if name == "mamba" else {"attention_hidden_size": 32}
    with pytest.raises(ModelError, match=reason):
        find_taps(tiny(name, **changes), name)


def test_gpt_1_normalises_its_sums():
    config = OpenAIGPTConfig(vocab_size=257, n_positions=64, n_embd=16, n_layer=2, n_head=2)
    with pytest.raises(ModelError, match="tried, best mlp as MLP and attn as attention: layer 0: "):
        find_taps(OpenAIGPTLMHeadModel(config).eval(), "openai-gpt")


@pytest.fixture
def doge():
    """A dense model of a type that no row names; it multiplies the stream by one weight a feature, at first ones."""
    return untrained_doge()


def test_a_real_class_without_a_row_is_found_and_recorded(doge, tmp_path):
    model = loaded_from(save(tmp_path / "doge", doge))
    assert model.taps.source is TapSource.DISCOVERY
    assert model.taps.layers[1].projection is model.causal.model.layers[1].mlp.down_proj


def test_a_block_that_also_multiplies_the_stream_is_refused(doge):
    doge.model.layers[2].post_attention_residual.data[5] = 1.01
    with pytest.raises(ModelError, match="layer 2: with both branches at gain 0 the block does not return its input"):
        find_taps(doge, "doge")
