"""Check the records of a release: against their runs' files, and what they say against params, code and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from critnb.canon import CANON, PACK_ROOT, REGISTRY_FILE, ModelRole, SliceRole, Stage
from critnb.contract import spec_of
from critnb.contract.code import StageCode, changed_code, stage_code
from critnb.contract.pack_sources import PackSources
from critnb.data import locate_model
from critnb.params import FileModel, HubModel, Loaded, validate
from critnb.release.contents import run_folder
from critnb.review.diff.values import listed
from critnb.runs import Run, verify
from critnb.runs.decoding import yaml_value
from critnb.runs.files import read_regular
from critnb.verify.chain import config_of
from critnb.verify.check import Result, UnpackedRelease

_REGISTRY = REGISTRY_FILE.relative_to(PACK_ROOT).as_posix()
_WINDOWS_OF = {
    SliceRole.A_cal: "n_calibration",
    SliceRole.A_raster: "n_raster",
    SliceRole.B_eval: "n_eval_b",
}
_AUTO = "auto"
Comparisons = Iterator[tuple[str, Any, Any]]


def records(release: UnpackedRelease) -> Result:
    """Verify every run: its files against its record, its record against those of its upstream runs."""
    wrong = []
    for run_id in release.store.ids():
        findings = verify(release.store.path(run_id))
        wrong += [f"{CANON.PATH.RUNS_DIR}/{run_id}/{each.path}: {each.kind}, {each.message}" for each in findings]
    return Result(wrong, f"{len(release.store.ids())} runs, each file and record as recorded")


def params(release: UnpackedRelease) -> Result:
    """Compare the params that each run shows with those that its id was made from."""
    config = CANON.OUTPUT.CONFIG_RESOLVED_YAML
    wrong = [
        f"{run_folder(run.run_id)}/{config}: is not what the run's id was made from"
        for run in release.runs
        if not _same_params(run)
    ]
    return Result(wrong, f"{len(release.runs)} runs show the params that their ids were made from")


def _same_params(run: Run) -> bool:
    config, sections = dict(config_of(run)), run.inputs.sections
    about = {key: config.pop(key) for key in ("role", "roles") if key in config}
    models, data = config.pop("models", {}), config.pop("data", {})
    return (
        config == sections["params"]
        and about == {key: sections[key] for key in ("role", "roles") if key in sections}
        and sorted(models) == (sorted(run.roles) if "model" in sections else [])
        and sorted(data) == sorted(sections.get("data", {}))
    )


def facts(release: UnpackedRelease) -> Result:
    """Compare what each record says of model, slices and seeds, of which no file tells, with the params of its run."""
    wrong = [
        f"{run_folder(run.run_id)}/{CANON.OUTPUT.RUN_RECORD_JSON}: {what} is {said!r}, by its params it is {given!r}"
        for run in release.runs
        for what, said, given in _facts(run)
        if said != given
    ]
    return Result(wrong, f"{len(release.runs)} records say of model, slices and seeds what the params do")


def _facts(run: Run) -> Comparisons:
    """Yield (what, its value in the record, its value in the params)."""
    record, params = run.record, run.inputs.sections["params"]
    yield "params_sections", list(record.params_sections), list(params)
    yield "seeds", (record.determinism or {}).get("seeds"), _seeds(params)
    yield "whether a model was loaded", record.model is not None, spec_of(run.stage).uses_model
    if record.model is not None:
        yield from _model_facts(run, record.model, params)
    for name, of_slice in record.datasets.items():
        if name in list(SliceRole):
            windows = params.get("windows", {})
            yield f"n_windows of {name}", of_slice["n_windows"], windows.get(_WINDOWS_OF[SliceRole(name)])
            yield f"seq_len of {name}", of_slice["seq_len"], windows.get("seq_len")


def _model_facts(run: Run, model: Mapping[str, Any], params: Mapping[str, Any]) -> Comparisons:
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


def code(release: UnpackedRelease) -> Result:
    """Compare the code and the constants that each run says it was made from with those in the release."""
    constants, pack = _constants(release), PackSources(release.folder)
    codes: dict[Stage, StageCode] = {}
    runs_by_path: dict[str, list[str]] = {}
    for run in release.runs:
        spec = spec_of(run.stage)
        there = (release.folder / CANON.PATH.NOTEBOOKS_DIR / spec.notebook).is_file()
        if there and spec.id not in codes:
            codes[spec.id] = stage_code(spec, pack=pack)
        for path in changed_code(spec, run.inputs, pack=pack, code=codes.get(spec.id)):
            runs_by_path.setdefault(path, []).append(run.run_id)
        if not there:
            continue
        named = codes[spec.id].constants
        if run.inputs.sections.get("constants") != {name: constants.get(name) for name in named}:
            runs_by_path.setdefault(_REGISTRY, []).append(run.run_id)
    wrong = [f"{path}: is not what {listed(run_ids)} came from" for path, run_ids in runs_by_path.items()]
    return Result(wrong, "every run was made from the code that is in the zip")


def _constants(release: UnpackedRelease) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml_value(read_regular(release.folder / _REGISTRY))["CONST"]
    return found
