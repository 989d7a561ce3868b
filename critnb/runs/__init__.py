"""The run store: immutable, hashed runs, made whole or not at all.

``RunStore.create`` starts a ``PartialRun``, its ``publish`` makes it a ``Run``, which checks each file before use;
``HashInputs`` say what a run id stands for, ``verify`` whether a run is still what its record says.
"""

from critnb.runs.audit import Finding, FindingKind, verify
from critnb.runs.environment import code_facts, environment_facts, not_in_git, pack_version, peak_memory
from critnb.runs.events import LOG_PATH
from critnb.runs.identity import (
    HashInputs,
    explain,
    flatten,
    hash_inputs,
    phase_id,
    run_id,
    stage_hash,
    stage_of,
    upstream_key,
)
from critnb.runs.notebook_files import notebook_source
from critnb.runs.packfiles import pack_digests, pack_files
from critnb.runs.partial import PartialRun
from critnb.runs.record import Artifact, Dependency, RunRecord
from critnb.runs.run import Run
from critnb.runs.store import RunState, RunStore, ancestors, locate_run, model_ids, run_around, runs_folder
from critnb.runs.writer import RunWriter

__all__ = [
    "LOG_PATH",
    "Artifact",
    "Dependency",
    "Finding",
    "FindingKind",
    "HashInputs",
    "PartialRun",
    "Run",
    "RunRecord",
    "RunState",
    "RunStore",
    "RunWriter",
    "ancestors",
    "code_facts",
    "environment_facts",
    "explain",
    "flatten",
    "hash_inputs",
    "locate_run",
    "model_ids",
    "not_in_git",
    "notebook_source",
    "pack_digests",
    "pack_files",
    "pack_version",
    "peak_memory",
    "phase_id",
    "run_around",
    "run_id",
    "runs_folder",
    "stage_hash",
    "stage_of",
    "upstream_key",
    "verify",
]
