"""What planning refuses for certain: rates too low for the windows, windows longer than the context; from config.json alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from critnb.canon import ModelRole, SpikeDef, Stage
from critnb.contract import spec_of
from critnb.errors import DataError, ModelError, ParamsError
from critnb.events import RateTargets
from critnb.params import load, validate
from critnb.pipeline import feasible, plan
from critnb.runs import RunStore

PARAMS = {
    "models": {"BASE": {"source": "file", "path": "model"}},
    "data": {"A": {"source": "file", "path": "corpus.txt"}},
}
# 96 units per layer: 8 windows of 32 tokens are 24 576 values, so a rate of 50 / 24 576 = 2.0345e-3 just has its 50 events
LLAMA = {"model_type": "llama", "hidden_size": 48, "intermediate_size": 96, "max_position_embeddings": 64}
SMALL = {"windows.seq_len": 32, "windows.n_calibration": 8, "events.target_rates": [2.04e-3, 8e-3]}


@pytest.fixture
def plan_with(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    save_file({"weights": np.zeros(3, dtype="f4")}, tmp_path / "model" / "model.safetensors")
    (tmp_path / "corpus.txt").write_text("some text")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))

    def planned_with(config: object, stage: Stage = Stage.S01, **overrides: object) -> None:
        (tmp_path / "model" / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        loaded = load(
            tmp_path / "params.yaml", {**SMALL, **{key.replace("__", "."): overrides[key] for key in overrides}}
        )
        plan.plan_runs([spec_of(stage)], loaded, [ModelRole.BASE], RunStore(tmp_path / "runs"))

    return planned_with


def test_a_rate_that_leaves_too_few_events_on_average_is_refused_before_a_run_is_made(plan_with):
    plan_with(LLAMA)
    with pytest.raises(ParamsError) as caught:
        plan_with(LLAMA, Stage.S05, events__target_rates=[1e-3, 8e-3])
    assert str(caught.value).splitlines() == [
        "events.target_rates: 0.001 leaves 24.6 expected events per layer (8 windows x 32 tokens x 96 units), at least 50 are "
        "needed in every layer",
        "set windows.n_calibration to more than 16, or use rates above 0.00203",
    ]
    plan_with(LLAMA, events__target_rates=[1e-3], windows__n_calibration=17)
    # S00 matches no rate
    plan_with(LLAMA, Stage.S00, events__target_rates=[1e-9])


def test_hidden_tokens_count_for_nothing(plan_with):
    with pytest.raises(ParamsError, match=r"8 windows x 16 tokens x 96 units"):
        plan_with(LLAMA, windows__burn_in_tokens=16)


@pytest.mark.parametrize("rate", [5e-324, 1e-300, 1e-12])
def test_a_rate_that_no_number_of_windows_can_serve_gets_no_such_advice(plan_with, rate):
    with pytest.raises(ParamsError, match=r"\nuse rates above 0\.00203$"):
        plan_with(LLAMA, events__target_rates=[rate])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=6),
    st.integers(1, 40),
    st.integers(10, 400),
    st.floats(1e-5, 0.5),
)
def test_what_is_refused_would_have_been_refused_by_the_exact_check(base, windows, units, rate):
    config = {"model_type": "llama", "hidden_size": 1, "intermediate_size": units}
    params = validate(
        {"windows": {"seq_len": 16, "n_calibration": windows}, "events": {"target_rates": [rate]}}, origin="test"
    )
    targets = RateTargets(2.5, units, {SpikeDef.SPIKE_ONE_SIDED_POS: np.array(base)}, (rate,))
    try:
        feasible.judge_rates(params, config)
    except ParamsError:
        with pytest.raises(DataError):
            targets.check_feasible(windows=windows, tokens=16)
    else:
        # with all layers alike, the mean is the smallest and nothing is left for the exact check to find
        alike = RateTargets(2.5, units, {SpikeDef.SPIKE_ONE_SIDED_POS: np.ones(3)}, (rate,))
        alike.check_feasible(windows=windows, tokens=16)


@pytest.mark.parametrize(
    ("config", "seq_len", "longest"),
    [
        (LLAMA, 65, 64),
        ({"model_type": "gpt2", "n_positions": 64, "n_ctx": 64, "n_embd": 1000}, 65, 64),
        ({"model_type": "mpt", "max_seq_len": 64, "d_model": 1000}, 65, 64),
    ],
)
def test_a_window_longer_than_the_context_is_refused_before_a_run_is_made(plan_with, config, seq_len, longest):
    plan_with(config, Stage.S00, windows__seq_len=longest)
    with pytest.raises(
        ParamsError, match=rf"^windows.seq_len: {seq_len} is longer than the model's context of {longest} "
    ):
        plan_with(config, Stage.S00, windows__seq_len=seq_len)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {**LLAMA, "model_type": "of_tomorrow"},
        {**LLAMA, "model_type": ["llama"]},
        {"model_type": "llama"},
        {**LLAMA, "intermediate_size": [96, 192], "max_position_embeddings": "64"},
        {"model_type": "mpt", "d_model": 48, "expansion_ratio": 400, "alibi": True},
        {"model_type": "bloom", "n_embed": 10_000, "seq_length": 16},
        {"model_type": "falcon", "hidden_size": 10_000, "alibi": True, "max_position_embeddings": 16},
    ],
    ids=lambda config: str(config)[:50],
)
def test_what_a_config_does_not_tell_is_left_to_the_stage(plan_with, config):
    plan_with(config, events__target_rates=[1e-4])


def test_a_model_of_one_layer_is_refused_before_a_run_is_made(plan_with):
    config = {**LLAMA, "num_hidden_layers": 1}
    with pytest.raises(ModelError, match="one layer has no next layer"):
        plan_with(config)
    # S00 knows no layer above
    plan_with(config, Stage.S00)


@pytest.mark.parametrize("role", ModelRole)
def test_the_embedded_models_are_judged_too(role):
    loaded = load("base.yaml", {"events.target_rates": [1e-7]})
    with pytest.raises(ParamsError, match=r"64 windows x 128 tokens x 384 units"):
        plan.plan_runs([spec_of(Stage.S01)], loaded, [role], RunStore(Path("nowhere")))


def test_planning_loads_no_torch():
    code = (
        "import sys; from pathlib import Path; from critnb.pipeline import plan; from critnb.params import load\n"
        "from critnb.runs import RunStore; from critnb.contract import STAGES\n"
        "from critnb.canon import ModelRole\n"
        "plan.plan_runs(STAGES, load('base.yaml'), list(ModelRole), RunStore(Path('nowhere')))\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
