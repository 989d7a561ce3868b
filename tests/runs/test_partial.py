from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from critnb.canon import CANON, Status
from critnb.errors import DataError, DependencyError, IntegrityError, RunExistsError
from critnb.runs import PartialRun, Run, RunState, RunStore, verify
from critnb.runs.files import sha256_hex
from critnb.runs.locks import holder

RUN_ID = "RUN_S00_0123456789ab"


@pytest.fixture
def partial(store: RunStore) -> PartialRun:
    with store.create(RUN_ID) as run:
        yield run


def test_a_run_has_the_layout_of_the_contract(run: Run) -> None:
    files = sorted(path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file())
    assert files == [
        "config_resolved.yaml",
        "logs/events.jsonl",
        "notebook/phase2.ipynb",
        "results/gstar.json",
        "results/metrics.parquet",
        "results/rasters_token_layer.npz",
        "run_record.json",
    ]
    assert sorted(run.artifacts) == files[:-1]
    assert {stat.S_IMODE((run.path / path).stat().st_mode) for path in files} == {0o444}


def test_artifacts_read_back(run: Run, ministage) -> None:
    np.testing.assert_allclose(run.npz(ministage.RESULT)["total"], (np.arange(8.0) + np.arange(8.0) ** 2) / 3)
    expected = pd.DataFrame({"g": [0.7, 1.0], "b": [0.0, 2 / 3]})
    pd.testing.assert_frame_equal(run.parquet(run.result(CANON.OUTPUT.METRICS_PARQUET_BASENAME)), expected)
    assert run.json(ministage.GSTAR) == {"gstar": 1.0}


def test_the_index_says_what_was_written(partial: PartialRun) -> None:
    artifact = partial.write_bytes("figs/appendix/a.png", b"abc")
    # FIPS 180-2, appendix B.1: SHA-256 of "abc".
    assert artifact.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (artifact.bytes, artifact.media_type) == (3, "image/png")
    assert partial.record.artifact_index == (artifact,)
    assert (partial.path / artifact.path).read_bytes() == b"abc"
    assert partial.write_bytes("results/a.odd", b"", "x/y").media_type == "x/y"


ESCAPES = ["/tmp/a", "../a", "results/../../a", "", ".", "results/./a", "results//a", "a\\b", "c:/a", "results/a\n"]
KEPT = ["run_record.json", "logs/events.jsonl", ".runner.lock", ".kernel.lock", "checkpoints/a.ckpt"]


@pytest.mark.parametrize("relative", ESCAPES + KEPT)
def test_paths_that_are_no_artifacts(partial: PartialRun, relative: str) -> None:
    before = partial.record
    with pytest.raises(IntegrityError):
        partial.write_bytes(relative, b"x")
    assert partial.record == before
    assert not (partial.path.parent / "a").exists()


def test_a_file_in_pieces_is_the_file_in_one(partial: PartialRun) -> None:
    artifact = partial.write_stream(
        "results/large.zip", lambda sink: [sink.write(piece) for piece in (b"a", b"", b"bc")]
    )
    assert (artifact.sha256, artifact.bytes) == (sha256_hex(b"abc"), 3)
    assert artifact.media_type == "application/zip"
    assert (partial.path / "results" / "large.zip").read_bytes() == b"abc"


def test_a_file_whose_making_fails_half_way_leaves_nothing(partial: PartialRun) -> None:
    def fill(sink) -> None:
        sink.write(b"half")
        raise IntegrityError("a file was changed")

    with pytest.raises(IntegrityError, match="a file was changed"):
        partial.write_stream("results/large.zip", fill)
    assert list((partial.path / "results").iterdir()) == []
    assert partial.record.artifact_index == ()


def test_a_file_is_written_once(partial: PartialRun) -> None:
    partial.write_json("results/a.json", 1)
    with pytest.raises(IntegrityError, match=r"results/a\.json is already written"):
        partial.write_json("results/a.json", 2)
    assert (partial.path / "results" / "a.json").read_text() == "1\n"


def test_the_same_bytes_may_be_written_again(partial: PartialRun) -> None:
    first = partial.write_json("results/a.json", 1)
    record = partial.record
    assert partial.write_json("results/a.json", 1) == first
    assert partial.record == record


