"""Settings that a person's startup files leave in a kernel and that could reach a result."""

from __future__ import annotations

import os
import sys
import warnings

import numpy as np
import pandas as pd

# what a process reads once, when its libraries are loaded
NUMERIC_VARIABLES = (
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY"),
    *("MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"),
)


def restore_defaults() -> None:
    """Give numpy, pandas and torch their own settings back in this process, as a runner's kernel has them."""
    np.seterr(divide="warn", over="warn", invalid="warn", under="ignore")
    np.set_printoptions(precision=8, threshold=1000, edgeitems=3, linewidth=75, suppress=False, floatmode="maxprec")
    np.set_printoptions(nanstr="nan", infstr="inf", sign="-", formatter=None)
    with warnings.catch_warnings():
        # pandas warns of options that are on their way out, set or not
        warnings.simplefilter("ignore")
        pd.reset_option("all")
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_float32_matmul_precision("highest")


def numeric_variables() -> list[str]:
    """Return, as NAME=VALUE, the environment variables set here that choose other arithmetic; a runner's kernel has none."""
    return [f"{name}={os.environ[name]}" for name in NUMERIC_VARIABLES if name in os.environ]
