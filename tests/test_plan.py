"""Run ids: which inputs change which stage's run, and that nothing else does. Planning hashes files and loads no model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from critnb.canon import CANON, ModelRole, Stage
from critnb.contract import STAGES, code, spec_of
from critnb.errors import DependencyError, ParamsError
from critnb.params import load
from critnb.pipeline import plan
from critnb.pipeline.input_files import KnownInputs
from critnb.runs import RunStore

ALL = frozenset(spec.id for spec in STAGES)
FROM_S01 = ALL - {"S00"}
FROM_S02 = FROM_S01 - {"S01"}
FROM_S02B = FROM_S02 - {"S02"}
FROM_S03 = FROM_S02B - {"S02B", "S06B", "S06ARC"}
FROM_S04 = FROM_S03 - {"S03", "S04K"}
PARAMS = {
    "models": {"BASE": {"source": "file", "path": "model"}, "INSTRUCT": {"source": "file", "path": "model"}},
    "data": {"A": {"source": "file", "path": "corpus.txt"}},
}


def write_inputs(folder: Path, text: str = "a corpus", weights: bytes = b"weights", comment: str = "") -> Path:
    (folder / "model").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / "model" / name).write_text("{}")
    save_file({"weights": np.frombuffer(weights, dtype="u1")}, folder / "model" / "model.safetensors")
    (folder / "corpus.txt").write_text(text)
    (folder / "params.yaml").write_text(f"# {comment}\n{yaml.safe_dump(PARAMS)}")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_inputs(tmp_path_factory.mktemp("inputs"))


# the pack's code as it stands, read once
OURS = KnownInputs()


def as_it_stands() -> KnownInputs:
    return KnownInputs(OURS.pack, OURS.notebooks, OURS.code)


def ids(
    folder: Path, role: ModelRole = ModelRole.BASE, known: KnownInputs | None = None, **overrides
) -> dict[str, str]:
    loaded = load(folder / "params.yaml", {key.replace("__", "."): value for key, value in overrides.items()})
    store = RunStore(folder / "runs")
    return {
        run.spec.id: run.run_id for run in plan.plan_runs(STAGES, loaded, [role], store, known=known or as_it_stands())
    }


def changed(folder: Path, **overrides) -> set[str]:
    before, after = ids(folder), ids(folder, **overrides)
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("windows__seed", 1, ALL),
        ("windows__seq_len", 64, ALL),
        ("windows__burn_in_tokens", 4, ALL),
        ("windows__n_calibration", 32, ALL),
        ("compute__dtype", "bfloat16", ALL),
        ("compute__batch_tokens", 1024, ALL),
        ("compute__attention", "eager", ALL),
        ("events__tau0", 2.0, FROM_S01),
        ("events__target_rates", [1e-4], FROM_S01),
        ("events__spike_defs", ["SPIKE_TWO_SIDED_ABS"], FROM_S01),
        ("gain__grid", [0.9, 1.0], FROM_S02),
        ("analysis__bootstrap_reps", 50, FROM_S02B),
        ("analysis__bootstrap_seed", 1, FROM_S02B),
        ("windows__n_raster", 32, FROM_S03 | {"S00"}),
        ("gain__interventions", ["MLP_GLOBAL"], FROM_S03),
        ("nulls__replicates", 10, FROM_S04 | {"S06B"}),
        ("nulls__verdict_replicates", 10, FROM_S04),
        ("nulls__seed", 1, FROM_S04 | {"S04K", "S06B"}),
        ("analysis__control_rasters", 3, {"S00", "S05", "S07", "S08"}),
        ("knock_outs__windows", 2, FROM_S04 - {"S04"} | {"S04K"}),
        ("knock_outs__directions", 1, FROM_S04 - {"S04"} | {"S04K"}),
        ("analysis__adjacency", "ADJ_8N", {"S05", "S07", "S08"}),
        ("compute__device", "cpu", set()),
        ("windows__n_eval_b", 1, {"S06B", "S07", "S08"}),
        ("data__B", {"source": "file", "path": "corpus.txt"}, {"S06B", "S07", "S08"}),
        ("data__ARC_MCQ", {"source": "embedded", "limit": 5}, {"S06ARC", "S07", "S08"}),
        ("release__title", "another", {"S07", "S08"}),
    ],
)
def test_a_parameter_changes_the_stages_that_read_it_and_those_below(folder, key, value, stages):
    assert changed(folder, **{key: value}) == stages


@pytest.mark.parametrize(
    ("constant", "value", "stages"),
    [
        ("EPS", 1e-7, FROM_S01),
        ("CHI_EPS", 1e-9, ALL - {"S01"}),
        ("BOOTSTRAP_CI_WIDTH_MAX", 0.4, {"S00", "S05", "S07", "S08"}),
    ],
)
def test_a_constant_of_the_registry_changes_the_stages_whose_code_names_it(
    folder, monkeypatch, constant, value, stages
):
    before = ids(folder)
    constants = CANON.CONST.model_copy(update={constant: value})
    monkeypatch.setattr(code, "CANON", CANON.model_copy(update={"CONST": constants}))
    after = ids(folder, known=KnownInputs())
    assert {stage for stage in before if before[stage] != after[stage]} == stages


def test_another_place_name_or_comment_is_the_same_run(folder, tmp_path):
    elsewhere = write_inputs(tmp_path / "else where", comment="moved")
    assert ids(elsewhere) == ids(folder)
    shutil.move(elsewhere / "model", elsewhere / "renamed")
    assert ids(elsewhere, models__BASE__path="renamed") == ids(folder)


@pytest.mark.parametrize("change", [{"text": "a corpuS"}, {"weights": b"weightS"}])
def test_another_content_is_another_run_of_every_stage(folder, tmp_path, change):
    before, after = ids(folder), ids(write_inputs(tmp_path / "other", **change))
    assert not set(before.values()) & set(after.values())


def test_roles_never_share_a_run_even_of_the_same_model(folder):
    assert not set(ids(folder).values()) & set(ids(folder, ModelRole.INSTRUCT).values())


NEEDED = (Stage.S05, Stage.S06B, Stage.S06ARC)


def planned(folder: Path, *roles: ModelRole, runs: Path | None = None, **words) -> dict:
    loaded = load(folder / "params.yaml")
    runs = plan.plan_runs(
        [spec_of(Stage.S07)], loaded, roles, RunStore(runs or folder / "runs"), known=as_it_stands(), **words
    )
    return {(run.spec.id, run.who): run for run in runs}


def lay(runs: Path, ids_of_role: dict[str, str], *stages: str) -> None:
    """A published run is a folder of its name."""
    for stage in stages:
        (runs / ids_of_role[stage]).mkdir(parents=True)


def test_a_joined_run_rests_on_the_runs_that_each_role_has_by_itself(folder):
    runs = planned(folder, *ModelRole)
    alone = {role: ids(folder, role) for role in ModelRole}
    joined = runs[Stage.S07, "BASE+INSTRUCT"]
    assert joined.inputs.upstream == {f"{stage}.{role}": alone[role][stage] for role in ModelRole for stage in NEEDED}
    assert planned(folder, ModelRole.INSTRUCT, ModelRole.BASE)[Stage.S07, "BASE+INSTRUCT"].run_id == joined.run_id
    assert joined.run_id != alone[ModelRole.BASE][Stage.S07] != alone[ModelRole.INSTRUCT][Stage.S07]
    assert [who for stage, who in runs if stage is Stage.S01] == list(ModelRole)
    assert list(runs)[-1] == (Stage.S07, "BASE+INSTRUCT")


def test_a_role_that_was_not_asked_for_is_joined_once_all_of_it_has_run(folder, tmp_path):
    other = ids(folder, ModelRole.INSTRUCT)
    everything = [stage for stage in other if stage not in ("S07", "S08")]
    lay(tmp_path, other, *everything[:-1])
    words = {"runs": tmp_path, "join_complete": True}
    assert (Stage.S07, "BASE") in planned(folder, ModelRole.BASE, **words)
    lay(tmp_path, other, everything[-1])
    assert (Stage.S07, "BASE+INSTRUCT") in planned(folder, ModelRole.BASE, **words)
    # a role that was asked for by name stays alone
    assert (Stage.S07, "BASE") in planned(folder, ModelRole.BASE, runs=tmp_path)


def test_the_absent_model_of_a_role_that_was_not_asked_for_is_no_error(tmp_path):
    folder = write_inputs(tmp_path / "one")
    other = {**PARAMS["models"], "INSTRUCT": {"source": "file", "path": "nowhere"}}
    (folder / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "models": other}))
    assert (Stage.S07, "BASE") in planned(folder, ModelRole.BASE, join_complete=True)
    with pytest.raises(DependencyError, match="nowhere"):
        planned(folder, *ModelRole)


def test_a_file_of_the_pack_that_a_stage_reads_is_part_of_its_run(folder, monkeypatch):
    before = ids(folder)
    monkeypatch.setattr(code, "pack_digests", lambda names, **_: dict.fromkeys(names, "0" * 64))
    after = ids(folder, known=KnownInputs())
    assert {stage for stage in before if before[stage] != after[stage]} == {Stage.S00, Stage.S05, Stage.S07, Stage.S08}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=st.permutations([0.7, 0.9, 1.0, 1.3]), rates=st.permutations([1e-5, 2e-5, 4e-5, 8e-5]))
def test_the_order_of_a_list_is_the_same_run(folder, grid, rates):
    in_order = ids(folder, gain__grid=sorted(grid), events__target_rates=sorted(rates))
    assert ids(folder, gain__grid=list(grid), events__target_rates=list(rates)) == in_order


def pinned(folder: Path, **pins: str):
    loaded = load(folder / "params.yaml")
    return plan.plan_runs(STAGES, loaded, [ModelRole.BASE], RunStore(folder / "runs"), pins=pins, known=as_it_stands())


def test_pins_of_runs_that_are_not_there(folder):
    with pytest.raises(DependencyError, match=r"RUN_S01_0123456789ab in .* is absent"):
        pinned(folder, S01="RUN_S01_0123456789ab")
    with pytest.raises(DependencyError, match="'nonsense' is no run id; one looks like"):
        pinned(folder, S01="nonsense")


def test_a_role_that_the_params_do_not_give(tmp_path):
    folder = write_inputs(tmp_path / "one")
    (folder / "params.yaml").write_text(
        yaml.safe_dump({**PARAMS, "models": {"INSTRUCT": PARAMS["models"]["INSTRUCT"]}})
    )
    with pytest.raises(ParamsError, match=r"models\.BASE is not given \(there is INSTRUCT\)"):
        ids(folder)
