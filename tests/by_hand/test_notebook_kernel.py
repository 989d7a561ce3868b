"""What a person's startup files set up in a kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from critnb.pipeline.by_hand.notebook_kernel import numeric_variables, restore_defaults
from critnb.runs.encoding import parquet_bytes


def facts():
    printed = np.get_printoptions()
    numbers = pd.get_option("mode.string_storage"), pd.get_option("display.precision"), torch.get_default_dtype()
    return np.geterr(), printed, numbers, torch.get_float32_matmul_precision(), repr(torch.zeros(1).device)


def test_settings_of_a_startup_file_are_undone():
    restore_defaults()
    before, frame = facts(), parquet_bytes(pd.DataFrame({"who": ["a", None], "n": [1, 2]}))
    np.seterr(all="raise")
    np.set_printoptions(precision=1, linewidth=20, suppress=True, sign="+")
    pd.set_option("display.precision", 1)
    pd.set_option("mode.string_storage", "python")
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_float32_matmul_precision("medium")
    assert facts() != before
    restore_defaults()
    assert facts() == before
    assert before[0] == {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    assert parquet_bytes(pd.DataFrame({"who": ["a", None], "n": [1, 2]})) == frame


def test_variables_that_choose_other_arithmetic_are_told(monkeypatch):
    assert numeric_variables() == []
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert numeric_variables() == ["ONEDNN_DEFAULT_FPMATH_MODE=BF16"]
