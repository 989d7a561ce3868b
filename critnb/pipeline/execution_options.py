"""What the place of execution adds to a run without being part of its identity."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_VARIABLE = "CRITNB_LOCAL"


@dataclass(frozen=True)
class Local:
    """The folder that relative paths of the params are meant from, the device, strictness, and where data came from."""

    base_dir: Path
    device: str = "auto"
    strict: bool = False
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return the environment variable that hands this to a kernel."""
        return {_VARIABLE: json.dumps({**asdict(self), "base_dir": str(self.base_dir)})}

    @classmethod
    def from_environment(cls) -> Local:
        """Return what the runner handed over; raises KeyError in a process that no runner started."""
        handed = json.loads(os.environ[_VARIABLE])
        return cls(Path(handed["base_dir"]), handed["device"], handed["strict"], handed["data"])
