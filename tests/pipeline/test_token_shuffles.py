"""Shuffled tokens at matched rates in a run: counts, what S05 makes of them, and a stage that is killed half-way."""

from __future__ import annotations

from test_pipeline import digests, result, run_of, start, wait_for, whole  # noqa: F401

from critnb.canon import Stage
from critnb.contract import spec_of

COMMAND = spec_of(Stage.S04).command
