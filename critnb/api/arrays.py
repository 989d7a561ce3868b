"""Arrays of any kind as the event counts that every estimator of the library takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from critnb.api.arguments import format_number, numbers, whole
from critnb.criticality.sizes.sample import Lattice
from critnb.errors import DataError
from critnb.lattice import Raster

_LARGEST = int(np.iinfo(np.uint16).max)
_OWN = b"an array of one's own"
# A single row has no edge in depth: between two empty rows none of its avalanches touches the border.
_CLOSED = ((0, 0), (1, 1), (0, 0))
_REMEDY = "leave out the sequences that hold them, or fill them with what was measured"


@dataclass(frozen=True, eq=False, repr=False)
class EventCounts:
    """Event counts uint16 [N, L, T]: N sequences of L layers (units, channels, sites) and T tokens (time bins).

    n_units: the most events that a site can hold, which bounds avalanche sizes; seq_id int32 [N]; key: the root of the
    nulls' random numbers, so that the same array has the same nulls everywhere.
    """

    counts: npt.NDArray[np.uint16]
    n_units: int
    seq_id: npt.NDArray[np.int32]
    key: bytes = field(default=_OWN)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, L, T)."""
        return self.counts.shape

    @property
    def occupancy(self) -> float:
        """Share of the sites with at least one event."""
        return float((self.counts > 0).mean())

    @property
    def n_events(self) -> int:
        """Sum of all counts."""
        return int(self.counts.sum(dtype=np.int64))

    @property
    def lattice(self) -> Lattice:
        """The lattice of the avalanches, of the shape that ``for_avalanches`` returns."""
        _, layers, tokens = self.for_avalanches().shape
        return Lattice(layers, tokens, self.n_units)

    def for_avalanches(self) -> npt.NDArray[np.uint16]:
        """Return the counts [N, L, T]; a single row stands between two empty ones, since it has no edge in depth."""
        return np.pad(self.counts, _CLOSED) if self.shape[1] == 1 else self.counts

    def sequence(self, place: int) -> npt.NDArray[np.uint16]:
        """Return the counts [L, T] of the sequence at an index of the axis N; IndexError beyond its end."""
        row: npt.NDArray[np.uint16] = self.counts[place]
        return row

    def sites(self) -> pd.DataFrame:
        """Return one row per occupied site: sequence (its index), layer, token and events."""
        sequence, layer, token = np.nonzero(self.counts)
        events = self.counts[sequence, layer, token]
        return pd.DataFrame({"sequence": sequence, "layer": layer, "token": token, "events": events})

    def with_counts(self, counts: npt.NDArray[np.uint16]) -> EventCounts:
        """Return the same sequences and bound with other counts, such as a null's."""
        return replace(self, counts=counts)

    def __len__(self) -> int:
        return len(self.counts)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.counts, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        n, layers, tokens = self.shape
        lattice = f"{n} sequence{'s' * (n != 1)} of {layers} x {tokens} (layers x tokens)"
        return f"EventCounts: {lattice}, {self.n_events} events on {self.occupancy:.2%} of the sites"


@runtime_checkable
class HasEvents(Protocol):
    """Any object that holds event counts, such as the result of ``critnb.extract``."""

    @property
    def events(self) -> EventCounts:
        """The event counts."""


EventsLike: TypeAlias = EventCounts | HasEvents | Raster | npt.ArrayLike


def event_counts(x: EventsLike, *, n_units: int | None = None) -> EventCounts:
    """Return an occupancy or count array as event counts; every estimator calls this on its input.

    x: bool or whole numbers, [N, L, T] or one sequence [L, T], a ``critnb.lattice.Raster`` of one condition, or the
    result of ``critnb.extract``. Without ``n_units`` the largest count is taken as the most that a site can hold.

    Raises:
        DataError: other axes, an empty one or a single token; missing values (masked, NaN, None, NA); negative, fractional,
            infinite or too large ones; text.
        ParamsError: n_units is no whole number from 1 on.
    """
    if isinstance(x, HasEvents) and isinstance(x.events, EventCounts):  # a frame may have a column of that name
        x = x.events
    if isinstance(x, EventCounts):
        return x if n_units is None else replace(x, n_units=_bound(x.counts, n_units))
    if isinstance(x, Raster):
        return _of_raster(x, n_units)
    counts = _whole(numbers(x, "event counts", remedy=_REMEDY))
    if counts.ndim == 2:
        counts = counts[None]
    if counts.ndim != 3:
        raise DataError(f"event counts: {counts.ndim} axes; give [N, L, T], or [L, T] for one sequence")
    if 0 in counts.shape or counts.shape[2] < 2:
        raise DataError(f"event counts: shape {counts.shape} has an empty axis or fewer than 2 tokens")
    return EventCounts(counts, _bound(counts, n_units), np.arange(len(counts), dtype=np.int32))


def population_activity(spikes: npt.ArrayLike, *, bin_size: int = 1, window: int | None = None) -> EventCounts:
    """Return spike trains summed over units and time bins: one row whose avalanches are runs of active bins.

    spikes: bool or counts [units, time], or [trials, units, time]; ``bin_size`` time steps make one bin; ``window`` bins
    make one sequence, so that a long recording can be resampled. Time steps that do not fill a bin or a window are left
    out. An avalanche is then as Beggs and Plenz (2003) define it, between two empty bins.

    Raises:
        DataError: as ``event_counts``, or where no window of at least two bins is left.
        ParamsError: bin_size or window is no whole number from 1 on.
    """
    for name, number in (("bin_size", bin_size), ("window", 1 if window is None else window)):
        whole(number, f"population activity: {name}")
    trains = event_counts(spikes)
    trials, units, time = trains.shape
    bins = time // bin_size
    length = bins if window is None else window
    if length < 2 or length > bins:
        raise DataError(
            f"population activity: {time} steps in bins of {bin_size} give {bins} bins; windows have {length}"
        )
    kept = bins // length
    steps = trains.counts[..., : kept * length * bin_size].astype(np.int64)
    summed = steps.reshape(trials, units, kept, length, bin_size).sum(axis=(1, 4)).reshape(-1, 1, length)
    return event_counts(summed, n_units=min(_LARGEST, units * bin_size * trains.n_units))


def _of_raster(raster: Raster, n_units: int | None) -> EventCounts:
    if len(raster.conditions) != 1:
        raise DataError(f"event counts: the raster has {len(raster.conditions)} conditions; take one of them first")
    counts = raster.counts[0]
    return EventCounts(counts, _bound(counts, n_units), raster.seq_id, raster.conditions[0].key())


def _whole(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.floor(values)).all()):
        found = "infinite" if not np.isfinite(values).all() else "fractional"
        raise DataError(f"event counts: there are {found} values; give booleans or whole numbers")
    if values.size and (values.min() < 0 or values.max() > _LARGEST):
        ends = f"{format_number(values.min())}..{format_number(values.max())}"
        raise DataError(f"event counts: values lie in {ends}; they must lie in 0..{_LARGEST}")
    return values.astype(np.uint16)


def _bound(counts: npt.NDArray[np.uint16], n_units: int | None) -> int:
    largest = max(1, int(counts.max(initial=0)))
    if n_units is None:
        return largest
    if (bound := whole(n_units, "event counts: n_units")) < largest:
        raise DataError(f"event counts: a site holds {largest} events, more than n_units = {bound}")
    return bound
