"""The kernel of a person's notebook: default settings restored, lines that change while one waits, errors in a line or two.

A person's startup files may leave settings in a kernel that could reach a result.
"""

from __future__ import annotations

import os
import sys
import warnings
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from critnb.errors import CritnbError
from critnb.pipeline.by_hand.recorder import PASSING

_MARK = {PASSING: True}
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


def _shell() -> Any:
    """Return the interactive shell of a notebook's kernel, or None elsewhere."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


class Line:
    """A line under the running cell that may be rewritten; it is no part of what a run keeps."""

    def __init__(self, text: str) -> None:
        self._handle: Any = None
        if _shell() is None:
            self.show(text)
            return
        from IPython.display import display

        self._handle = display({"text/plain": text}, raw=True, metadata=_MARK, display_id=True)

    def show(self, text: str) -> None:
        """Put another text in the line's place; outside of a notebook, below it."""
        if self._handle is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._handle.update({"text/plain": text}, raw=True, metadata=_MARK)


def shorten_errors(*, verbose: bool) -> None:
    """Show the pack's own errors as their message in this kernel, the whole traceback on ``%tb``; ``verbose``: at once."""
    shell = _shell()
    if shell is not None:
        shell.set_custom_exc(() if verbose else (CritnbError,), _shown_shortly)


def _shown_shortly(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, **_: Any
) -> list[str]:
    # what %tb and %debug look at
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    lines = [f"\x1b[31m{kind.__name__}\x1b[39m: {error}", *getattr(error, "__notes__", ())]
    shell._showtraceback(kind, error, lines)
    return lines
