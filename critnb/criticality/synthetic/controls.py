"""The instrument's own controls: lattices of which it is known whether anything propagates in them.

A criterion that passes on a negative control gives a false alarm; one that does not pass on a positive one misses. No raster
says which of two causes it had: in a negative control events share an input, or stay, and none causes another, but for driven
branching far below the critical point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from critnb.canon import ControlId
from critnb.criticality.synthetic import control_lattices as lattices
from critnb.criticality.synthetic.control_lattices import Counts
from critnb.errors import DataError
from critnb.lattice.randomness import root_key, words

_STREAM = b"control"
# about as dense as the rasters of a small model: 14 % of the sites are active
_RATE, _DENSITY = 0.15, 0.14


@dataclass(frozen=True, eq=False)
class Control:
    """One control: its id, its name, what it is in words, whether anything propagates critically, and how it is drawn."""

    id: ControlId
    name: str
    words: str
    positive: bool
    lattice: Callable[[np.uint64, tuple[int, int, int]], Counts]

    def draw(self, n: int, *, layers: int, tokens: int, seed: int, number: int = 0) -> Counts:
        """Return raster ``number`` of the control: counts uint16 [N, L, T]; raises DataError for an empty lattice."""
        if min(n, layers, tokens) < 1:
            raise DataError(
                f"control {self.id}: a lattice of {layers} layers and {tokens} tokens in {n} windows is empty"
            )
        (key,) = words(root_key(seed, _STREAM, self.id.encode()), np.array([number]))
        return self.lattice(key, (n, layers, tokens))


def _negative(
    id_: ControlId, name: str, said: str, lattice: Callable[..., Counts], **parameters: float | int
) -> Control:
    return Control(id_, name, said, False, partial(lattice, **parameters))


def _branching(id_: ControlId, name: str, said: str, *, m: float, drive: float, positive: bool = True) -> Control:
    return Control(id_, name, said, positive, partial(lattices.driven_cascades, m=m, drive=drive))


CONTROLS: Mapping[ControlId, Control] = {
    control.id: control
    for control in (
        _negative(
            ControlId.INDEPENDENT_SITES, "independent sites", "every site on its own", lattices.independent, rate=_RATE
        ),
        _negative(
            ControlId.WINDOW_RATES,
            "window rates",
            "independent sites, each window at a rate of its own (gamma, shape 4)",
            lattices.window_rates,
            rate=_RATE,
            parts=4,
        ),
        _negative(
            ControlId.HOT_FIRST_TOKENS,
            "hot first tokens",
            "independent sites, the first four tokens of a window at eight times the rate",
            lattices.hot_first_tokens,
            rate=_RATE,
            hot=4,
            factor=8.0,
        ),
        _negative(
            ControlId.TOKEN_BURST,
            "burst of tokens",
            "independent sites, eight neighbouring tokens somewhere in a window at five times the rate",
            lattices.token_burst,
            rate=_RATE,
            length=8,
            factor=5.0,
        ),
        _negative(
            ControlId.SHARED_AR1_WEAK,
            "shared AR(1), s = 0.3",
            "a slow rate that all layers share: log-normal AR(1) along tokens, phi = 0.98, s = 0.3",
            lattices.shared_rate,
            rate=_RATE,
            phi=0.98,
            strength=0.3,
        ),
        _negative(
            ControlId.SHARED_AR1_STRONG,
            "shared AR(1), s = 0.6",
            "a slow rate that all layers share: log-normal AR(1) along tokens, phi = 0.98, s = 0.6",
            lattices.shared_rate,
            rate=_RATE,
            phi=0.98,
            strength=0.6,
        ),
        _negative(
            ControlId.SHARED_TOKEN_EFFECT,
            "shared token effect",
            "a rate of each token that all layers share: log-normal, s = 0.6, tokens independent",
            lattices.shared_rate,
            rate=_RATE,
            phi=0.0,
            strength=0.6,
        ),
        _negative(
            ControlId.FADING_TOKEN_EFFECT,
            "fading token effect",
            "a rate of each token that layers share the less the deeper they lie: s = 1.2 exp(-l / (L/2))",
            lattices.fading_effect,
            rate=_RATE,
            strength=1.2,
            reach=0.5,
        ),
        _negative(
            ControlId.DEPTH_PERSISTENCE,
            "depth persistence",
            "a site stays as the layer below left it with probability 0.9 at the lowest layer, falling to 0.5 at the highest",
            lattices.depth_persistence,
            density=_DENSITY,
            first=0.9,
            last=0.5,
        ),
        _branching(
            ControlId.DRIVEN_SUBCRITICAL,
            "driven, m = 0.5",
            "branching far below the critical point, m = 0.5, under a strong drive of 0.27 a site",
            m=0.5,
            drive=0.27,
            positive=False,
        ),
        _branching(
            ControlId.CRITICAL_SLOW_DRIVE,
            "critical, h = 0.001",
            "exactly critical cascades, m = 1, under a drive of 0.001 a site",
            m=1.0,
            drive=0.001,
        ),
        _branching(
            ControlId.CRITICAL_DRIVE,
            "critical, h = 0.01",
            "exactly critical cascades, m = 1, under a drive of 0.01 a site",
            m=1.0,
            drive=0.01,
        ),
        _branching(
            ControlId.NEARLY_CRITICAL,
            "m = 0.95, h = 0.01",
            "cascades just below the critical point, m = 0.95, under a drive of 0.01 a site",
            m=0.95,
            drive=0.01,
        ),
    )
}


@dataclass(frozen=True)
class NetworkControl:
    """A toy network for the criterion that asks for a model: an event of a layer causes one above with probability ``gain``.

    shared: the part of the variance of a unit's input that all layers share. Values below decide which input a unit reads, so
    that anything put out makes events vanish and appear above, as in a trained model.
    """

    id: ControlId
    name: str
    words: str
    gain: float
    shared: float

    @property
    def positive(self) -> bool:
        """Whether activity is handed on."""
        return self.gain > 0


NETWORKS: Mapping[ControlId, NetworkControl] = {
    network.id: network
    for network in (
        NetworkControl(
            ControlId.SHARED_INPUT_NETWORK,
            "shared-input network",
            "a toy network whose layers share eight tenths of their input, and hand nothing on",
            gain=0.0,
            shared=0.8,
        ),
        NetworkControl(
            ControlId.CONNECTED_NETWORK,
            "connected network",
            "a toy network in which an event causes one in the layer above with probability 0.3",
            gain=0.3,
            shared=0.0,
        ),
    )
}


def described(control_id: str) -> Control | NetworkControl:
    """Return a lattice or a network by its id."""
    id_ = ControlId(control_id)
    return NETWORKS[id_] if id_ in NETWORKS else CONTROLS[id_]
