"""Write a release's zip: the same files give the same bytes, on any machine, at any time, with any Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from critnb.errors import IntegrityError
from critnb.release.zip_layout import Checksums, Member, central_header, local_header, tail
from critnb.release.zip_limits import size_problem
from critnb.runs.files import pieces


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


@dataclass(frozen=True)
class Source:
    """A file before it is packed: its POSIX name in the zip, and its bytes or the path of the file that has them."""

    name: str
    content: Path | bytes

    def pieces(self) -> Iterable[bytes]:
        """Return the content piece by piece; raises OSError for a path that is no regular file."""
        return [self.content] if isinstance(self.content, bytes) else pieces(self.content)


@dataclass(frozen=True)
class Packed:
    """A file as it goes into the zip: its source, its member of the zip, and its sha256."""

    source: Source
    member: Member
    sha256: str

    @classmethod
    def of(cls, source: Source) -> Packed:
        """Read a file through once; raises OSError for a path that is no regular file."""
        sums = Checksums()
        for piece in source.pieces():
            sums.add(piece)
        return cls(source, sums.member(source.name), sums.sha256)


def write_zip(sink: Sink, files: Sequence[Packed]) -> None:
    """Write the zip of the files, in the order of their names.

    Raises IntegrityError for two files of one name, for more files or bytes than a release has, and for a file whose bytes
    are no longer those that were read.
    """
    ordered = sorted(files, key=lambda packed: packed.member.name.encode())
    names = [packed.member.name for packed in ordered]
    if len(set(names)) < len(names):
        raise IntegrityError("a release cannot hold two files of one name")
    if wrong := size_problem([packed.member for packed in ordered]):
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
    sums = Checksums()
    for piece in packed.source.pieces():
        sums.add(piece)
        sink.write(piece)
    if sums.member(packed.member.name) != packed.member:
        raise IntegrityError(
            f"{packed.member.name} was changed while the release was made; nothing is kept, make it again"
        )
