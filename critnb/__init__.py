"""critnb: activation events of language models on the token x layer lattice, analysed as avalanche-like cascades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from critnb.session import begin

__version__ = "0.1.0"
__all__ = ["begin"]


def __getattr__(name: str) -> Any:
    # imported on first use, so that `import critnb.lattice` does not load what only a stage needs
    if name == "begin":
        from critnb.session import begin

        return begin
    raise AttributeError(name)