def test_symbolic_links_are_not_followed(partial: PartialRun, tmp_path: Path) -> None:
    (partial.path / "results").symlink_to(tmp_path)
    with pytest.raises(IntegrityError, match="results is a symbolic link"):
        partial.write_bytes("results/a.json", b"x")
    (partial.path / "b.json").symlink_to(tmp_path / "target")
    with pytest.raises(IntegrityError, match=r"b\.json is a symbolic link"):
        partial.write_bytes("b.json", b"x")
    assert not (tmp_path / "a.json").exists()


def test_events_are_one_json_object_a_line(run: Run) -> None:
    events = [json.loads(line) for line in (run.path / "logs" / "events.jsonl").read_text().splitlines()]
    assert {tuple(event) for event in events} == {("ts_utc", "run_id", "event_type", "payload")}
    assert {event["run_id"] for event in events} == {run.run_id}
    kinds = [event["event_type"] for event in events]
    assert kinds == ["start", *["artifacts_written"] * 5, "stage_complete", "end"]
    assert events[-1]["payload"] == {"status": "complete"}


def test_timings_add_up_and_say_how_the_step_ended(partial: PartialRun) -> None:
    with partial.timing("forward"):
        pass
    first = partial.record.timings["forward"]
    with pytest.raises(ZeroDivisionError), partial.timing("forward"):
        1 / 0  # noqa: B018
    assert 0 <= first < partial.record.timings["forward"] < 60
    lines = (partial.path / "logs" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["payload"]["ok"] for line in lines[-2:]] == [True, False]


def test_fail_keeps_everything_and_says_why(partial: PartialRun, store: RunStore) -> None:
    partial.write_json("results/a.json", 1)
    partial.fail("NaN activations at gain 1.3")
    record = partial.record
    assert (record.stage_status, record.error) == (Status.failed, "NaN activations at gain 1.3")
    assert record.finished_utc is not None
    last = json.loads((partial.path / "logs" / "events.jsonl").read_text().splitlines()[-1])
    assert (last["event_type"], last["payload"]["status"]) == ("end", "failed")
    partial.close()
    assert store.state(RUN_ID) is RunState.partial


def test_checkpoints_round_trip_and_go_at_the_end(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        assert partial.load_checkpoint("MLP_GLOBAL_0.7") is None
        assert not partial.holds_work()
        arrays = {"A": np.arange(6, dtype=np.uint16).reshape(2, 3), "tau": np.float32([0.5])}
        partial.save_checkpoint("MLP_GLOBAL_0.7", arrays)
        assert partial.holds_work()
        back = partial.load_checkpoint("MLP_GLOBAL_0.7")
        assert {name: (array.dtype, array.tolist()) for name, array in back.items()} == {
            name: (array.dtype, array.tolist()) for name, array in arrays.items()
        }
        ministage.work(partial.path)
        assert not (ministage.end(partial).path / "checkpoints").exists()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:200] + b"!" + data[201:], lambda data: b""]
)
def test_a_damaged_checkpoint_is_none(partial: PartialRun, damage) -> None:
    partial.save_checkpoint("a", {"x": np.arange(100.0)})
    path = next((partial.path / "checkpoints").iterdir())
    path.write_bytes(damage(path.read_bytes()))
    assert partial.load_checkpoint("a") is None


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a"])
def test_checkpoint_names_are_plain(partial: PartialRun, name: str) -> None:
    with pytest.raises(ValueError, match="checkpoint name"):
        partial.save_checkpoint(name, {})


def test_values_that_files_cannot_hold_leave_nothing_behind(partial: PartialRun) -> None:
    with pytest.raises(DataError):
        partial.write_json("results/a.json", float("nan"))
    with pytest.raises(DataError):
        partial.write_parquet("results/a.parquet", pd.DataFrame({"x": pd.Series([1, "a"], dtype=object)}))
    assert not (partial.path / "results").exists()


def _stray(path: Path) -> None:
    (path / "results" / "stray.txt").write_text("x")


def _lost(path: Path) -> None:
    (path / "results" / "gstar.json").unlink()


def _changed(path: Path) -> None:
    (path / "results" / "gstar.json").write_text("{}")


