"""Check what a record says of its model, text and seeds, of which no file tells: it follows from the params of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from critnb.canon import CANON, ModelRole, SliceRole
from critnb.contract import spec_of
from critnb.data import locate_model
from critnb.params import FileModel, HubModel, Loaded, validate
from critnb.release.contents import run_folder
from critnb.release.finding import Result
from critnb.release.opened import Opened
from critnb.release.roots import config_of
from critnb.runs import Run

_WINDOWS_OF = {
    SliceRole.A_cal: "n_calibration",
    SliceRole.A_raster: "n_raster",
    SliceRole.B_eval: "n_eval_b",
}
_AUTO = "auto"
Said = Iterator[tuple[str, Any, Any]]


def facts(release: Opened) -> Result:
    """Hold each record's model, slices and seeds against the params of its run."""
    wrong = [
        f"{run_folder(run.run_id)}/{CANON.OUTPUT.RUN_RECORD_JSON}: {what} is {said!r}, by its params it is {given!r}"
        for run in release.runs
        for what, said, given in _said(run)
        if said != given
    ]
    return Result(wrong, f"{len(release.runs)} records say of model, slices and seeds what the params do")


def _said(run: Run) -> Said:
    """Yield (what, what the record says, what the params say)."""
    record, params = run.record, run.inputs.sections["params"]
    yield "params_sections", list(record.params_sections), list(params)
    yield "seeds", (record.determinism or {}).get("seeds"), _seeds(params)
    yield "whether a model was loaded", record.model is not None, spec_of(run.stage).uses_model
    if record.model is not None:
        yield from _of_the_model(run, record.model, params)
    for name, of_slice in record.datasets.items():
        if name in list(SliceRole):
            windows = params.get("windows", {})
            yield f"n_windows of {name}", of_slice["n_windows"], windows.get(_WINDOWS_OF[SliceRole(name)])
            yield f"seq_len of {name}", of_slice["seq_len"], windows.get("seq_len")


def _of_the_model(run: Run, model: Mapping[str, Any], params: Mapping[str, Any]) -> Said:
    yield "role of the model", model["role"], run.inputs.who
    yield "id of the model", model["id"], _model_id(run) or model["id"]
    dtype = params.get("compute", {}).get("dtype", _AUTO)
    yield "dtype of the model", model["dtype"], model["dtype"] if dtype == _AUTO else dtype


def _model_id(run: Run) -> str | None:
    """Return the id of the model that the config names; None for a folder, whose name may be that of a link to it."""
    role = ModelRole(run.inputs.who)
    tree = {"models": {str(role): config_of(run)["models"][role]}}
    loaded = Loaded(validate(tree, origin=run.run_id), run.run_id, Path())
    match loaded.params.models[role]:
        case FileModel():
            return None
        case HubModel(id=name):
            return name
        case embedded:
            return locate_model(embedded, loaded, role)[1]


def _seeds(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, values in params.items()
        if isinstance(values, Mapping)
        for key, value in values.items()
        if key.endswith("seed")
    }
