"""A model's files, a corpus's documents and questions: embedded, from a local path, or from the Hugging Face hub.

Everything here is about content: fingerprints are hashes of what a model or corpus *is*, never of where it lies, so
the same inputs give the same run on every machine.
"""

from critnb.data.corpora import Corpus, corpus, documents
from critnb.data.file_patterns import matching_files
from critnb.data.hub import hub_revision, hub_rows
from critnb.data.local_files import json_lines, suffix_of
from critnb.data.models import ModelFiles, locate_model, model_files
from critnb.data.parquet_files import parquet_rows
from critnb.data.records import Tally, as_text, field_of
from critnb.data.remembered import remembered_digest

__all__ = [
    "Corpus",
    "ModelFiles",
    "Tally",
    "as_text",
    "corpus",
    "documents",
    "field_of",
    "hub_revision",
    "hub_rows",
    "json_lines",
    "locate_model",
    "matching_files",
    "model_files",
    "parquet_rows",
    "remembered_digest",
    "suffix_of",
]
