"""The columns that set branching beside a raster null: their names, made here and nowhere else, and their schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from critnb.canon import NullId
from critnb.lattice import PRIMARY, RASTER_NULLS, SECONDARY, null_of
from critnb.report.schema.columns import PER_SITE, SHARE, flag, interval, number
from critnb.report.schema.model import Column, Range

# what the columns of the primary null's statistics end in
TWIN = f"_{null_of(PRIMARY).short}"
# and those of the null of fixed margins
MARGINS_TWIN = "_margins"
EXPECTED = f"opt_b_tot{TWIN}_expected"


@dataclass(frozen=True)
class NullColumns:
    """The columns of one branching ratio beside one raster null; ``ends`` is the stem of its delta's interval."""

    mean: str
    delta: str
    ends: str
    sd: str
    z: str
    p: str


def null_columns(null_id: NullId, ratio: str = "b_tot") -> NullColumns:
    """Return the names for a null and a ratio; the mean and delta of the primary null are columns of the contract."""
    short = null_of(null_id).short
    prefix, stem = ("", f"delta_{ratio}") if null_id == PRIMARY else ("opt_", f"delta_{ratio}_{short}")
    return NullColumns(
        mean=f"{prefix}{ratio}_{short}",
        delta=f"{prefix}{stem}",
        ends=f"opt_{stem}",
        sd=f"opt_{ratio}_{short}_sd",
        z=f"opt_{stem}_z",
        p=f"opt_{stem}_p",
    )


def marginals_column(null_id: NullId) -> str:
    """Return the column that says whether a replicate of the null kept what it must keep."""
    return f"opt_{null_of(null_id).short}_null_marginals_exact"


def secondary_columns() -> Iterator[Column]:
    """Yield the columns of b_tot beside each null but the primary one."""
    for null in SECONDARY:
        names, of_null = null_columns(null.null_id), f"the {null.adjective} null"
        about = f"; {null.asks}" if null.asks else ""
        yield number(names.mean, PER_SITE, f"mean b_tot over {of_null}'s replicates", Range(0.0, 2.0))
        yield number(names.delta, PER_SITE, f"b_tot - {names.mean}{about}")
        yield from interval(names.ends, PER_SITE)
        yield number(names.z, "-", f"{names.delta} over its null's standard deviation")
        yield number(names.p, "-", f"one-sided p under {of_null}", SHARE)


def excess_columns() -> Iterator[Column]:
    """Yield the excess of b_tot over each null but the primary one, with its interval."""
    for null in SECONDARY:
        names = null_columns(null.null_id)
        yield number(names.delta, PER_SITE, f"b_tot minus its mean under the {null.adjective} null")
        yield from interval(names.ends, PER_SITE)


def marginals_columns() -> Iterator[Column]:
    """Yield a flag per raster null: whether it kept what it must keep."""
    for null in RASTER_NULLS.values():
        yield flag(marginals_column(null.null_id), f"{null.adjective} null: {null.keeps}")
