"""Builders of columns, and the columns that several tables share."""

from __future__ import annotations

from critnb.canon import DatasetRole, GCondition, Intervention, ModelRole, SpikeDef, Stage
from critnb.report.schema.model import Allowed, Column, DType, Range

NOT_NEGATIVE = Range(0.0)
SHARE = Range(0.0, 1.0)
TOTAL = Range(0.0, 2.0)
PER_SITE = "successors/site"
RATE = "events/unit/token"
SIZE = "events"
SEQUENCES, QUESTIONS = "sequence", "question"


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


def interval(of: str, unit: str, allowed: Allowed | None = None, *, over: str = SEQUENCES) -> tuple[Column, ...]:
    """Return the two end columns of a statistic's 95 % bootstrap interval ``over`` what is drawn again, named after it."""
    what = of.removeprefix("opt_")
    return tuple(
        number(f"{of}_ci_{end}", unit, f"{word} end of the 95 % {over}-bootstrap interval of {what}", allowed)
        for end, word in (("low", "lower"), ("high", "upper"))
    )


def with_interval(
    name: str, unit: str, meaning: str, allowed: Allowed | None = None, *, over: str = SEQUENCES
) -> tuple[Column, ...]:
    """Return a statistic's column and its interval's two."""
    return (number(name, unit, meaning, allowed), *interval(name, unit, allowed, over=over))


def with_null_twin(name: str, unit: str, meaning: str) -> tuple[Column, ...]:
    """Return a statistic's column, its interval's, and the same of the permutation null, named ``..._perm``."""
    of_null = f"{name.removeprefix('opt_')} of the permutation null, on the same support and durations"
    return (*with_interval(name, unit, meaning), *with_interval(f"{name}_perm", unit, of_null))


PROVENANCE = (
    text("run_id", "run that wrote the table"),
    text("stage_id", "stage of that run", Stage),
    text("model_id", "model as the run's record names it"),
    text("config_hash", "sha256 of the run's resolved configuration"),
    text("code_version", "version of the pack"),
)
DATASET = text("dataset_role", "role of the data", DatasetRole)
SPIKE_DEF = text("spike_def_id", "what counts as an event", SpikeDef)
TARGET_RATE = number("target_rate", RATE, "label rate: mean over layers of the layers' target rates", SHARE)
SPIKES = (text("model_role", "role of the model", ModelRole), DATASET, SPIKE_DEF, TARGET_RATE)
GAIN = number("g", "-", "gain on what every MLP adds to the residual stream", NOT_NEGATIVE)
G_CONDITION = text("g_condition", "which gain", GCondition)
THAT_GAIN = number("g", "-", "that gain", NOT_NEGATIVE)
INTERVENTION = text("intervention_id", "what is scaled, in which layers", Intervention)
OCCUPANCY = number("opt_occupancy", "sites/site", "share of lattice sites with an event", SHARE)
BRANCHING_REASON = text(
    "opt_reason_branching", "why b_tot, its excess over a null or an interval of them is not available, else empty"
)
# the keys of tables with a row per condition, and what every such table begins with
GRID_KEY = ("spike_def_id", "target_rate", "g")
G_CONDITION_KEY = ("spike_def_id", "target_rate", "g_condition")
AT_EACH_GAIN = (*PROVENANCE, *SPIKES, GAIN)
AT_G_CONDITIONS = (*PROVENANCE, *SPIKES, G_CONDITION, THAT_GAIN)
