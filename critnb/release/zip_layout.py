"""The one byte layout of a release's zip: every byte beside the files' own follows from their names and contents.

Files are stored, not deflated: what a compressor makes of the same bytes differs between versions of zlib, and most of
a release is compressed already. No clock, no owner, no comment; sizes beyond 32 bits as ZIP64. Field by field after
PKWARE's APPNOTE 6.3.10, sections 4.3.7 (local header) to 4.3.16 (end of central directory).
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

MARK_32, MARK_16 = 0xFFFFFFFF, 0xFFFF
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
END_64, LOCATOR_64, END = b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
UTF8_NAMES = 0x0800
REGULAR, EXECUTABLE = 0o100644, 0o100755

_VERSION, _VERSION_64 = 20, 45
_UNIX = 3
_STORED = 0
# the earliest time that the format knows, 1980-01-01 00:00
_TIME, _DATE = 0, 0x0021

LOCAL_FIXED = struct.Struct("<4s5H3L2H")
CENTRAL_FIXED = struct.Struct("<4s6H3L5H2L")
END_64_FIXED = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64_FIXED = struct.Struct("<4sLQL")
END_FIXED = struct.Struct("<4s4H2LH")
_EXTRA_64 = 0x0001
_SCRIPT = b"#!"


@dataclass(frozen=True)
class Member:
    """A file of the zip: POSIX name, CRC-32 and size of its content in bytes, and whether it may be executed."""

    name: str
    crc32: int
    size: int
    executable: bool


class Checksums:
    """What follows from a file's bytes, which are added piece by piece: sha256, CRC-32, size, and whether it is a script."""

    def __init__(self) -> None:
        self._digest, self._crc32, self._size, self._head = hashlib.sha256(), 0, 0, b""

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._digest.update(piece)
        self._crc32 = zlib.crc32(piece, self._crc32)
        self._size += len(piece)
        self._head = self._head or piece[: len(_SCRIPT)]

    @property
    def sha256(self) -> str:
        """The hex digest of what was added so far."""
        return self._digest.hexdigest()

    def member(self, name: str) -> Member:
        """Return the file of these bytes; what begins with ``#!`` may be executed."""
        return Member(name, self._crc32, self._size, executable=self._head.startswith(_SCRIPT))


def local_header(member: Member) -> bytes:
    """Return the header that stands before a file's bytes."""
    name, extra = member.name.encode(), _extra(member.size, member.size) if member.size >= MARK_32 else b""
    version = _VERSION_64 if extra else _VERSION
    size = min(member.size, MARK_32)
    fixed = LOCAL_FIXED.pack(
        LOCAL, version, UTF8_NAMES, _STORED, _TIME, _DATE, member.crc32, size, size, len(name), len(extra)
    )
    return fixed + name + extra


def central_header(member: Member, offset: int) -> bytes:
    """Return a file's record in the central directory; ``offset`` is where its local header begins."""
    sizes = [member.size, member.size] if member.size >= MARK_32 else []
    offsets = [offset] if offset >= MARK_32 else []
    name, extra = member.name.encode(), _extra(*sizes, *offsets)
    version = _VERSION_64 if extra else _VERSION
    size, mode = min(member.size, MARK_32), EXECUTABLE if member.executable else REGULAR
    fixed = CENTRAL_FIXED.pack(
        CENTRAL, _UNIX << 8 | version, version, UTF8_NAMES, _STORED, _TIME, _DATE, member.crc32, size, size,
        len(name), len(extra), 0, 0, 0, mode << 16, min(offset, MARK_32),
    )  # fmt: skip
    return fixed + name + extra


def tail(count: int, offset: int, size: int) -> bytes:
    """Return the records that end the zip; ``offset`` and ``size`` are those of the central directory."""
    end = END_FIXED.pack(
        END, 0, 0, min(count, MARK_16), min(count, MARK_16), min(size, MARK_32), min(offset, MARK_32), 0
    )
    if count < MARK_16 and offset < MARK_32 and size < MARK_32:
        return end
    version = _UNIX << 8 | _VERSION_64
    end_64 = END_64_FIXED.pack(END_64, END_64_FIXED.size - 12, version, _VERSION_64, 0, 0, count, count, size, offset)
    return end_64 + LOCATOR_64_FIXED.pack(LOCATOR_64, 0, offset + size, 1) + end


def _extra(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", _EXTRA_64, 8 * len(values), *values) if values else b""


def wide_values(extra: bytes) -> list[int]:
    """Return the 64-bit values of an extra field that ``_extra`` made; raises ValueError for any other."""
    if not extra:
        return []
    kind, size = struct.unpack_from("<2H", extra) if len(extra) >= 4 else (None, 0)
    if kind != _EXTRA_64 or size != len(extra) - 4 or size % 8:
        raise ValueError("it has an extra field, which a release's files do not have")
    return list(struct.unpack_from(f"<{size // 8}Q", extra, 4))
