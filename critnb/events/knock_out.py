"""Knock-outs: events of one layer put to their mean, and what then vanishes and appears in the layers above.

Each knock-out is one partial pass from the kept stream; what its layer does before u is shared by all of them. Thresholds
stay, and batches have the shape of the base pass, so that a knock-out that changes nothing gives exactly zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import SpikeDef
from critnb.criticality.knock_outs import KnockOutSums, Variant
from critnb.errors import DataError
from critnb.events.calibration import Calibration
from critnb.events.random_places import distinct_choices
from critnb.events.screening import event_places
from critnb.lattice.randomness import Words, root_key, words
from critnb.model.forward import ForwardPasses, OnBatch, Setting, unreported
from critnb.model.partial import KeptPass, ReplaceableLayer, each_kept_pass

# the flat place ((b T + t) F + unit) of each event of a batch, ascending
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Batch:
    """The shape of a batch [B, T, F], T without burn-in, and the ids of its windows [B]."""

    shape: tuple[int, int, int]
    seq_id: NDArray[np.integer]

    def per_window(self, places: Places) -> NDArray[np.int64]:
        n_windows, length, n_units = self.shape
        return np.bincount(places // (length * n_units), minlength=n_windows)

    def occupied(self, places: Places) -> NDArray[np.bool_]:
        n_windows, length, n_units = self.shape
        sites = np.zeros(n_windows * length, dtype=bool)
        sites[places // n_units] = True
        return sites.reshape(n_windows, length)


@dataclass(frozen=True, eq=False)
class KnockOutRule:
    """A condition's rule for events: its definition and thresholds [L]; and its random key (``knock_out_key``)."""

    spike_def: SpikeDef
    tau: NDArray[np.float64]
    key: np.uint64

    def events(self, u: Tensor, layer: int, calibration: Calibration) -> Places:
        """Return the places of the events of u [B, T, F]."""
        return event_places(u, layer, calibration, self.spike_def, float(self.tau[layer]))


def knock_out_key(seed: int, condition_key: bytes) -> np.uint64:
    """Return the random key of a condition's knock-outs; ``condition_key`` is its ``key()``."""
    return root_key(seed, b"knock-out", condition_key)


def knock_out(
    passes: ForwardPasses,
    tokens: NDArray[np.int64],
    calibration: Calibration,
    tau: NDArray[np.float64],
    spike_defs: Sequence[SpikeDef],
    setting: Setting,
    *,
    seed: int,
    seq_id: NDArray[np.integer],
    condition_keys: Sequence[Sequence[bytes]],
    on_batch: OnBatch = unreported,
) -> KnockOutSums:
    """Knock out the events of every layer but the last of ``tokens`` [N, T], one layer at a time; sums [D, R, V, N, L-1].

    tau [D, R, L]; seq_id [N] are the ids of the windows and ``condition_keys`` [D][R] the conditions' ``key()``: random
    units and places depend on them, ``seed``, layer and place only, so that any window can be done alone. Raises DataError
    where a layer below the last is missing (L = 1) or the shapes do not fit, ModelError where the blocks of the model
    cannot be run from a kept stream, and NonFiniteError where activations are not finite.
    """
    if tau.shape[0] != len(spike_defs) or tau.shape[2:] != (passes.model.n_layers,) or len(seq_id) != len(tokens):
        raise DataError(f"knock-outs: tau {tau.shape} and {len(seq_id)} window ids do not fit {len(tokens)} windows")
    rules = [
        KnockOutRule(spike_def, tau[d, r], knock_out_key(seed, condition_keys[d][r]))
        for d, spike_def in enumerate(spike_defs)
        for r in range(tau.shape[1])
    ]
    knocked = KnockOuts(passes, tokens, calibration, rules, seq_id)
    each_kept_pass(passes, tokens, setting, knocked, knocked.read, on_batch)
    sums = knocked.sums.arrays().items()
    return KnockOutSums.from_arrays({name: array.reshape(*tau.shape[:2], *array.shape[1:]) for name, array in sums})


