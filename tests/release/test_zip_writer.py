"""The zip's bytes, held against Python's own reader of the format and against what a byte of it may be."""

from __future__ import annotations

import io
import zipfile
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.errors import IntegrityError
from critnb.release import zip_layout as layout
from critnb.release.zip_layout import Member
from critnb.release.zip_reader import _central_directory
from critnb.release.zip_writer import Packed, Source, write_zip


def packed(contents: dict[str, bytes]) -> list[Packed]:
    return [Packed.of(Source(name, content)) for name, content in contents.items()]


def written(files: list[Packed]) -> bytes:
    buffer = io.BytesIO()
    write_zip(buffer, files)
    return buffer.getvalue()


@given(st.dictionaries(st.text("abéz", min_size=1, max_size=5), st.binary(max_size=40), max_size=6))
def test_another_reader_finds_the_files(contents):
    with zipfile.ZipFile(io.BytesIO(written(packed(contents)))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.compress_type == zipfile.ZIP_STORED
            assert not info.comment
            assert not info.extra


def test_the_order_in_which_files_are_given_does_not_matter():
    files = packed({"b": b"1", "a/c": b"2", "a": b"3"})
    assert len({written(list(order)) for order in permutations(files)}) == 1


def test_what_begins_as_a_script_may_be_executed():
    with zipfile.ZipFile(io.BytesIO(written(packed({"run": b"#!/bin/sh\n", "text": b"run"})))) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes == {"run": 0o100755, "text": 0o100644}


def test_two_files_of_one_name_are_refused():
    with pytest.raises(IntegrityError, match="two files of one name"):
        written([*packed({"a": b"1"}), *packed({"a": b"2"})])


def test_a_file_that_changes_while_it_is_packed_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"before")
    files = [Packed.of(Source("a", path))]
    path.write_bytes(b"after!")
    with pytest.raises(IntegrityError, match="a was changed while the release was made"):
        written(files)


def sparse(path, members: list[Member]) -> int:
    """A zip whose files' bytes are holes on the disk; returns where its central directory begins."""
    offset, central = 0, b""
    with path.open("wb") as file:
        for member in members:
            head = layout.local_header(member)
            file.seek(offset)
            file.write(head)
            central += layout.central_header(member, offset)
            offset += len(head) + member.size
        file.seek(offset)
        file.write(central + layout.tail(len(members), offset, len(central)))
    return offset


def test_beyond_32_bits_other_readers_agree(tmp_path):
    path = tmp_path / "large.zip"
    members = [Member("a", 0, 5 << 30, False), Member("b", 1, 3, False), Member("c", 2, (1 << 32) - 1, True)]
    end = sparse(path, members)
    with zipfile.ZipFile(path) as archive:
        assert [(i.filename, i.file_size, i.CRC) for i in archive.infolist()] == [
            (m.name, m.size, m.crc32) for m in members
        ]
        assert archive.open("b").read(0) == b""  # reads the local header too
    with path.open("rb") as file:
        located, begins = _central_directory(file, path.stat().st_size)
    assert [each.member for each in located] == members
    assert begins == end


def test_more_files_than_a_release_has_are_not_written():
    with pytest.raises(IntegrityError, match="it has 20001 files, a release at most 20000"):
        written(packed({f"{number:05}": b"" for number in range(20_001)}))


def test_more_runs_than_a_release_has_are_not_written():
    with pytest.raises(IntegrityError, match="it has 201 runs, a release at most 200"):
        written(packed({f"runs/{number}/a": b"" for number in range(201)}))
