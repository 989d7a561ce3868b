"""What can be told about a run before anything is computed, from its params and its model's config.json alone.

Only what fails for certain is refused here; the stages check exactly, on what they have loaded and measured. A model
type that no row of ``critnb.model.architectures`` names is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from critnb.canon import CANON
from critnb.errors import ModelError, ParamsError
from critnb.model.architectures import architecture_of
from critnb.params import Params

_MIN_EVENTS = CANON.CONST.RATE_MATCH_MIN_EVENTS
# of the sums and products of the exact check
_ROUNDING = 1e-9
_MOST_WINDOWS = 2**31
_WIDTHS = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "d_ff")
_HIDDEN_WIDTHS = ("hidden_size", "n_embd", "d_model", "n_embed")
# of a model type whose config leaves the width of its MLPs out
_USUAL_EXPANSION = 4
_LAYER_COUNTS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")
_FEWEST_LAYERS = 2
_CONTEXTS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "seq_length")

ModelConfig = Mapping[str, Any]


def require_layers(n_layers: int) -> None:
    """Raise ModelError for a model of one layer."""
    if n_layers < _FEWEST_LAYERS:
        raise ModelError(
            "a model of one layer has no next layer, so b_depth and b_tot are not defined; take one of two or more"
        )


def judge_layers(config: ModelConfig) -> None:
    """Raise ModelError where the config names one layer."""
    if architecture_of(str(config.get("model_type"))) is not None:
        require_layers(max(_whole(config, _LAYER_COUNTS), default=_FEWEST_LAYERS))


def judge_windows(params: Params, config: ModelConfig) -> None:
    """Raise ParamsError where windows are longer than the context that the config names."""
    row = architecture_of(str(config.get("model_type")))
    if row is None or row.endless or config.get("alibi"):
        return
    longest = max(_whole(config, _CONTEXTS), default=None)
    if longest is not None and params.windows.seq_len > longest:
        raise ParamsError(
            f"windows.seq_len: {params.windows.seq_len} is longer than the model's context of {longest} tokens; lower it"
        )


def judge_rates(params: Params, config: ModelConfig) -> None:
    """Raise ParamsError where the lowest target rate leaves less than RATE_MATCH_MIN_EVENTS events per layer on average.

    Targets of layers have the rate as their mean, so the layer with the fewest events has at most rho N T F of them
    (spec/03): N windows of T tokens and F units per layer; F is the largest number that the config allows.
    """
    units = _most_units(config)
    rate, windows = params.events.target_rates[0], params.windows.n_calibration
    tokens = params.windows.seq_len - params.windows.burn_in_tokens
    if units is None or (expected := rate * windows * tokens * units) >= _MIN_EVENTS * (1 - _ROUNDING):
        return
    raise ParamsError(
        f"events.target_rates: {rate:g} leaves {expected:.3g} expected events per layer ({windows} windows x {tokens} tokens x "
        f"{units} units), at least {_MIN_EVENTS} are needed in every layer\n"
        + _remedy(
            windows * (_MIN_EVENTS / expected if expected else math.inf), _MIN_EVENTS / (windows * tokens * units)
        )
    )


def _remedy(windows: float, rate: float) -> str:
    # both are what the average layer needs, so they are lower bounds
    ways = [f"set windows.n_calibration to more than {math.floor(windows)}"] if windows < _MOST_WINDOWS else []
    ways += [f"use rates above {rate:.3g}"] if rate < 1 else []
    return ", or ".join(ways) or "give longer windows, and more of them"


def _most_units(config: ModelConfig) -> int | None:
    """Return the largest number of units that a layer may have, None where a config does not tell."""
    if architecture_of(str(config.get("model_type"))) is None:
        return None
    given = [config[name] for name in _WIDTHS if config.get(name) is not None]
    if given:
        return max(given) if all(type(each) is int for each in given) else None
    hidden = max(_whole(config, _HIDDEN_WIDTHS), default=None)
    expansion = max([_USUAL_EXPANSION, *_whole(config, ("expansion_ratio",))])
    return None if hidden is None else hidden * expansion


def _whole(config: ModelConfig, names: tuple[str, ...]) -> list[int]:
    values = (config.get(name) for name in names)
    return [value for value in values if type(value) is int and value > 0]
