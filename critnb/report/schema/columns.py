"""Builders of columns, and the columns that several tables share."""

from __future__ import annotations

from dataclasses import replace

from critnb.canon import DatasetRole, Intervention, ModelRole, SpikeDef, Stage
from critnb.report.schema.model import Allowed, Column, DType, Range

NOT_NEGATIVE = Range(0.0)
SHARE = Range(0.0, 1.0)
PER_SITE = "successors/site"
RATE = "events/unit/token"
SIZE = "events"


def text(name: str, meaning: str, allowed: Allowed | None = None) -> Column:
    """Return a column of words."""
    return Column(name, DType.TEXT, "-", meaning, allowed)


def count(name: str, unit: str, meaning: str) -> Column:
    """Return a column of whole numbers that are not negative."""
    return Column(name, DType.INT, unit, meaning, NOT_NEGATIVE)


def number(name: str, unit: str, meaning: str, allowed: Allowed | None = None) -> Column:
    """Return a column of floats, NaN where not available."""
    return Column(name, DType.FLOAT, unit, meaning, allowed)


def flag(name: str, meaning: str) -> Column:
    """Return a column of truth values."""
    return Column(name, DType.BOOL, "-", meaning)


def optional(*columns: Column) -> tuple[Column, ...]:
    """Return the columns as ones that may be absent."""
    return tuple(replace(column, optional=True) for column in columns)


def interval(of: str, unit: str, allowed: Allowed | None = None) -> tuple[Column, ...]:
    """Return the two end columns of the 95 % interval of a statistic, named after it."""
    what = of.removeprefix("opt_")
    return tuple(
        number(f"{of}_ci_{end}", unit, f"{word} end of the 95 % sequence-bootstrap interval of {what}", allowed)
        for end, word in (("low", "lower"), ("high", "upper"))
    )


def with_interval(
    name: str, unit: str, meaning: str, allowed: Allowed | None = None, *, named: str | None = None
) -> tuple[Column, ...]:
    """Return a statistic's column and its interval's two; ``named`` is the stem of theirs where it is not ``name``."""
    return (number(name, unit, meaning, allowed), *interval(named or name, unit, allowed))


def with_null_twin(name: str, unit: str, meaning: str, *, has_interval: bool = True) -> tuple[Column, ...]:
    """Return a statistic's column, its interval's, and the same of the permutation null, named ``..._perm``."""
    of_null = f"{name.removeprefix('opt_')} of one replicate of the permutation null, on the same support and durations"
    pair = ((name, meaning), (f"{name}_perm", of_null))
    return tuple(
        column
        for one, words in pair
        for column in (with_interval(one, unit, words) if has_interval else (number(one, unit, words),))
    )


PROVENANCE = (
    text("run_id", "run that wrote the table"),
    text("stage_id", "stage of that run", Stage),
    text("model_id", "model as the run's record names it"),
    text("config_hash", "sha256 of the run's resolved configuration"),
    text("code_version", "version of the pack"),
)
SPIKES = (
    text("model_role", "role of the model", ModelRole),
    text("dataset_role", "role of the data", DatasetRole),
    text("spike_def_id", "what counts as an event", SpikeDef),
    number("target_rate", RATE, "label rate: mean over layers of the layers' target rates", SHARE),
)
GAIN = number("g", "-", "gain on what every MLP adds to the residual stream", NOT_NEGATIVE)
BRANCHING_REASON = text(
    "opt_reason_branching", "why b_tot, its excess over a null or an interval of them is not available, else empty"
)
GRID_KEY = ("spike_def_id", "target_rate", "g")
INTERVENTION = text("intervention_id", "what is scaled, in which layers", Intervention)
