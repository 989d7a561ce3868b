"""Read a release's zip and trust nothing in it: every byte is either a file's own or the one that the layout demands."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from critnb.errors import IntegrityError
from critnb.release import zip_layout as layout
from critnb.release.zip_layout import Checksums, Member
from critnb.release.zip_limits import LONGEST_PATH, MOST_FILES, name_problem, size_problem
from critnb.runs.files import open_regular

_PIECE = 1 << 20
_ENCRYPTED = 0x0001
# in the central directory: a name, and three values of 64 bits
_LONGEST_RECORD = layout.CENTRAL_FIXED.size + LONGEST_PATH + 28


@dataclass(frozen=True)
class LocatedMember:
    """A file of the zip and the offset of its local header."""

    member: Member
    offset: int


@dataclass(frozen=True)
class UnpackedFile:
    """A file that was taken out of the zip: its sha256, its size, and what is wrong with its bytes in the zip, if anything."""

    name: str
    sha256: str
    size: int
    problem: str = ""


class DamagedError(IntegrityError):
    """The zip as a whole is not that of a release, so that nothing can be said of its files."""


def unpack(path: Path, folder: Path | None) -> list[UnpackedFile]:
    """Return what each file of the zip is, and write it below ``folder``, new or empty, if one is given; nothing else is written.

    Raises DamagedError for a zip whose structure is not that of a release: unsafe, repeated or colliding names, links,
    compressed or encrypted files, more than a release has, sizes that do not add up, bytes that belong to nothing. Raises
    OSError, before anything is written, where there is no room for all.
    """
    with open_regular(path) as zip_file:
        size = os.fstat(zip_file.fileno()).st_size
        files, end = _central_directory(zip_file, size)
        members = [each.member for each in files]
        if wrong := name_problem([each.name for each in members]):
            raise DamagedError(wrong)
        _check_places(files, end)
        if wrong := size_problem(members):
            raise DamagedError(wrong)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _check_room(folder, size)
        return [_unpack_member(zip_file, each, folder) for each in files]


def _central_directory(zip_file: BinaryIO, size: int) -> tuple[list[LocatedMember], int]:
    """Return the files that the central directory names, and where it begins."""
    count, offset, length, last = _end_record(zip_file, size)
    if offset + length != last:
        raise DamagedError(
            f"{abs(last - offset - length)} bytes stand where a release has none, before or behind its files"
        )
    if count > MOST_FILES or length > count * _LONGEST_RECORD:
        raise DamagedError(f"it names {count} files in {length} bytes, a release at most {MOST_FILES}")
    data = _read(zip_file, offset, length)
    files: list[LocatedMember] = []
    at = 0
    while at < length:
        after = files[-1].member.name if files else "its beginning"
        try:
            located, at = _central_record(data, at)
        except ValueError as error:
            raise DamagedError(f"central directory, behind {after}: {error}") from error
        files.append(located)
    if len(files) != count:
        raise DamagedError(f"its end names {count} files, its central directory {len(files)}")
    return files, offset


def _end_record(zip_file: BinaryIO, size: int) -> tuple[int, int, int, int]:
    """Return (files, offset and size of the central directory, where the end record or its ZIP64 form begins)."""
    last = size - layout.END_FIXED.size
    data = _read(zip_file, max(last, 0), layout.END_FIXED.size)
    if last < 0 or not data.startswith(layout.END):
        raise DamagedError(
            "it does not end as the zip of a release does: no zip, cut short, or with bytes behind its end"
        )
    *_, count, length, offset, _ = layout.END_FIXED.unpack(data)
    if count == layout.MARK_16 or layout.MARK_32 in (length, offset):
        last -= layout.LOCATOR_64_FIXED.size + layout.END_64_FIXED.size
        wide = _read(zip_file, max(last, 0), layout.END_64_FIXED.size)
        if last < 0 or not wide.startswith(layout.END_64):
            raise DamagedError("its end speaks of a ZIP64 record that is not there")
        *_, count, length, offset = layout.END_64_FIXED.unpack(wide)
    ours = layout.tail(count, offset, length)
    if _read(zip_file, last, size - last) != ours:
        raise DamagedError("its end record is not the one that a release of these files has")
    return count, offset, length, last


def _central_record(data: bytes, at: int) -> tuple[LocatedMember, int]:
    """Return the file of the record that begins at byte ``at`` of the central directory, and where the next one begins."""
    fixed = layout.CENTRAL_FIXED
    if at + fixed.size > len(data):
        raise ValueError("a record is cut short")
    signature, _, _, flags, method, _, _, crc, _, size, n_name, n_extra, *_, attributes, offset = fixed.unpack_from(
        data, at
    )
    begin = at + fixed.size
    if signature != layout.CENTRAL:
        raise ValueError("no record of a file is there")
    name, extra = data[begin : begin + n_name].decode("utf-8"), data[begin + n_name : begin + n_name + n_extra]
    _refuse_kind(name, flags, method, attributes >> 16)
    size, offset = _widened(name, extra, size, offset)
    member = Member(name, crc, size, executable=attributes >> 16 == layout.EXECUTABLE)
    ours = layout.central_header(member, offset)
    if data[at : at + len(ours)] != ours:
        raise ValueError(f"the record of {name} is not the one that a release has")
    return LocatedMember(member, offset), at + len(ours)


def _refuse_kind(name: str, flags: int, method: int, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise ValueError(f"{name} is a symbolic link")
    if flags & _ENCRYPTED:
        raise ValueError(f"{name} is encrypted")
    if method:
        raise ValueError(f"{name} is compressed; a release stores its files as they are")


def _widened(name: str, extra: bytes, size: int, offset: int) -> tuple[int, int]:
    wide = iter(layout.wide_values(extra))
    try:
        if size == layout.MARK_32:
            size, _ = next(wide), next(wide)
        return size, next(wide) if offset == layout.MARK_32 else offset
    except StopIteration:
        raise ValueError(f"{name} lacks its ZIP64 sizes") from None


def _check_places(files: list[LocatedMember], end: int) -> None:
    """Refuse sizes and offsets that leave a gap, overlap, or do not add up; so the zip's size bounds all that is written."""
    expected = 0
    for each in files:
        if each.offset != expected:
            raise DamagedError(
                f"{each.member.name} begins at byte {each.offset}, the file before it ends at {expected}"
            )
        expected += len(layout.local_header(each.member)) + each.member.size
    if expected != end:
        raise DamagedError(f"its files end at byte {expected}, its central directory begins at {end}")


