"""No byte of a release's zip can be changed, added or lost unseen, and no zip of strangers writes outside its folder."""

from __future__ import annotations

import io
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from release.chains import zipped

from critnb.release import zip_layout as layout
from critnb.release.zip_reader import DamagedError, unpack

CONTENTS = {"a.txt": b"alpha", "b/c.bin": bytes(range(32)), "b/run": b"#!/bin/sh\n", "z": b""}


@pytest.fixture
def good(tmp_path) -> Path:
    return zipped(tmp_path / "good.zip", CONTENTS)


def trouble(path: Path, expected: dict[str, str]) -> str:
    """What reading says is wrong, one way or another; empty for a zip like the one that ``expected`` is of."""
    try:
        found = unpack(path, None)
    except DamagedError as error:
        return str(error)
    if {each.name: each.sha256 for each in found} != expected:
        return "other content"
    return "; ".join(each.problem for each in found if each.problem)


@pytest.fixture
def expected(good) -> dict[str, str]:
    return {each.name: each.sha256 for each in unpack(good, None)}


def test_every_file_comes_out(good, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    assert not any(each.problem for each in unpack(good, folder))
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == CONTENTS


def test_every_bit_counts(good, expected, tmp_path):
    data, path = good.read_bytes(), tmp_path / "flipped.zip"
    unseen = []
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            path.write_bytes(bytes(flipped))
            if not trouble(path, expected):
                unseen.append((place, bit))
    assert unseen == []


def test_a_changed_byte_of_a_file_names_the_file(good, tmp_path):
    path = tmp_path / "changed.zip"
    path.write_bytes(good.read_bytes().replace(b"alpha", b"alphA"))
    assert [each.name for each in unpack(path, None) if each.problem] == ["a.txt"]


def test_no_byte_can_be_lost_or_added(good, expected, tmp_path):
    data, path = good.read_bytes(), tmp_path / "other.zip"
    others = [data[:place] for place in range(len(data))]
    others += [data[:place] + b"\0" + data[place:] for place in range(len(data) + 1)]
    others += [data[:place] + data[place + 1 :] for place in range(len(data))]
    others += [data + data, data[::-1], b"", b"PK\5\6" + bytes(18) + data]
    unseen = []
    for other in others:
        path.write_bytes(other)
        if not trouble(path, expected):
            unseen.append(other)
    assert unseen == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/etc/passwd", "no plain relative path"),
        ("../outside", "no plain relative path"),
        ("a/../../outside", "no plain relative path"),
        ("a//b", "no plain relative path"),
        ("./a", "no plain relative path"),
        ("C:\\a", "no plain relative path"),
        ("a\\b", "no plain relative path"),
        ("C:a", "no plain relative path"),
        ("a/", "no plain relative path"),
        ("line\nbreak", "no plain relative path"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_written(name, said, tmp_path):
    path, folder = zipped(tmp_path / "evil.zip", {"A": b"x", name: b"evil"}), tmp_path / "deep" / "out"
    folder.mkdir(parents=True)
    with pytest.raises(DamagedError, match=said):
        unpack(path, folder)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == ["deep", "deep/out", "evil.zip"]


@pytest.mark.parametrize(
    "name",
    ["x" * 256, "é" * 128, "a/" * 40 + "b", "/".join(["a"] * 30000), "a.", "b /c", "CON", "x/nul.txt", "Lpt1.tar.gz",
     ".git/hooks/post-checkout", "x/.GIT", "GIT~1/config", "a?b", "what|now"],
    ids=lambda name: name[:12],
)  # fmt: skip
def test_a_name_that_some_file_system_cannot_hold_is_refused(name, tmp_path):
    path, out = zipped(tmp_path / "odd.zip", {name: b"x"}), tmp_path / "out"
    with pytest.raises(DamagedError) as refused:
        unpack(path, out)
    assert len(str(refused.value)) < 400
    assert not out.exists()


@pytest.mark.parametrize("name", ["x" * 255, ".gitignore", "console.py", "a.b/con-text.md", "nullity", "ö/_ü.txt"])
def test_a_name_that_is_only_near_those_is_fine(name, tmp_path):
    (found,) = unpack(zipped(tmp_path / "good.zip", {name: b"x"}), None)
    assert found.name == name


@pytest.mark.parametrize(
    "names",
    [("README", "readme"), ("Straße", "STRASSE"), ("é", "e\u0301"), ("a", "a/b"), ("A/x", "a/y")],
    ids=["case", "sharp s", "composed", "file and folder", "folders"],
)
def test_names_that_collide_somewhere_are_refused(names, tmp_path):
    with pytest.raises(DamagedError, match="one name on some file systems"):
        unpack(zipped(tmp_path / "twice.zip", dict.fromkeys(names, b"")), None)


def python_zip(path: Path, **of_member: int) -> Path:
    """A zip as another program writes it, its one file with these fields of Python's ZipInfo."""
    info = zipfile.ZipInfo("a", (1980, 1, 1, 0, 0, 0))
    for field, value in of_member.items():
        setattr(info, field, value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"/etc/passwd" * 9)
    return path


def test_a_link_is_refused(tmp_path):
    with pytest.raises(DamagedError, match="a is a symbolic link"):
        unpack(python_zip(tmp_path / "x.zip", external_attr=(stat.S_IFLNK | 0o777) << 16), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_compressed_files_and_so_bombs_are_refused(tmp_path):
    with pytest.raises(DamagedError, match="a is compressed"):
        unpack(python_zip(tmp_path / "x.zip", compress_type=zipfile.ZIP_DEFLATED), None)


def test_an_encrypted_file_is_refused(good, tmp_path):
    data = bytearray(good.read_bytes())
    record = data.index(layout.CENTRAL)
    data[record + 8] |= 1
    (tmp_path / "x.zip").write_bytes(bytes(data))
    with pytest.raises(DamagedError, match=r"a\.txt is encrypted"):
        unpack(tmp_path / "x.zip", None)


def test_a_file_twice_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(zipfile.ZipInfo("a"), "2")
    with pytest.raises(DamagedError):
        unpack(path, None)


def test_a_size_that_lies_is_refused_before_anything_is_written(tmp_path):
    members = [layout.Member("a", 0, 1 << 40, False), layout.Member("b", 0, 0, False)]
    central = layout.central_header(members[0], 0) + layout.central_header(members[1], 31)
    data = layout.local_header(members[0]) + layout.local_header(members[1])
    path = tmp_path / "x.zip"
    path.write_bytes(data + central + layout.tail(2, len(data), len(central)))
    with pytest.raises(DamagedError, match="begins at byte 31"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mode_that_does_not_follow_from_the_content_is_named(tmp_path):
    member = layout.Member("a", 0xA6669D7D, 4, executable=True)
    data, central = layout.local_header(member) + b"0123", layout.central_header(member, 0)
    path = tmp_path / "x.zip"
    path.write_bytes(data + central + layout.tail(1, len(data), len(central)))
    (found,) = unpack(path, None)
    assert found.problem == "the zip gives it a mode that does not follow from its content"


def test_two_files_on_the_same_bytes_are_refused(tmp_path):
    # the quoted bomb: records that overlap
    member = layout.Member("a", 0, 4, False)
    data = layout.local_header(member) + b"abcd"
    central = layout.central_header(member, 0) + layout.central_header(layout.Member("b", 0, 4, False), 0)
    path = tmp_path / "x.zip"
    path.write_bytes(data + central + layout.tail(2, len(data), len(central)))
    with pytest.raises(DamagedError, match="b begins at byte 0"):
        unpack(path, None)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(17), b"\0" * 200])
def test_what_is_no_zip_is_said_to_be_none(content, tmp_path):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DamagedError, match="does not end as the zip of a release does"):
        unpack(tmp_path / "x.zip", None)


def test_a_zip_of_another_program_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = b"made elsewhere"
        archive.writestr("a", "1")
    (tmp_path / "x.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DamagedError):
        unpack(tmp_path / "x.zip", None)


def listed(path: Path, count: int, name: Callable[[int], bytes]) -> Path:
    """A zip that Python itself would read: files without content, as many and of such names as one likes."""
    local, central = bytearray(), bytearray()
    for number in range(count):
        text = name(number)
        central += layout.CENTRAL_FIXED.pack(
            layout.CENTRAL, 0x314, 20, layout.UTF8_NAMES, 0, 0, 33, 0, 0, 0, len(text), 0, 0, 0, 0, 0o100644 << 16, len(local)
        ) + text  # fmt: skip
        local += layout.LOCAL_FIXED.pack(layout.LOCAL, 20, layout.UTF8_NAMES, 0, 0, 33, 0, 0, 0, len(text), 0) + text
    path.write_bytes(bytes(local) + bytes(central) + layout.tail(count, len(local), len(central)))
    return path


@pytest.mark.parametrize(
    ("count", "name", "said"),
    [
        (150_000, b"%07d".__mod__, "names 150000 files in .* bytes, a release at most 20000"),
        (20_001, b"%07d".__mod__, "names 20001 files"),
        (500, lambda number: b"%065535d" % number, "names 500 files in 32790500 bytes"),
        (20_000, lambda number: b"a/" * 31 + b"%05d" % number + b"b" * 200 + b"/" + b"c" * 255 + b"/" + b"d" * 255, "deeper"),
        (1, lambda _: b"\xff\xfe", "central directory, behind its beginning"),
    ],
    ids=["many", "one too many", "long names", "deep paths", "no UTF-8"],
)  # fmt: skip
def test_more_than_a_release_has_is_refused_at_once(count, name, said, tmp_path):
    path = listed(tmp_path / "x.zip", count, name)
    started = time.process_time()
    with pytest.raises(DamagedError, match=said):
        unpack(path, tmp_path / "out")
    assert time.process_time() - started < 3
    assert not (tmp_path / "out").exists()


def test_as_many_names_as_allowed_in_as_many_folders_take_no_time(tmp_path):
    path = listed(tmp_path / "x.zip", 20_000, lambda number: b"%05d/" % number + b"/".join([b"a"] * 30))
    started = time.process_time()
    assert len(unpack(path, None)) == 20_000
    assert time.process_time() - started < 20


def test_more_runs_than_a_release_has_are_refused(tmp_path):
    path = listed(tmp_path / "x.zip", 300, lambda number: b"runs/RUN_S00_%012d/a" % number)
    with pytest.raises(DamagedError, match="300 runs, a release at most 200"):
        unpack(path, None)


def holes(path: Path, member: layout.Member) -> Path:
    """A zip of one file, all zeros, which costs no room on the disk."""
    head, central = layout.local_header(member), layout.central_header(member, 0)
    with path.open("wb") as file:
        file.write(head)
        file.seek(member.size, 1)
        file.write(central + layout.tail(1, len(head) + member.size, len(central)))
    return path


def test_a_text_longer_than_memory_is_refused_by_its_size(tmp_path):
    path = holes(tmp_path / "x.zip", layout.Member("runs/a/run_record.json", 0, 10 << 30, False))
    with pytest.raises(
        DamagedError, match=r"run_record\.json has 10737418240 bytes, files of its kind at most 268435456"
    ):
        unpack(path, None)


def test_what_the_disk_has_no_room_for_is_not_begun(good, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=good.stat().st_size - 1))
    with pytest.raises(OSError, match="no room for the"):
        unpack(good, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
