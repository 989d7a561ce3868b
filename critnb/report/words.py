"""Numbers in words for the notebooks' tables: values with intervals, p-values, spike definitions."""

from __future__ import annotations

import math

import pandas as pd

from critnb.canon import SpikeDef

_NOTHING = "–"
# below the first a p-value has a digit more, so that the floor of 1999 replicates is told from that of 999
_SMALL_P, _SMALLEST_P = 0.001, 0.0001
_SPELLED = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SPIKE_NAMES = {SpikeDef.SPIKE_ONE_SIDED_POS: "one-sided", SpikeDef.SPIKE_TWO_SIDED_ABS: "two-sided"}


def counted(n: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun: "1 rate", "2 rates"; ``nouns`` is the plural where it is not noun + s."""
    return f"{n} {agreeing(n, noun, nouns or noun + 's')}"


def said(n: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun in a sentence: "one rate", "two rates", "no rates"."""
    return f"{spelled(n)} {agreeing(n, noun, nouns or noun + 's')}"


def spelled(n: int) -> str:
    """Return a small number in words, "no" for zero, for sentences that count things of the pack; digits from thirteen on."""
    return _SPELLED[n] if n < len(_SPELLED) else str(n)


def told(n: int) -> str:
    """Return a number as a sentence has it that counts what was found: "none", "two", digits from thirteen on."""
    return spelled(n) if n else "none"


def among(n: int, total: int, noun: str, nouns: str = "") -> str:
    """Return a share of things as a person would say it: "none of the six rates", "two of six rates", "all six rates"."""
    several = nouns or f"{noun}s"
    if total == 1:
        return f"the one {noun}" if n else f"no {noun}"
    if not total:
        return f"no {noun}"
    if n == total:
        return f"both {several}" if n == 2 else f"all {spelled(n)} {several}"
    return f"{told(n)} of {'' if n else 'the '}{spelled(total)} {several}"


def agreeing(n: int, one: str, several: str) -> str:
    """Return the word that agrees with a number."""
    return one if n == 1 else several


def with_interval(shown: pd.DataFrame, name: str, ends: str | None = None, digits: int = 3) -> list[str]:
    """Return ``value [low, high]`` in words, a dash for what is not available; ``ends`` is the interval columns' stem."""
    stem = ends or (name if name.startswith("opt_") else f"opt_{name}")
    columns = zip(shown[name], shown[f"{stem}_ci_low"], shown[f"{stem}_ci_high"], strict=True)
    return [interval_words(*numbers, digits) for numbers in columns]


def interval_words(value: float, low: float, high: float, digits: int) -> str:
    """Return one value with the ends of its interval, or alone where they are NaN."""
    if math.isnan(value):
        return _NOTHING
    return f"{value:.{digits}f}" + ("" if math.isnan(low) else f" [{low:.{digits}f}, {high:.{digits}f}]")


def p_words(p: float) -> str:
    """Return a p-value to three decimals, one below 0.001 to four."""
    if math.isnan(p):
        return _NOTHING
    return f"< {_SMALLEST_P:.4f}" if p < _SMALLEST_P else f"{p:.{3 if p >= _SMALL_P else 4}f}"


def spike_words(frame: pd.DataFrame) -> list[str]:
    """Return the spike definition of every row."""
    return [SPIKE_NAMES[SpikeDef(name)] for name in frame["spike_def_id"]]
