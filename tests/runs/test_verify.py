from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made import verify_chain

from critnb.canon import Exit, Stage, Status
from critnb.cli.command_line import main
from critnb.errors import DependencyError, IntegrityError, StorageError
from critnb.runs import FindingKind, Run, RunStore, verify
from critnb.runs.record import RunRecord, write_record

GSTAR, RASTER, METRICS = "results/gstar.json", "results/rasters_token_layer.npz", "results/metrics.parquet"


def _replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def _flip_a_bit(run: Path) -> None:
    data = bytearray((run / RASTER).read_bytes())
    data[len(data) // 2] ^= 1
    _replace(run / RASTER, bytes(data))


def _truncate(run: Path) -> None:
    _replace(run / RASTER, (run / RASTER).read_bytes()[:-1])


def _lose(run: Path) -> None:
    (run / RASTER).unlink()


def _add(run: Path) -> None:
    (run / "figs").mkdir()
    (run / "figs" / "x.png").write_bytes(b"")


def _link_to_a_copy(run: Path) -> None:
    shutil.copy(run / RASTER, run.parent / "copy")
    (run / RASTER).unlink()
    (run / RASTER).symlink_to(run.parent / "copy")


def _link_the_folder(run: Path) -> None:
    (run / "notebook").rename(run.parent / "elsewhere")
    (run / "notebook").symlink_to(run.parent / "elsewhere")


def _add_a_link(run: Path) -> None:
    (run / "figs").symlink_to("/")


def _pipe(run: Path) -> None:
    (run / RASTER).unlink()
    os.mkfifo(run / RASTER)


def _socket(run: Path) -> None:
    with contextlib.chdir(run), socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug")


def _add_a_pipe(run: Path) -> None:
    os.mkfifo(run / "results" / "pipe")


def _empty_folder(run: Path) -> None:
    (run / "figs").mkdir()


def _empty_folders(run: Path) -> None:
    (run / "figs" / "appendix").mkdir(parents=True)
    (run / "results" / ".hidden").mkdir()


def _folder_for_a_file(run: Path) -> None:
    (run / RASTER).unlink()
    (run / RASTER).mkdir()


def _file_for_a_folder(run: Path) -> None:
    shutil.rmtree(run / "notebook")
    (run / "notebook").write_bytes(b"")


def _folder_for_the_record(run: Path) -> None:
    (run / "run_record.json").unlink()
    (run / "run_record.json").mkdir()


def _link_the_record(run: Path) -> None:
    (run / "run_record.json").rename(run.parent / "record")
    (run / "run_record.json").symlink_to(run.parent / "record")


def _rewrite(run: Path, **changes: object) -> None:
    write_record(run, replace(Run.open(run).record, **changes))


def _escape(run: Path) -> None:
    index = Run.open(run).record.artifact_index
    (run.parent / "outside").write_bytes((run / GSTAR).read_bytes())
    (run / GSTAR).unlink()
    _rewrite(run, artifact_index=[replace(a, path="../outside") if a.path == GSTAR else a for a in index])


def _status(run: Path) -> None:
    _rewrite(run, stage_status=Status.started)


def _name(run: Path) -> None:
    _rewrite(run, run_id="RUN_S02_ffffffffffff")


def _hash(run: Path) -> None:
    _rewrite(run, stage_hash="0" * 64)


def _section(run: Path) -> None:
    inputs = Run.open(run).record.hash_inputs
    _rewrite(run, hash_inputs=replace(inputs, sections={"events": {"tau0": 9}}))


def _config(run: Path) -> None:
    _rewrite(run, config_hash="0" * 64)


def _twice(run: Path) -> None:
    index = Run.open(run).record.artifact_index
    _rewrite(run, artifact_index=(*index, index[1]))


def _type(run: Path) -> None:
    _rewrite(run, timings={"load": "long"})


def _no_json(run: Path) -> None:
    _replace(run / "run_record.json", b"{")


HARMS: list[tuple[Callable[[Path], None], list[tuple[FindingKind, str]]]] = [
    (_flip_a_bit, [(FindingKind.changed, RASTER)]),
    (_truncate, [(FindingKind.changed, RASTER)]),
    (_pipe, [(FindingKind.changed, RASTER)]),
    (_lose, [(FindingKind.missing, RASTER)]),
    (_add, [(FindingKind.extra, "figs/x.png")]),
    (_socket, [(FindingKind.extra, "plug")]),
    (_add_a_pipe, [(FindingKind.extra, "results/pipe")]),
    (_empty_folder, [(FindingKind.extra, "figs")]),
    (_empty_folders, [(FindingKind.extra, "figs/appendix"), (FindingKind.extra, "results/.hidden")]),
    (_folder_for_a_file, [(FindingKind.changed, RASTER)]),
    (_file_for_a_folder, [(FindingKind.missing, "notebook/phase2.ipynb"), (FindingKind.extra, "notebook")]),
    (_folder_for_the_record, [(FindingKind.record, "run_record.json")]),
    (_link_to_a_copy, [(FindingKind.symlink, RASTER)]),
    (_link_the_folder, [(FindingKind.symlink, "notebook/phase2.ipynb"), (FindingKind.symlink, "notebook")]),
    (_add_a_link, [(FindingKind.symlink, "figs")]),
    (_link_the_record, [(FindingKind.symlink, "run_record.json")]),
    (_escape, [(FindingKind.escape, "../outside")]),
    *(
        (harm, [(FindingKind.record, "run_record.json")])
        for harm in (_status, _config, _twice, _type, _no_json, _section)
    ),
    *((harm, [(FindingKind.record, "run_record.json")] * 2) for harm in (_hash,)),
    (_name, [(FindingKind.record, "run_record.json")] * 2),
]


@pytest.mark.parametrize(("harm", "expected"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_harm_is_told_apart(run: Run, harm: Callable, expected: list) -> None:
    assert verify(run.path) == []
    harm(run.path)
    findings = verify(run.path)
    assert [(finding.kind, finding.path) for finding in findings] == expected
    assert all("\n" not in str(finding) and finding.path in str(finding) for finding in findings)


@pytest.mark.parametrize("harm", [_flip_a_bit, _truncate, _lose, _link_to_a_copy, _pipe])
def test_an_artifact_is_checked_before_use_every_time(run: Run, harm: Callable) -> None:
    assert set(run.npz(RASTER)) == {"total"}
    harm(run.path)
    with pytest.raises(IntegrityError, match=r"rasters_token_layer\.npz") as caught:
        run.npz(RASTER)
    assert caught.value.exit_code is Exit.BAD_INPUT
    assert "\n" not in str(caught.value)


def test_a_record_behind_a_link_is_not_read(run: Run, store: RunStore) -> None:
    _link_the_record(run.path)
    with pytest.raises(IntegrityError, match=r"run_record\.json: Too many levels of symbolic links"):
        store.open(run.run_id)


def test_an_artifact_behind_an_escaping_index_is_refused(run: Run) -> None:
    _escape(run.path)
    with pytest.raises(IntegrityError, match="no plain relative path"):
        Run.open(run.path).read_bytes("../outside")


def test_an_artifact_that_was_never_there_is_a_missing_dependency(run: Run) -> None:
    with pytest.raises(DependencyError, match=r"holds no results/x\.npz; it holds config_resolved\.yaml"):
        run.npz("results/x.npz")


@pytest.fixture
def failing(monkeypatch) -> Callable[[str, int], None]:
    """Have the operating system refuse to open files of a name, as a bad disk or a limit does."""

    def fail(name: str, code: int) -> None:
        real = os.open

        def refuse(path, *more, **options):
            if os.fspath(path).endswith(f"/{name}"):
                raise OSError(code, os.strerror(code), str(path))
            return real(path, *more, **options)

        monkeypatch.setattr("critnb.runs.files.os.open", refuse)

    return fail


PASSING = [errno.EIO, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.ESTALE, errno.ETIMEDOUT, errno.ENOMEM]


@pytest.mark.parametrize("code", PASSING, ids=errno.errorcode.get)
def test_what_cannot_be_read_now_is_not_called_wrong(run: Run, store: RunStore, failing, capsys, code: int) -> None:
    """Nobody may be told to delete a run because a disk, a network or a limit stood in the way for a moment."""
    failing(Path(RASTER).name, code)
    (finding,) = verify(run.path)
    assert (finding.kind, finding.path) == (FindingKind.unread, RASTER)
    with pytest.raises(StorageError, match=re.escape(os.strerror(code))) as caught:
        run.npz(RASTER)
    said = [str(caught.value), str(finding)]
    failing("run_record.json", code)
    with pytest.raises(StorageError, match=re.escape(os.strerror(code))) as caught:
        store.open(run.run_id)
    said += [str(caught.value), *map(str, verify(run.path))]
    assert [finding.kind for finding in verify(run.path)] == [FindingKind.unread]
    assert main(["verify", "--runs-dir", str(store.root)]) == Exit.BAD_INPUT
    shown = capsys.readouterr()
    assert shown.err == "error: 1 of 1 runs cannot be read now; they may be sound, try again\n"
    for text in (*said, shown.out):
        assert "try again" in text
        assert "delete" not in text
        assert "trusted" not in text


def test_an_older_run_is_not_taken_for_the_newest_while_that_cannot_be_read(store, ministage, failing, caplog) -> None:
    upstream = ministage.make(store, Stage.S01)
    older = ministage.make(store, Stage.S02, upstream)
    newer = ministage.make(store, Stage.S02)
    failing(f"{newer.run_id}/run_record.json", errno.EIO)
    with pytest.raises(StorageError, match=rf"{newer.run_id}/run_record\.json: cannot be read now"):
        store.latest(Stage.S02)
    assert store.latest(Stage.S01).run_id == upstream.run_id
    assert [run.run_id for run in store.runs(Stage.S02)] == [older.run_id]
    assert f"{newer.run_id} is left out" in caplog.text
    assert {each.run_id: each.record is None for each in store.entries(Stage.S02)} == {
        older.run_id: False,
        newer.run_id: True,
    }


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_an_upstream_record_or_a_folder_that_cannot_be_read_now(chain: list[Run], failing, monkeypatch, code) -> None:
    real = os.scandir

    def refuse(path):
        if Path(path).name == "results":
            raise OSError(code, os.strerror(code), str(path))
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        assert [(each.kind, each.path) for each in verify(chain[1].path)] == [(FindingKind.unread, "results")]
    failing(f"{chain[0].run_id}/run_record.json", code)
    assert [(each.kind, each.path) for each in verify(chain[1].path)] == [(FindingKind.unread, chain[0].run_id)]


def test_verify_of_nothing(store: RunStore) -> None:
    with pytest.raises(DependencyError, match="no such run"):
        verify(store.root / "RUN_S02_0123456789ab")


@pytest.fixture
def chain(store: RunStore, ministage) -> list[Run]:
    runs: list[Run] = []
    for stage in (Stage.S01, Stage.S02, Stage.S03):
        runs.append(ministage.make(store, stage, runs[-1] if runs else None))
    return runs


def test_a_sound_chain_is_followed_to_its_root(store: RunStore, chain: list[Run]) -> None:
    assert verify_chain(store, chain[2].run_id) == {run.run_id: [] for run in reversed(chain)}


def test_a_changed_upstream_record_shows_in_its_dependant_only(store: RunStore, chain: list[Run]) -> None:
    _rewrite(chain[1].path, notes=("improved",))
    found = verify_chain(store, chain[2].run_id)
    assert [(finding.kind, finding.path) for finding in found[chain[2].run_id]] == [
        (FindingKind.dependency, chain[1].run_id)
    ]
    assert found[chain[1].run_id] == found[chain[0].run_id] == []


def test_a_missing_upstream_run_is_a_dependency_finding(store: RunStore, chain: list[Run]) -> None:
    shutil.rmtree(chain[0].path)
    found = verify_chain(store, chain[2].run_id)
    assert list(found) == [chain[2].run_id, chain[1].run_id]
    assert [(finding.kind, finding.path) for finding in found[chain[1].run_id]] == [
        (FindingKind.dependency, chain[0].run_id)
    ]
    assert verify(chain[1].path) == found[chain[1].run_id]


def test_a_changed_file_far_upstream_is_found(store: RunStore, chain: list[Run]) -> None:
    _flip_a_bit(chain[0].path)
    found = verify_chain(store, chain[2].run_id)
    assert {run_id: len(findings) for run_id, findings in found.items()} == {
        chain[2].run_id: 0, chain[1].run_id: 0, chain[0].run_id: 1,
    }  # fmt: skip


def test_dependencies_that_do_not_match_what_was_hashed(chain: list[Run]) -> None:
    _rewrite(chain[1].path, dependencies=())
    messages = [str(finding) for finding in verify(chain[1].path)]
    assert messages == ["record run_record.json: dependencies are not the upstream runs of hash_inputs"]


def test_a_record_of_a_partial_run_is_not_complete(store: RunStore, ministage) -> None:
    with ministage.begin(store) as partial:
        kinds = {finding.kind for finding in verify(partial.path)}
    assert FindingKind.record in kinds
    assert isinstance(partial.record, RunRecord)
