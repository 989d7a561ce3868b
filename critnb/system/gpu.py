"""Whether this machine has a GPU, by the files of its driver: torch takes seconds to say so, and may be built without."""

from __future__ import annotations

from pathlib import Path

# of NVIDIA's driver and of AMD's
DRIVERS = ("/dev/nvidiactl", "/dev/kfd")


def has_gpu_driver() -> bool:
    """Tell whether the driver of a GPU is there, whatever torch can use."""
    return any(Path(each).exists() for each in DRIVERS)
