"""critnb: activation events of language models on the token x layer lattice, by knock-outs and as avalanche-like clusters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from critnb.api.activity import branching, multistep, null_replicate, null_test
    from critnb.api.arrays import event_counts, population_activity
    from critnb.api.cascades import avalanches, crackling, exponents
    from critnb.api.controls import control, controls
    from critnb.api.extraction import extract_activations
    from critnb.api.folders import compare_runs, list_runs, open_run
    from critnb.api.model import load_model
    from critnb.api.perturbations import knock_out, stability
    from critnb.api.tail import tail
    from critnb.api.texts import calibrate, extract
    from critnb.events.calibration import Calibration
    from critnb.pipeline.session import begin

__version__ = "0.1.0"

# where each public name lives; it is imported on first use, so that `import critnb` costs nothing and loads no torch
_HOMES = {
    "load_model": "critnb.api.model",
    "calibrate": "critnb.api.texts",
    "extract": "critnb.api.texts",
    "extract_activations": "critnb.api.extraction",
    "knock_out": "critnb.api.perturbations",
    "stability": "critnb.api.perturbations",
    "Calibration": "critnb.events.calibration",
    "event_counts": "critnb.api.arrays",
    "population_activity": "critnb.api.arrays",
    "avalanches": "critnb.api.cascades",
    "branching": "critnb.api.activity",
    "multistep": "critnb.api.activity",
    "crackling": "critnb.api.cascades",
    "exponents": "critnb.api.cascades",
    "tail": "critnb.api.tail",
    "null_replicate": "critnb.api.activity",
    "null_test": "critnb.api.activity",
    "control": "critnb.api.controls",
    "controls": "critnb.api.controls",
    "open_run": "critnb.api.folders",
    "list_runs": "critnb.api.folders",
    "compare_runs": "critnb.api.folders",
    "begin": "critnb.pipeline.session",
}
__all__ = [
    "Calibration",
    "avalanches",
    "begin",
    "branching",
    "calibrate",
    "compare_runs",
    "control",
    "controls",
    "crackling",
    "event_counts",
    "exponents",
    "extract",
    "extract_activations",
    "knock_out",
    "list_runs",
    "load_model",
    "multistep",
    "null_replicate",
    "null_test",
    "open_run",
    "population_activity",
    "stability",
    "tail",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'critnb' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
