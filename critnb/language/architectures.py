"""Where a decoder block of each architecture keeps what the pack reads and scales: one row an architecture.

All names are module paths: ``blocks`` from the causal language model, the others from one block. ``projection`` is
the MLP's output projection, whose input is u; ``mlp`` and ``attention`` are the modules whose output is what the
branch adds to the residual stream.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    model_types: tuple[str, ...]
    blocks: str
    projection: str
    mlp: str
    attention: str


ARCHITECTURES = (
    Architecture(
        ("llama", "mistral", "qwen2", "qwen3"), "model.layers", "mlp.down_proj", mlp="mlp", attention="self_attn"
    ),
)


def architecture_of(model_type: str) -> Architecture | None:
    """Return the row of a model type, or None if no row names it."""
    return next((row for row in ARCHITECTURES if model_type in row.model_types), None)


def known_model_types() -> list[str]:
    """Return every model type that a row names."""
    return sorted(name for row in ARCHITECTURES for name in row.model_types)