class KnockOuts:
    """The knock-outs of several rules under one setting, from one whole pass: what ``each_kept_pass`` calls for each batch.

    ``read`` takes u of the whole pass, the object itself the kept pass. ``sums`` [C, V, N, L-1] of C rules are whole when all
    windows of ``tokens`` [N, T], whose ids are seq_id [N], have been there. Raises DataError for a model of one layer.
    """

    def __init__(
        self,
        passes: ForwardPasses,
        tokens: NDArray[np.int64],
        calibration: Calibration,
        rules: Sequence[KnockOutRule],
        seq_id: NDArray[np.integer],
    ) -> None:
        n_layers = passes.model.n_layers
        if n_layers < 2:
            raise DataError("knock-outs: a model of one layer has no layer above that events could act on")
        self.sums = KnockOutSums.zeros((len(rules), len(tokens), n_layers - 1))
        self._rules, self._calibration, self._seq_id = rules, calibration, seq_id
        self._shape = (tokens.shape[1] - passes.burn_in, passes.model.n_units)
        self._base: list[list[Places]] = [[] for _ in range(n_layers)]

    def read(self, _first: int, layer: int, u: Tensor) -> None:
        """Take u [B, T - burn_in, F] of a layer of the whole pass."""
        self._base[layer] = [rule.events(u, layer, self._calibration) for rule in self._rules]

    def __call__(self, first: int, kept: KeptPass) -> None:
        """Do all knock-outs of a batch whose first window is row ``first``."""
        rows = slice(first, first + kept.n_windows)
        batch = _Batch((kept.n_windows, *self._shape), np.asarray(self._seq_id[rows]))
        of_rules = [
            _Work(batch, rule, self._calibration, [of_layer[number] for of_layer in self._base])
            for number, rule in enumerate(self._rules)
        ]
        for layer in range(len(self._base) - 1):
            # a layer without any event is left alone
            at = kept.replaceable(layer) if any(map(len, self._base[layer])) else None
            for number, work in enumerate(of_rules):
                work.write(layer, at, self.sums, (number, rows))


@dataclass(frozen=True, eq=False)
class _Work:
    """The knock-outs of one rule in one batch; ``base`` holds the events of each layer before any of them."""

    batch: _Batch
    rule: KnockOutRule
    calibration: Calibration
    base: list[Places]

    def write(self, layer: int, at: ReplaceableLayer | None, sums: KnockOutSums, into: tuple[int, slice]) -> None:
        """Do the knock-outs of a layer and write what they did into the sums of these windows."""
        number, rows = into
        occupied = self.batch.occupied(self.base[layer])
        pairs, expected = _pairs(occupied, self.batch.occupied(self.base[layer + 1]))
        sums.events_next[number, rows, layer] = self.batch.per_window(self.base[layer + 1])
        sums.pairs_before[number, rows, layer], sums.expected_before[number, rows, layer] = pairs, expected
        for variant in Variant:
            places = self._put_out(layer, variant)
            here = number, variant, rows, layer
            # what changes nothing leaves the pairs as they were
            sums.pairs[here], sums.expected[here] = pairs, expected
            if at is not None and len(places):
                sums.out[here] = self.batch.per_window(places)
                for above, after in self._rerun(at, places):
                    lost, new = self._changes(above, after)
                    sums.lost_above[here] += lost
                    sums.new_above[here] += new
                    if above == layer + 1:
                        sums.lost_next[here], sums.new_next[here] = lost, new
                        sums.pairs[here], sums.expected[here] = _pairs(occupied, self.batch.occupied(after))

    def _changes(self, layer: int, after: Places) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        before = self.base[layer]
        both = self.batch.per_window(np.intersect1d(before, after, assume_unique=True))
        return self.batch.per_window(before) - both, self.batch.per_window(after) - both

    def _rerun(self, at: ReplaceableLayer, places: Places) -> list[tuple[int, Places]]:
        found: list[tuple[int, Places]] = []

        def replace(u: Tensor) -> None:
            site, unit = (torch.from_numpy(each).to(u.device) for each in np.divmod(places, self.batch.shape[2]))
            mu = torch.from_numpy(self.calibration.mu[at.layer]).to(u.device, u.dtype)
            u[site // u.shape[1], site % u.shape[1], unit] = mu[unit]

        at.rerun(replace, lambda above, u: found.append((above, self.rule.events(u, above, self.calibration))))
        return found

    def _put_out(self, layer: int, variant: Variant) -> Places:
        """Return what a variant puts to its mean: the events, or as many others as chance chooses."""
        events, (_, length, n_units) = self.base[layer], self.batch.shape
        site, unit = np.divmod(events, n_units)
        window, token = np.divmod(site, length)
        if variant is Variant.EVENTS or not len(events):
            return events
        keys = words(words(self.rule.key, self.batch.seq_id), layer * len(Variant) + int(variant))[window]
        if variant is Variant.RANDOM_UNITS:
            group, chosen = _beside(site, unit, words(keys, token), bound=n_units)
            return np.sort(group * n_units + chosen)
        group, chosen = _beside(window * n_units + unit, token, words(keys, unit), bound=length)
        window, unit = np.divmod(group, n_units)
        return np.sort((window * length + chosen) * n_units + unit)


def _beside(
    group: NDArray[np.int64], taken: NDArray[np.int64], keys: Words, *, bound: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return as many other members of each group, at random, as are taken: their groups and what was chosen."""
    names, first, index = np.unique(group, return_index=True, return_inverse=True)
    row, chosen = distinct_choices(index, taken, keys[first], bound=bound)
    return names[row], chosen


def _pairs(occupied: NDArray[np.bool_], above: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of a layer [B, T] with the one above, and their number in random order, k k' / T, per window."""
    both = np.count_nonzero(occupied & above, axis=1)
    expected = np.count_nonzero(occupied, axis=1) * np.count_nonzero(above, axis=1) / occupied.shape[1]
    return both, expected
