"""Validated parameters: one YAML file with sections, each with defaults from the registry.

``load`` reads a file and its overrides into ``Params``; every mistake becomes one line that names the key. Paths stay
as written and are resolved against ``Loaded.base_dir``, so that the resolved parameters are the same on every machine.
"""

from critnb.params.loading import Loaded, find, load, parse_override, validate
from critnb.params.sections import (
    Compute,
    Data,
    EmbeddedQuestions,
    EmbeddedSource,
    FileData,
    FileModel,
    FileQuestions,
    HubData,
    HubModel,
    HubQuestions,
    ModelSource,
    Params,
    QuestionSource,
    Release,
    TextSource,
    Windows,
)
from critnb.params.strict_yaml import dump_yaml, parse_yaml, read_yaml

__all__ = [
    "Compute",
    "Data",
    "EmbeddedQuestions",
    "EmbeddedSource",
    "FileData",
    "FileModel",
    "FileQuestions",
    "HubData",
    "HubModel",
    "HubQuestions",
    "Loaded",
    "ModelSource",
    "Params",
    "QuestionSource",
    "Release",
    "TextSource",
    "Windows",
    "dump_yaml",
    "find",
    "load",
    "parse_override",
    "parse_yaml",
    "read_yaml",
    "validate",
]
