"""Digests of large files: remembered while the file system says that nothing changed, and never after a change."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from critnb.data import remembered
from critnb.data.remembered import file_digest, remembered_digest


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Where digests are kept; files of a few bytes count as large, and as settled at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(remembered, "_LEAST_BYTES", 4)
    monkeypatch.setattr(remembered, "_SETTLED_SECONDS", -1.0)
    return remembered._place()


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files that were read to be hashed."""
    seen: list[Path] = []
    monkeypatch.setattr(remembered, "file_digest", lambda path: seen.append(path) or file_digest(path))
    return seen


def expected(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once(cache, weights, read):
    assert [remembered_digest(weights) for _ in range(3)] == [expected(weights)] * 3
    assert read == [weights]
    assert cache.is_relative_to(weights.parent)
    # a link to it is the same file
    (weights.parent / "link").symlink_to(weights)
    assert remembered_digest(weights.parent / "link") == expected(weights)
    assert read == [weights]


@pytest.mark.parametrize("keep_time", [False, True])
def test_other_content_of_the_same_size_is_noticed(cache, weights, read, keep_time):
    remembered_digest(weights)
    before = weights.stat()
    time.sleep(0.02)
    with weights.open("r+b") as file:
        file.write(b"WEIGHTS")
    if keep_time:
        # as a program that copies with the times of what it copies
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = weights.stat()
    assert (after.st_size, after.st_ino) == (before.st_size, before.st_ino)
    assert (after.st_mtime_ns == before.st_mtime_ns) is keep_time
    assert remembered_digest(weights) == hashlib.sha256(b"WEIGHTS").hexdigest()
    assert len(read) == 2


def test_a_file_that_was_changed_just_now_is_not_remembered(cache, weights, read, monkeypatch):
    monkeypatch.setattr(remembered, "_SETTLED_SECONDS", 60.0)
    for _ in range(2):
        assert remembered_digest(weights) == expected(weights)
    assert len(read) == 2
    assert not cache.exists()


def test_a_small_file_is_read_every_time(cache, weights, read):
    weights.write_bytes(b"abc")
    for _ in range(2):
        assert remembered_digest(weights) == expected(weights)
    assert len(read) == 2
    assert not cache.exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1, "b": "short"}', "[" * 100_000, "\udce4"])
def test_what_is_no_record_of_digests_counts_for_nothing(cache, weights, read, text):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(text.encode(errors="surrogateescape"))
    assert remembered_digest(weights) == expected(weights)
    assert remembered_digest(weights) == expected(weights)
    assert read == [weights]
    assert list(json.loads(cache.read_text()).values()) == [expected(weights)]


def test_a_home_that_cannot_be_written_is_no_error(cache, weights, read):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where a folder should be")
    for _ in range(2):
        assert remembered_digest(weights) == expected(weights)
    assert len(read) == 2