def _check_room(folder: Path, size: int) -> None:
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, f"no room for the {size} bytes of the zip", str(folder))


def _unpack_member(zip_file: BinaryIO, located: LocatedMember, folder: Path | None) -> UnpackedFile:
    member, ours = located.member, layout.local_header(located.member)
    theirs = _read(zip_file, located.offset, len(ours))
    sums = Checksums()
    with _target(folder, member.name) as file:
        for piece in _pieces(zip_file, member.size):
            sums.add(piece)
            if file is not None:
                file.write(piece)
    problem, found = "", sums.member(member.name)
    if theirs != ours:
        problem = "its header in the zip is not the one that a release has"
    elif found.crc32 != member.crc32:
        problem = "its bytes do not have the checksum that the zip names"
    elif found.executable != member.executable:
        problem = "the zip gives it a mode that does not follow from its content"
    return UnpackedFile(member.name, sums.sha256, member.size, problem)


def _target(folder: Path | None, name: str) -> AbstractContextManager[BinaryIO | None]:
    if folder is None:
        return nullcontext()
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _pieces(zip_file: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = zip_file.read(min(size, _PIECE))
        if not piece:
            raise DamagedError("it was cut short while it was read")
        size -= len(piece)
        yield piece


def _read(zip_file: BinaryIO, offset: int, size: int) -> bytes:
    zip_file.seek(offset)
    return zip_file.read(size)
