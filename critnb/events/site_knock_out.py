"""The events of one site of one window put out: where events of the layers above then vanish and appear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.errors import DataError
from critnb.events.calibration import Calibration
from critnb.events.random_places import distinct_choices
from critnb.events.screening import event_places
from critnb.lattice.randomness import root_key, words
from critnb.model.forward import ForwardPasses, Setting
from critnb.model.partial import KeptPass, ReplaceableLayer, each_kept_pass

Counts = NDArray[np.int64]
# the flat place (t F + unit) of each event of a window
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SiteKnockOut:
    """What putting out the ``out`` events of a site did: events lost and new, int64 [L, T], zero up to the site's layer.

    control_lost and control_new: how many in all when as many random units without an event are put out at that site.
    """

    out: int
    lost: Counts
    new: Counts
    control_lost: int
    control_new: int


def knock_out_site(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    tau: NDArray[np.float64],
    spike_def: SpikeDef,
    setting: Setting,
    *,
    layer: int,
    token: int,
    seed: int,
) -> SiteKnockOut:
    """Put the events of a site of ``tokens`` [T] to their mean and run the blocks above again; tau [L].

    ``token`` counts from the end of the burn-in. Raises DataError for the last layer and for a site without an event, and
    ModelError where the model's blocks cannot be run from a kept stream.
    """
    if layer >= passes.model.n_layers - 1:
        raise DataError(f"layer {layer} is the last: no layer above it could lose an event")
    work = _Work(calibration, tau, spike_def, {}, (len(tokens) - passes.burn_in, passes.model.n_units))
    found: list[SiteKnockOut] = []

    def knock(_first: int, kept: KeptPass) -> None:
        found.append(work.at(kept, layer, token, seed))

    each_kept_pass(passes, tokens[None], setting, knock, work.read)
    return found[0]


@dataclass(frozen=True, eq=False)
class _Work:
    calibration: Calibration
    tau: NDArray[np.float64]
    spike_def: SpikeDef
    base: dict[int, Places]
    shape: tuple[int, int]

    def read(self, _first: int, layer: int, u: Tensor) -> None:
        self.base[layer] = self._events(layer, u)

    def at(self, kept: KeptPass, layer: int, token: int, seed: int) -> SiteKnockOut:
        n_units = self.shape[1]
        site, unit = np.divmod(self.base[layer], n_units)
        units = unit[site == token]
        if not len(units):
            raise DataError(f"no event at token {token}, layer {layer}: there is nothing to put out")
        key = words(root_key(seed, b"site knock-out"), np.array([layer * self.shape[0] + token]))
        _, others = distinct_choices(np.zeros(len(units), dtype=np.int64), units, key, bound=n_units)
        at = kept.replaceable(layer)
        lost, new = self._changes(at, token, units)
        control_lost, control_new = self._changes(at, token, others)
        return SiteKnockOut(len(units), lost, new, int(control_lost.sum()), int(control_new.sum()))

    def _changes(self, at: ReplaceableLayer, token: int, units: NDArray[np.int64]) -> tuple[Counts, Counts]:
        lost, new = (np.zeros((len(self.base), self.shape[0]), dtype=np.int64) for _ in range(2))

        def replace(u: Tensor) -> None:
            here = torch.from_numpy(units).to(u.device)
            u[0, token, here] = torch.from_numpy(self.calibration.mu[at.layer][units]).to(u.device, u.dtype)

        def read(above: int, u: Tensor) -> None:
            before, after = self.base[above], self._events(above, u)
            lost[above] = self._per_token(np.setdiff1d(before, after, assume_unique=True))
            new[above] = self._per_token(np.setdiff1d(after, before, assume_unique=True))

        at.rerun(replace, read)
        return lost, new

    def _events(self, layer: int, u: Tensor) -> Places:
        return event_places(u, layer, self.calibration, self.spike_def, float(self.tau[layer]))

    def _per_token(self, places: Places) -> Counts:
        return np.bincount(places // self.shape[1], minlength=self.shape[0])
