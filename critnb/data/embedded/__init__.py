"""The embedded default: text that every CPython carries and two small models trained on it.

NOTICE names the licence of that text.
"""

from __future__ import annotations

from pathlib import Path

from critnb.canon import ModelRole
from critnb.errors import DependencyError

WEIGHTS = Path(__file__).parent / "weights"


def weights_directory(role: ModelRole) -> Path:
    """Return the directory of an embedded model; raises DependencyError where its weights are missing."""
    directory = WEIGHTS / role.lower()
    if not (directory / "model.safetensors").is_file():
        raise DependencyError(
            f"embedded weights of {role} are missing; run: python tools/train_embedded.py --role {role}"
        )
    return directory
