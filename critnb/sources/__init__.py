"""Where a model's files and a corpus's documents come from: embedded, a local path, or the Hugging Face hub.

Everything here is about content: fingerprints are hashes of what a model or corpus *is*, never of where it lies, so
the same inputs give the same run on every machine.
"""

from critnb.sources.corpora import Corpus, corpus, documents
from critnb.sources.files import matching_files, read_text
from critnb.sources.hub import first_line, hub_revision, hub_rows
from critnb.sources.models import ModelFiles, locate_model, model_files

__all__ = [
    "Corpus",
    "ModelFiles",
    "corpus",
    "documents",
    "first_line",
    "hub_revision",
    "hub_rows",
    "locate_model",
    "matching_files",
    "model_files",
    "read_text",
]