def test_an_empty_folder_is_no_reason_to_refuse_a_run(store: RunStore, ministage) -> None:
    """It is left where the first file of a folder could not be written at the first try."""
    with ministage.begin(store) as partial:
        ministage.work(partial.path)
        (partial.path / "figs" / "appendix").mkdir(parents=True)
        run = ministage.end(partial)
    assert not (run.path / "figs").exists()
    assert verify(run.path) == []


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_stray, "extra results/stray.txt"),
        (_lost, "missing results/gstar.json"),
        (_changed, "changed results/gstar.json"),
    ],
)
def test_publish_refuses_files_that_differ_from_the_index(store: RunStore, ministage, harm, message: str) -> None:
    with ministage.begin(store) as partial:
        ministage.work(partial.path)
        harm(partial.path)
        with pytest.raises(IntegrityError, match=message):
            partial.publish()
        assert partial.record.stage_status is Status.started
        assert not store.path(partial.run_id).exists()


def test_publish_refuses_a_record_that_lacks_something(partial: PartialRun) -> None:
    with pytest.raises(IntegrityError, match="record field"):
        partial.publish()


def test_publish_refuses_a_section_that_breaks_the_schema(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        partial.update(forward_windows="many")
        with pytest.raises(IntegrityError, match=f"{partial.run_id}: record field forward_windows: 'many'"):
            partial.publish()
        assert partial.record.stage_status is Status.started


def test_publish_refuses_a_config_that_is_not_the_one_of_the_record(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        partial.update(config_hash=sha256_hex(b"another"))
        with pytest.raises(IntegrityError, match="config_hash is not the sha256"):
            partial.publish()


def test_publish_never_writes_over_a_run(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        ministage.work(partial.path)
        store.path(partial.run_id).mkdir()
        with pytest.raises(RunExistsError, match="never written over"):
            ministage.end(partial)
        store.path(partial.run_id).rmdir()
        assert verify(partial.publish().path) == []


def test_only_the_creator_ends_a_run(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial, PartialRun.attach(partial.path) as kernel:
        with pytest.raises(RunExistsError, match="only the process that created"):
            kernel.publish()
        with pytest.raises(RunExistsError, match="only the process that created"):
            kernel.discard()


def test_a_run_is_discarded_whoever_looks_at_its_locks(store: RunStore, partial: PartialRun) -> None:
    over, seen = threading.Event(), []

    def look() -> None:
        while not over.is_set():
            seen.append(holder(partial.path))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            partial.discard()
            partial = store.create(partial.run_id)
        partial.discard()
    finally:
        over.set()
        thread.join()
    assert seen
    assert [path.name for path in store.root.iterdir() if "RUN" in path.name] == []


def test_discard_leaves_nothing(partial: PartialRun, store: RunStore) -> None:
    partial.discard()
    assert store.state(RUN_ID) is RunState.absent
    assert store.ids() == []
    store.create(RUN_ID).close()


def test_attach_needs_a_started_partial_run(partial: PartialRun, store: RunStore, run: Run) -> None:
    for path in (store.root / "RUN_S00_nowhere.partial", run.path):
        with pytest.raises(DependencyError, match="no partial run to attach to"):
            PartialRun.attach(path)
    partial.fail("x")
    with pytest.raises(DependencyError, match="the run is failed"):
        PartialRun.attach(partial.path)


def test_runner_and_kernel_may_both_write(partial: PartialRun) -> None:
    with PartialRun.attach(partial.path) as kernel:
        kernel.update(metrics={"k": 1})
        partial.update(notes=["r"])
        kernel.write_json("results/k.json", 1)
        partial.write_json("results/r.json", 2)
    record = partial.record
    assert (record.metrics, record.notes) == ({"k": 1}, ("r",))
    assert [each.path for each in record.artifact_index] == ["results/k.json", "results/r.json"]


def test_two_runs_of_the_same_inputs_have_the_same_bytes(tmp_path: Path, ministage) -> None:
    first, second = (ministage.make(RunStore(tmp_path / name)) for name in "ab")
    assert first.run_id == second.run_id
    for path in set(first.artifacts) - {"logs/events.jsonl"}:
        assert first.read_bytes(path) == second.read_bytes(path)
    assert first.record_sha256 != second.record_sha256
