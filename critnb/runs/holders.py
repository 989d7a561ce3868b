"""Who holds a lock: process, machine and time, as its file tells others, those on other machines too."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# more than any holder's line needs
_MOST_BYTES = 1000


@dataclass(frozen=True)
class Holder:
    """A process on a machine; ``boot`` is what the machine calls its running system, empty where it does not say."""

    pid: int
    host: str
    boot: str
    since: str

    @classmethod
    def here(cls) -> Holder:
        """Return this process, from now on."""
        return cls(os.getpid(), *machine(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    @classmethod
    def read(cls, lock: Path) -> Holder | None:
        """Return who a lock's file names; None where it names nobody, or is being written. Raises OSError."""
        with lock.open("rb") as file:
            line = file.read(_MOST_BYTES)
        try:
            told = cls(**json.loads(line))
        except (ValueError, TypeError):
            return None
        return told if isinstance(told.pid, int) and all(map(_is_word, (told.host, told.boot, told.since))) else None

    def line(self) -> bytes:
        """Return what a lock's file holds."""
        return json.dumps(asdict(self)).encode()

    def is_elsewhere(self) -> bool:
        """Whether this process was on another machine, where it may live, whatever a lock says here.

        Containers of one machine share its running system under names of their own; a machine that was started again has another
        one under its old name. In both cases the lock itself tells.
        """
        host, boot = machine()
        return self.host != host and not (boot and self.boot == boot)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@cache
def machine() -> tuple[str, str]:
    """Return (host name, id of the running system) of this machine."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return socket.gethostname(), boot


def _is_word(text: object) -> bool:
    return isinstance(text, str) and text.isprintable()
