from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT
from critnb.errors import StorageError
from critnb.runs.scratch import Scratch

HOLD = """
from critnb.runs.scratch import Scratch
scratch = Scratch()
(scratch.path / "inside").mkdir()
(scratch.path / "inside" / "file").write_text("left")
print(scratch.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_folder_in_use_outlives_another_start_and_that_of_a_killed_process_does_not(temporary):
    command = [sys.executable, "-c", HOLD]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(PACK_ROOT)}
    held = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert held.stdin is not None
    assert held.stdout is not None
    with held.stdin, held.stdout:
        folder = Path(held.stdout.readline().strip())
        assert folder.parent == temporary
        with Scratch():
            assert (folder / "inside" / "file").read_text() == "left"
        held.send_signal(signal.SIGKILL)
        held.wait()
    assert folder.is_dir()
    with Scratch() as mine:
        assert list(temporary.iterdir()) == [mine]
    assert list(temporary.iterdir()) == []


def test_what_is_not_ours_stays(temporary, tmp_path):
    (temporary / "critnb-of-somebody").mkdir()
    (temporary / "critnb-of-somebody" / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (temporary / "critnb-link").symlink_to(tmp_path / "elsewhere")
    (temporary / "critnb-file").write_text("a file")
    (temporary / "critnb-new").mkdir()
    before = sorted(temporary.rglob("*"))
    for each in (temporary / "critnb-of-somebody", tmp_path / "elsewhere"):
        os.utime(each, (0, 0))
    Scratch().close()
    assert sorted(temporary.rglob("*")) == before
    assert (tmp_path / "elsewhere").is_dir()


def test_a_folder_of_a_process_killed_before_it_had_a_lock_goes_after_a_while(temporary):
    (temporary / "critnb-old").mkdir()
    os.utime(temporary / "critnb-old", (time.time() - 3600,) * 2)
    Scratch().close()
    assert list(temporary.iterdir()) == []


def test_a_temporary_directory_that_cannot_be_used_is_one_line(monkeypatch, temporary):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    with pytest.raises(StorageError, match=r"missing.*No such file.*TMPDIR") as caught:
        Scratch()
    assert "\n" not in str(caught.value)


def test_a_temporary_directory_without_room_is_one_line_and_left_empty(temporary, monkeypatch):
    """The real refusal of the operating system, by a limit on the size of files."""
    monkeypatch.setattr("critnb.runs.scratch._ROOM_BYTES", 300_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(StorageError, match=r"File too large.*TMPDIR"):
            Scratch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(temporary.iterdir()) == []


def test_a_temporary_directory_that_is_full_is_one_line_and_other_errors_stay(temporary):
    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"), Scratch() as folder:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "file"))
    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"), Scratch():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError), Scratch():
        (temporary / "elsewhere.txt").read_text()
    assert list(temporary.iterdir()) == []
