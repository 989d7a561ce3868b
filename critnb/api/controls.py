"""The instrument's own controls: lattices of which it is known whether anything propagates in them."""

from __future__ import annotations

import pandas as pd

from critnb.api.arguments import whole
from critnb.api.arrays import EventCounts, event_counts
from critnb.canon import CANON, ControlId
from critnb.criticality.synthetic import CONTROLS
from critnb.errors import ParamsError

_CONST = CANON.CONST


def control(
    name: str,
    *,
    sequences: int = _CONST.N_WINDOWS_A_RASTERS,
    layers: int = 24,
    tokens: int = _CONST.SEQ_LEN_TOKENS,
    number: int = 0,
    seed: int = _CONST.CONTROL_SEED,
) -> EventCounts:
    """Draw one raster of a control, to see what a statistic of your own says where the truth is known.

    name: one of ``critnb.controls()``; number: which of the control's rasters. Negative controls look structured without
    anything being handed on; positive ones are critical branching cascades. The first n of more sequences are the n.

    Raises:
        DataError: fewer than two tokens.
        ParamsError: no such control, or a number that is no whole one.
    """
    if name not in CONTROLS:
        raise ParamsError(f"control: {name!r} is none of {', '.join(CONTROLS)}")
    for argument, value in (("sequences", sequences), ("layers", layers), ("tokens", tokens)):
        whole(value, f"control: {argument}")
    whole(number, "control: number", least=0)
    whole(seed, "control: seed", least=None)
    return event_counts(
        CONTROLS[ControlId(name)].draw(sequences, layers=layers, tokens=tokens, seed=seed, number=number)
    )


def controls() -> pd.DataFrame:
    """Return the controls, one row each: name, kind (negative, positive) and what the lattice is in words."""
    rows = [(str(one.id), "positive" if one.positive else "negative", one.words) for one in CONTROLS.values()]
    return pd.DataFrame(rows, columns=["name", "kind", "what it is"])
