"""Base rates of events and the target rate of every layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from critnb.canon import CANON, SpikeDef
from critnb.errors import DataError

_MIN_EVENTS = CANON.CONST.RATE_MATCH_MIN_EVENTS


@dataclass(frozen=True)
class Rarest:
    """Where a rate asks for the fewest events, and how many are expected there."""

    events: float
    spike_def: SpikeDef
    rate: float
    layer: int

    @property
    def enough(self) -> bool:
        """Whether they are RATE_MATCH_MIN_EVENTS, so that the rate can be matched."""
        return self.events >= _MIN_EVENTS


@dataclass(frozen=True)
class RateTargets:
    """Base rates [L] of each spike definition at TAU0 and gain 1, and the label rates rho to be matched.

    A layer's target is r_base[l] * rho / mean(r_base): layers keep their relative rates and their mean is rho.
    """

    tau0: float
    n_units: int
    base: Mapping[SpikeDef, NDArray[np.float64]]
    rates: tuple[float, ...]

    def scale(self, spike_def: SpikeDef, rate: float) -> float:
        """Return rho / mean(r_base)."""
        return rate / float(self.base[spike_def].mean())

    def target(self, spike_def: SpikeDef, rate: float) -> NDArray[np.float64]:
        """Return the target rate of every layer, [L]."""
        return self.base[spike_def] * self.scale(spike_def, rate)

    def events(self, spike_def: SpikeDef, rate: float, n_samples: int) -> NDArray[np.int64]:
        """Return how many of ``n_samples`` values each layer's threshold has to let through, [L]."""
        return np.rint(self.target(spike_def, rate) * n_samples).astype(np.int64)

    def wanted(self, *, windows: int, tokens: int) -> NDArray[np.int64]:
        """Return the events of every spike definition, rate and layer, [D, R, L]."""
        n_samples = windows * tokens * self.n_units
        return np.array([[self.events(d, rate, n_samples) for rate in self.rates] for d in self.base])

    def rarest(self, n_samples: int) -> Rarest:
        """Return where the fewest events are expected among ``n_samples`` values per layer."""
        expected = [
            Rarest(float(target.min() * n_samples), spike_def, rate, int(target.argmin()))
            for spike_def in self.base
            for rate in self.rates
            for target in [self.target(spike_def, rate)]
        ]
        return min(expected, key=lambda one: one.events)

    def check_feasible(self, *, windows: int, tokens: int) -> None:
        """Raise DataError where a layer expects too few events, naming layer, rate and the windows needed, or more than values."""
        for spike_def, base in self.base.items():
            if len(silent := np.flatnonzero(base == 0)):
                raise DataError(
                    f"layer {silent[0]} has no {spike_def} event above tau0 = {self.tau0:g}, so its rate cannot be matched\n"
                    "lower tau0 (events.tau0 of a params file), or calibrate on more windows"
                )
        self._check_room(windows * tokens * self.n_units)
        if not (rarest := self.rarest(windows * tokens * self.n_units)).enough:
            needed = math.ceil(windows * _MIN_EVENTS / rarest.events)
            raise DataError(
                f"target rate {rarest.rate:g} leaves layer {rarest.layer} with {rarest.events:.1f} expected "
                f"{rarest.spike_def} events, at least {_MIN_EVENTS} are needed\n"
                f"calibrate on {needed} windows or more instead of {windows} (windows.n_calibration of a params file), or "
                "raise that rate"
            )

    def _check_room(self, n_samples: int) -> None:
        """Raise DataError where a layer, whose target may be far above the mean, would have an event at every value."""
        for spike_def in self.base:
            for rate in self.rates:
                events = self.events(spike_def, rate, n_samples)
                if len(full := np.flatnonzero(events >= n_samples)):
                    raise DataError(
                        f"target rate {rate:g} asks for {events[full[0]]} {spike_def} events among the {n_samples} values of layer "
                        f"{full[0]}\ntake a lower rate"
                    )

    def as_dict(self) -> dict[str, Any]:
        """Return the content of rate_targets.json."""
        return {
            "L": len(next(iter(self.base.values()))),
            "F": self.n_units,
            "tau0": self.tau0,
            "gain": CANON.CONST.GAIN_BASELINE,
            "r_base": {spike_def: base.tolist() for spike_def, base in self.base.items()},
            "r_star": {d: {repr(rate): self.target(d, rate).tolist() for rate in self.rates} for d in self.base},
            "scale": {d: {repr(rate): self.scale(d, rate) for rate in self.rates} for d in self.base},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> RateTargets:
        """Inverse of ``as_dict``."""
        base = {SpikeDef(name): np.array(values) for name, values in content["r_base"].items()}
        rates: Sequence[str] = list(next(iter(content["r_star"].values())))
        return cls(content["tau0"], content["F"], base, tuple(float(rate) for rate in rates))
