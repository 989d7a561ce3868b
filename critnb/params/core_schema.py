"""What a scalar of a params file stands for: the core schema of YAML 1.2, and a refusal where versions of YAML differ."""

from __future__ import annotations

import math
import re
from typing import Any

from critnb.system.terminal import is_half, plain

_MOST_DIGITS = 40
_SHOWN = 40

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
WHOLE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_BASES = {"0o": 8, "0x": 16}


def scalar(text: str, *, is_plain: bool) -> Any:
    """Return the value of a scalar under the core schema; raises ValueError with the problem."""
    if not is_plain:
        return _characters(text)
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if WHOLE.fullmatch(text) or DECIMAL.fullmatch(text):
        return _number(text)
    if _INFINITE.fullmatch(text):
        return math.copysign(math.inf, -1 if text.startswith("-") else 1)
    return math.nan if _NAN.fullmatch(text) else _characters(text)


def _characters(text: str) -> str:
    if any(map(is_half, text)):
        raise ValueError("half of a surrogate pair is no character; write the character itself")
    return text


def _number(text: str) -> int | float:
    shown = plain(text, _SHOWN)
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{shown} is too long for a number; put text in quotes")
    if _LEADING_ZERO.fullmatch(text):
        raise ValueError(f"{shown} is octal to some readers; write it without leading zeros, or text in quotes")
    if WHOLE.fullmatch(text):
        return int(text, _BASES.get(text[:2], 10))
    number = float(text)
    mantissa = re.split("[eE]", text)[0]
    if math.isinf(number) or (number == 0 and mantissa.strip("-+0.")):
        raise ValueError(f"{shown} is beyond the range of floating-point numbers")
    return number


def named(value: Any) -> str:
    """Return what kind of YAML value a value is."""
    names = {dict: "a mapping", list: "a list", str: "text", type(None): "null", bool: "true or false"}
    return names.get(type(value), "a number")
