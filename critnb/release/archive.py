"""Write a release's zip: the same files give the same bytes, wherever, whenever and by whichever Python."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from critnb.errors import IntegrityError
from critnb.release import limits
from critnb.release.layout import Member, central_header, local_header, tail
from critnb.runs.files import open_regular

_PIECE = 1 << 20
_SCRIPT = b"#!"


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


@dataclass(frozen=True)
class Source:
    """A file before it is packed: its POSIX name in the zip, and where its bytes are: on disk, or here."""

    name: str
    content: Path | bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the content; raises OSError for what is no regular file."""
        if isinstance(self.content, bytes):
            yield self.content
            return
        with open_regular(self.content) as handle:
            while piece := handle.read(_PIECE):
                yield piece


@dataclass(frozen=True)
class Packed:
    """A file as it goes into the zip: where from, its place in the layout, and its sha256."""

    source: Source
    member: Member
    sha256: str

    @classmethod
    def of(cls, source: Source) -> Packed:
        """Read a file through once; whether it may be executed follows from its first two bytes, ``#!``."""
        digest, crc, size, head = hashlib.sha256(), 0, 0, b""
        for piece in source.pieces():
            head = head or piece[: len(_SCRIPT)]
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
        return cls(source, Member(source.name, crc, size, is_script(head)), digest.hexdigest())


def is_script(head: bytes) -> bool:
    """Tell from the first bytes of a file whether it is to be executed."""
    return head.startswith(_SCRIPT)


def write_zip(sink: Sink, files: Sequence[Packed]) -> None:
    """Write the zip of the files, in the order of their names.

    Raises IntegrityError for two files of one name, for more than a release has, and for a file whose bytes are no longer
    those that were read.
    """
    ordered = sorted(files, key=lambda packed: packed.member.name.encode())
    names = [packed.member.name for packed in ordered]
    if len(set(names)) < len(names):
        raise IntegrityError("a release cannot hold two files of one name")
    if wrong := limits.problem([packed.member for packed in ordered]):
        raise IntegrityError(f"no release can be made of this: {wrong}")
    offset, central = 0, bytearray()
    for packed in ordered:
        head = local_header(packed.member)
        sink.write(head)
        _copy(packed, sink)
        central += central_header(packed.member, offset)
        offset += len(head) + packed.member.size
    sink.write(bytes(central))
    sink.write(tail(len(ordered), offset, len(central)))


def _copy(packed: Packed, sink: Sink) -> None:
    crc, size = 0, 0
    for piece in packed.source.pieces():
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        sink.write(piece)
    if (crc, size) != (packed.member.crc32, packed.member.size):
        raise IntegrityError(
            f"{packed.member.name} was changed while the release was made; nothing is kept, make it again"
        )
