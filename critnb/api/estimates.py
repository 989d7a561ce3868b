"""Estimates with their intervals and nulls, and results that print as tables."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from html import escape
from typing import ClassVar

import pandas as pd

NAN = float("nan")


@dataclass(frozen=True, repr=False)
class Estimate:
    """A number, its 95 % interval over resampled sequences, and the same number on a null; NaN where not available.

    null: mean over null replicates, or the number on one replicate; null_sd their spread; p: one-sided, (1 + #{null >=
    value}) / (R + 1). ``reason`` says why something is not available. ``float(estimate)`` is its value.
    """

    value: float
    ci_low: float = NAN
    ci_high: float = NAN
    null: float = NAN
    null_sd: float = NAN
    p: float = NAN
    reason: str = ""

    @property
    def delta(self) -> float:
        """Value minus null."""
        return self.value - self.null

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        beside = [
            "" if math.isnan(self.ci_low) else f"95 % {self.ci_low:.4g} to {self.ci_high:.4g}",
            "" if math.isnan(self.null) else f"null {self.null:.4g}",
            "" if math.isnan(self.p) else f"p {self.p:.2g}",
            self.reason,
        ]
        words = "; ".join(word for word in beside if word)
        return f"{self.value:.4g}" + (f" ({words})" if words else "")


class TableResult(ABC):
    """A result that prints as a table, and that a notebook shows as one."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return the result as a table."""

    @abstractmethod
    def headline(self) -> str:
        """Return the line above the table."""

    def __repr__(self) -> str:
        return f"{self.headline()}\n{text_table(self.to_frame().dropna(axis=1, how='all'))}"

    def _repr_html_(self) -> str:
        return html_table(self.headline(), self.to_frame().dropna(axis=1, how="all"), wide=("reason",))


def text_table(frame: pd.DataFrame) -> str:
    """Return a table as text, numbers to four digits, missing ones as a dash."""
    return frame.to_string(index=False, na_rep="-", float_format="{:.4g}".format)


def html_table(
    headline: str, frame: pd.DataFrame, *, wide: tuple[str, ...] = (), verdicts: tuple[str, ...] = ()
) -> str:
    """Return a table as HTML under a headline; as a caption the line would be as narrow as the table."""
    from critnb.report.display import table

    return f"<div>{escape(headline)}</div>{table(frame, '', wide=wide, verdicts=verdicts).data}"


class Estimates(TableResult):
    """A frozen dataclass whose fields of type ``Estimate`` are the rows of its table."""

    _title: ClassVar[str]

    def headline(self) -> str:
        """Return the estimator and its data in one line."""
        return self._title

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimate: name, value, ci_low, ci_high, null, null_sd, p, reason."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return estimates_frame({name: value for name, value in named.items() if isinstance(value, Estimate)})


def estimates_frame(named: Mapping[str, Estimate]) -> pd.DataFrame:
    """Return one row per estimate, its name first."""
    return pd.DataFrame([{"name": name, **_columns(value)} for name, value in named.items()])


def _columns(estimate: Estimate) -> dict[str, float | str | None]:
    columns = {field.name: getattr(estimate, field.name) for field in fields(estimate)}
    return {**columns, "reason": estimate.reason or None}
