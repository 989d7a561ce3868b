"""One window on the lattice: its events and avalanches, with their colours and descriptions."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from critnb.api.arrays import EventsLike, event_counts
from critnb.api.cascades import avalanches
from critnb.criticality import EMPTY_SITE, Avalanches
from critnb.errors import DataError
from critnb.report.style import OKABE_ITO

Counts = npt.NDArray[np.uint16]

SINGLE = "#c4c4c4"
# the largest avalanches have a strong colour each; of the rest, neighbours in size differ by a muted one
LARGEST = OKABE_ITO[:6]
MUTED = ("#93a8bd", "#c0a68a", "#94b5a5", "#bda3b6")


@dataclass(frozen=True)
class Facts:
    """One avalanche: its sizes, its extents (ends included), whether it touches an edge of the window, and its text."""

    avalanche_id: int
    size: int
    area: int
    tokens: tuple[int, int]
    layers: tuple[int, int]
    censored: bool
    text: tuple[str, ...] | None

    def words(self) -> str:
        """Return the facts in one line."""
        (t_min, t_max), (l_min, l_max) = self.tokens, self.layers
        edge = "reaches an edge: its size is censored" if self.censored else "touches no edge: not censored"
        return (
            f"avalanche {self.avalanche_id}: {_many(self.size, 'event')} on {_many(self.area, 'site')} · "
            f"{_span('token', t_min, t_max)} · {_span('layer', l_min, l_max)} · {edge}"
        )


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _span(noun: str, first: int, last: int) -> str:
    return f"{noun} {first}" if first == last else f"{noun}s {first}–{last} ({last - first + 1})"


def described(facts: Facts | None) -> str:
    """Return an avalanche in HTML, nothing for none."""
    if facts is None:
        return ""
    words = f"<b>{html.escape(facts.words())}</b>"
    if facts.text is None:
        return words
    text = html.escape("".join(facts.text))
    return f'{words}<br><span style="font-family:monospace">{text}</span>'


@dataclass(frozen=True, eq=False)
class Window:
    """Event counts uint16 [L, T] with labels int32 [L, T] (the avalanche's id, or EMPTY_SITE) and tokens [T] or None."""

    counts: Counts
    labels: npt.NDArray[np.int32]
    avalanches: Avalanches
    tokens: tuple[str, ...] | None

    @classmethod
    def of(cls, array: EventsLike, *, adjacency: str, tokens: Sequence[str] | None = None) -> Window:
        """Find the avalanches of one sequence [L, T] of event counts, as ``critnb.avalanches`` does.

        Raises DataError and ParamsError as that, and DataError for several sequences or another number of tokens than T.
        """
        events = event_counts(array)
        if len(events) != 1:
            raise DataError(f"a raster to view is one window [layers, tokens], not {len(events)} of them; take one")
        counts = events.sequence(0)
        if tokens is not None and len(tokens) != counts.shape[1]:
            raise DataError(f"{len(tokens)} tokens for a raster of {counts.shape[1]}; give one a column, or None")
        found = avalanches(events, adjacency=adjacency)
        return cls(counts, found.labels()[0], found.on_lattice(), None if tokens is None else tuple(tokens))

    @property
    def n_events(self) -> int:
        """Number of events."""
        return int(self.counts.sum(dtype=np.int64))

    def at(self, *, layer: int, token: int) -> int | None:
        """Return the id of the avalanche on a site, None where the site is empty."""
        found = int(self.labels[layer, token])
        return None if found == EMPTY_SITE else found

    def facts(self, avalanche_id: int) -> Facts:
        """Return the facts of an avalanche; raises DataError for an id that the window does not hold."""
        if not 0 <= avalanche_id < len(self.avalanches):
            raise DataError(f"no avalanche {avalanche_id}; the window holds {len(self.avalanches)}")
        found, i = self.avalanches, avalanche_id
        first, last = int(found.t_min[i]), int(found.t_max[i])
        return Facts(
            avalanche_id=i,
            size=int(found.size[i]),
            area=int(found.area[i]),
            tokens=(first, last),
            layers=(int(found.l_min[i]), int(found.l_max[i])),
            censored=bool(found.touches_edge[i]),
            text=None if self.tokens is None else self.tokens[first : last + 1],
        )

    @property
    def by_size(self) -> list[int]:
        """The avalanches' ids, the largest first: by size, then area, then position."""
        found = self.avalanches
        order: list[int] = np.lexsort((found.avalanche_id, -found.area, -found.size)).tolist()
        return order

    def colours(self) -> list[str]:
        """Return one colour per avalanche: the six largest of more than one site distinct, the rest muted, single sites grey.

        They follow ``by_size``, so the same window always looks the same.
        """
        found = self.avalanches
        several = [i for i in self.by_size if found.area[i] > 1]
        colours = [SINGLE] * len(found)
        for rank, i in enumerate(several):
            colours[i] = LARGEST[rank] if rank < len(LARGEST) else MUTED[rank % len(MUTED)]
        return colours

    def words(self) -> str:
        """Return the window in one line."""
        found = self.avalanches
        if not len(found):
            return "no events in this window"
        several = int((found.area > 1).sum())
        return (
            f"{_many(self.n_events, 'event')}, {_many(len(found), 'avalanche')}, {several} of more than one site, "
            f"the largest of {_many(int(found.size.max()), 'event')}"
        )
