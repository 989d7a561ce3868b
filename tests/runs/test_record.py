from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made

from critnb.canon import CANON, DatasetRole, ModelRole, SliceRole, Stage, Status
from critnb.errors import DataError, IntegrityError
from critnb.runs import Artifact, Dependency, HashInputs, Run, RunRecord, RunStore
from critnb.runs.record import SCHEMA_PATH, schema_problem, write_record

SHA = "0f" * 32
TIME = "2026-01-02T03:04:05Z"
text = st.text("abcé \n", max_size=8)
facts = st.dictionaries(text, st.none() | st.integers() | text | st.lists(st.floats(-1e9, 1e9)), max_size=3)
artifacts = st.builds(
    Artifact, st.just("results/a.npz"), st.just(SHA), st.integers(0, 2**40), st.just("a/b"), st.just(TIME)
)
dependencies = st.builds(
    Dependency, st.sampled_from(Stage), st.just("RUN_S01_0123456789ab"), st.just(SHA), st.just(SHA)
)
inputs = st.builds(
    HashInputs,
    stage=st.just(Stage.S02),
    sections=facts,
    upstream=st.just({"S01": "RUN_S01_0123456789ab"}),
    notebook_sha256=st.just(SHA),
    sources=st.dictionaries(text, st.just(SHA), max_size=2),
)
records = st.builds(
    replace,
    st.just(RunRecord.started("RUN_S02_0123456789ab")),
    error=st.none() | text,
    command=st.lists(text, max_size=3).map(tuple),
    hash_inputs=st.none() | inputs,
    dependencies=st.lists(dependencies, max_size=2).map(tuple),
    conditions=st.lists(facts, max_size=3).map(tuple),
    timings=st.dictionaries(text, st.floats(0, 1e6), max_size=3),
    metrics=facts,
    artifact_index=st.lists(artifacts, max_size=2).map(tuple),
    notes=st.lists(text, max_size=2).map(tuple),
)


@given(records)
@settings(max_examples=60)
def test_round_trip_through_json(record: RunRecord) -> None:
    assert RunRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_the_schema_is_a_schema_and_names_the_registry_s_ids() -> None:
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    fields = schema["properties"]
    assert schema["$defs"]["stage"]["enum"] == list(CANON.STAGE)
    assert fields["stage_status"]["enum"] == list(CANON.STATUS)
    assert fields["model"]["properties"]["role"]["enum"] == list(ModelRole)
    assert fields["datasets"]["propertyNames"]["enum"] == [*DatasetRole, *SliceRole]
    assert fields["schema_version"]["const"] == CANON.PROJECT.RECORD_SCHEMA_VERSION
    assert fields["project_id"]["const"] == CANON.PROJECT.ID
    assert sorted(schema["required"]) == sorted(fields)


def test_a_real_run_s_record_validates(run: Run) -> None:
    tree = json.loads((run.path / "run_record.json").read_text())
    assert schema_problem(tree) is None
    assert tree["stage_status"] == "complete"
    assert (tree["phase_id"], tree["error"]) == ("phase2", None)


WRONG = [
    ("stage_id", "S99", "stage_id"),
    ("stage_status", "done", "stage_status"),
    ("created_utc", "yesterday", "created_utc"),
    ("config_hash", None, "config_hash"),
    ("determinism", None, "determinism"),
    ("forward_windows", -1, "forward_windows"),
    ("artifact_index", [{"path": "a"}], "artifact_index[0]"),
    ("model", {"id": "m" * 4000}, "model"),
    ("datasets", {"C": {}}, "datasets"),
]


@pytest.mark.parametrize(("field", "value", "named"), WRONG)
def test_a_wrong_field_is_one_short_line_that_names_it(run: Run, field: str, value: object, named: str) -> None:
    problem = schema_problem(run.record.to_dict() | {field: value})
    assert problem.startswith(f"record field {named}")
    assert "\n" not in problem
    assert len(problem) < 250


def test_a_record_lacks_no_field_and_has_no_other(run: Run) -> None:
    tree = run.record.to_dict()
    with pytest.raises(IntegrityError, match="colour"):
        RunRecord.from_dict(tree | {"colour": 1})
    del tree["notes"]
    with pytest.raises(IntegrityError, match="'notes' is a required property"):
        RunRecord.from_dict(tree)


def test_a_failed_record_says_why(run: Run) -> None:
    with pytest.raises(IntegrityError, match=f"{run.run_id}: record field error"):
        replace(run.record, stage_status=Status.failed).check()


def test_update_refuses_wrong_unknown_and_own_fields(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        before = partial.record
        with pytest.raises(IntegrityError, match=r"record field dependencies\[0\]"):
            partial.update(dependencies=[{"run_id": "x"}])
        with pytest.raises(IntegrityError, match="no field colour"):
            partial.update(colour=1)
        with pytest.raises(IntegrityError, match="keeps the record's artifact_index"):
            partial.update(artifact_index=[])
        with pytest.raises(DataError, match="cannot be written as JSON"):
            partial.update(metrics={"b_tot": float("nan")})
        assert partial.record == before


def test_update_replaces_whole_sections(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        partial.update(metrics={"a": 1}, forward_windows=3)
        partial.update(metrics={"b": (2, None)})
        assert partial.record.metrics == {"b": [2, None]}
        assert partial.record.forward_windows == 3
        assert partial.record.stage_hash == ministage.planned().stage_hash()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\x00", "[" * 9999, "9" * 5000, " " * (17 << 20)], ids=lambda text: text[:3]
)
def test_an_unreadable_record_is_one_line(run: Run, store: RunStore, text: str) -> None:
    path = run.path / "run_record.json"
    path.unlink()
    path.write_text(text)
    with pytest.raises(IntegrityError, match=r"run_record\.json") as caught:
        store.open(run.run_id)
    assert "\n" not in str(caught.value)


def test_a_record_of_another_run_or_of_no_complete_run_is_not_opened(run: Run, store: RunStore) -> None:
    moved = run.path.rename(store.root / "RUN_S02_ffffffffffff")
    with pytest.raises(IntegrityError, match=f"that of a complete {run.run_id}"):
        store.open(moved.name)
    write_record(moved, replace(run.record, run_id=moved.name, stage_status=Status.started))
    with pytest.raises(IntegrityError, match="that of a started"):
        store.open(moved.name)


def test_an_artifact_is_read_only_if_it_is_as_long_as_recorded(run: Run) -> None:
    path = next(path for path in run.artifacts if path.endswith(".npz"))
    (run.path / path).chmod(0o644)
    with (run.path / path).open("r+b") as file:
        file.truncate(8 << 30)
    with pytest.raises(IntegrityError, match="is not the file that its record names"):
        run.read_bytes(path)


def test_what_an_artifact_claims_to_hold_is_told_with_run_and_file(store: RunStore) -> None:
    lying = {
        "results/a.json": b"[" * 9999,
        "results/a.npz": b"PK",
        "results/a.parquet": b"PAR1",
        "results/a.yaml": b"[" * 9999,
    }
    run = made(store, Stage.S02, files=lying)
    for path, read in zip(lying, (run.json, run.npz, run.parquet, run.yaml), strict=True):
        with pytest.raises(IntegrityError, match=f"{run.run_id}: {path} is (no )?(JSON|NPZ|Parquet|YAML)"):
            read(path)


def test_no_record_names_upstream_runs_without_end(run: Run) -> None:
    many = (Dependency(Stage.S01, "RUN_S01_0123456789ab", SHA, SHA),) * 101
    with pytest.raises(IntegrityError, match="dependencies"):
        replace(run.record, dependencies=many).check()
