"""The checks of a model, made once where several stages of one command load the same one in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from critnb.data import ModelFiles
from critnb.model.checks import require_sound
from critnb.model.language_model import LanguageModel
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex


@dataclass(frozen=True)
class Soundness:
    """What stages of one command have found sound: an empty file for each model, in a folder that goes with the command.

    Without a ``folder`` nothing is known. With ``anew`` a stage relies on no other's checks.
    """

    folder: Path | None = None
    anew: bool = False

    def require(self, model: LanguageModel, files: ModelFiles) -> None:
        """Raise ModelError where a loaded model fails a check; one that passed, loaded in the same way, is not tried again."""
        mark = None if self.folder is None else self.folder / _way_of_loading(model, files)
        if not self.anew and mark is not None and mark.exists():
            return
        require_sound(model)
        if mark is not None and mark.parent.is_dir():
            mark.touch()


def _way_of_loading(model: LanguageModel, files: ModelFiles) -> str:
    """Return a digest of all that the numbers of a check follow from, but for the code, which no stage outlives a change of."""
    return sha256_hex(
        canonical_json(
            {
                **files.identity(),
                "device": str(model.device),
                "placed": dict(model.placed),
                "dtype": str(model.dtype),
                "attention": str(getattr(model.causal.config, "_attn_implementation", "")),
                "threads": torch.get_num_threads(),
                "versions": [torch.__version__, transformers.__version__],
            }
        )
    )
