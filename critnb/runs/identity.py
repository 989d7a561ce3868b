"""What a run id is made from: the same inputs give the same id on every machine, and any change gives another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from critnb.canon import CANON, Stage
from critnb.errors import DependencyError
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex
from critnb.system.terminal import plain

HASH_DIGITS = 12
_RUN_ID = re.compile(rf"{re.escape(CANON.PATH.RUN_DIR_PREFIX)}(?P<stage>[A-Z0-9]+)_(?P<suffix>[0-9A-Za-z-]+)")


@dataclass(frozen=True)
class HashInputs:
    """The inputs of a stage hash, small enough to be kept in the record.

    ``sections`` are the resolved params sections that the stage reads, ``upstream`` maps stage ids to run ids (and
    ``upstream_key``s where the run joins roles), ``sources`` maps paths of the pack's files to the sha256 of what code says,
    or of the bytes of any other file.
    """

    stage: Stage
    sections: Mapping[str, Any]
    upstream: Mapping[str, str]
    notebook_sha256: str
    sources: Mapping[str, str]

    @property
    def roles(self) -> tuple[str, ...]:
        """The model roles that the run is about: one, or all that it joins."""
        named = self.sections.get("roles", self.sections.get("role"))
        return tuple(
            map(str, named if isinstance(named, Sequence) and not isinstance(named, str) else filter(None, [named]))
        )

    @property
    def who(self) -> str:
        """The roles as one word."""
        return "+".join(self.roles)

    @property
    def joins_roles(self) -> bool:
        """Whether the run rests on the runs of several roles, or could."""
        return "roles" in self.sections

    def as_dict(self) -> dict[str, Any]:
        """Return the inputs without the stage, which the record names itself."""
        return {
            "sections": dict(self.sections),
            "upstream": {str(stage): run for stage, run in self.upstream.items()},
            "notebook_sha256": self.notebook_sha256,
            "sources": dict(self.sources),
        }

    @classmethod
    def from_dict(cls, stage: Stage, tree: Mapping[str, Any]) -> HashInputs:
        """Return the inputs that ``as_dict`` gave; raises TypeError for other keys."""
        return cls(stage=stage, **tree)

    def stage_hash(self) -> str:
        """Return the 64 hex digits of sha256 over the canonical JSON of the stage id and the inputs."""
        return sha256_hex(canonical_json({"stage": self.stage, **self.as_dict()}))

    def run_id(self) -> str:
        """Return the run id that follows from these inputs."""
        return run_id(self.stage, self.stage_hash())


def upstream_key(stage: Stage, role: str) -> str:
    """Return how a run that joins roles names the upstream run of one of them."""
    return f"{stage}.{role}"


def hash_inputs(
    *,
    stage: Stage,
    sections: Mapping[str, Any],
    upstream: Mapping[str, str],
    notebook: bytes,
    sources: Mapping[str, str],
) -> HashInputs:
    """Return the inputs of a stage hash; ``notebook`` is ``notebook_source``'s bytes; raises DataError for non-JSON."""
    plain = json.loads(canonical_json({"sections": sections, "upstream": upstream, "sources": sources}))
    return HashInputs(stage=stage, notebook_sha256=sha256_hex(notebook), **plain)


def stage_hash(
    *,
    stage: Stage,
    sections: Mapping[str, Any],
    upstream: Mapping[str, str],
    notebook: bytes,
    sources: Mapping[str, str],
) -> str:
    """Return the 64 hex digits that identify a run of the stage on these inputs; raises DataError for non-JSON."""
    inputs = hash_inputs(stage=stage, sections=sections, upstream=upstream, notebook=notebook, sources=sources)
    return inputs.stage_hash()


def run_id(stage: Stage, stage_hash: str) -> str:
    """Return ``RUN_{STAGE}_{HASH12}``."""
    return f"{CANON.PATH.RUN_DIR_PREFIX}{stage}_{stage_hash[:HASH_DIGITS]}"


def stage_of(run_id: str) -> Stage:
    """Return the stage that a run id names; raises DependencyError for text that is no run id."""
    match = _RUN_ID.fullmatch(run_id)
    if match is None or match["stage"] not in Stage.__members__:
        example = f"{CANON.PATH.RUN_DIR_PREFIX}{Stage.S02}_0123456789ab"
        raise DependencyError(f"{plain(repr(run_id), 100)} is no run id; one looks like {example}")
    return Stage(match["stage"])


def hash_of(run_id: str) -> str | None:
    """Return the hash digits of a run id, or None where it carries a time and a counter instead."""
    suffix = run_id.rpartition("_")[2]
    return suffix if re.fullmatch(rf"[0-9a-f]{{{HASH_DIGITS}}}", suffix) else None


def phase_id(stage: Stage) -> str:
    """Return the phase that a stage belongs to, as commands spell it: S02B is of phase2."""
    return f"phase{int(stage[1:3])}"


def explain(old: HashInputs, new: HashInputs) -> list[str]:
    """Say, a line each, which inputs of a stage differ between an earlier run and a planned one; [] when none does."""
    notebook = [] if old.notebook_sha256 == new.notebook_sha256 else ["the notebook's source changed"]
    return [
        *_differences(flatten(old.sections), flatten(new.sections), "{key}: {old} -> {new}"),
        *_differences(old.upstream, new.upstream, "upstream {key}: {old} -> {new}"),
        *notebook,
        *_source_changes(old.sources, new.sources),
    ]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested sections as dotted keys with canonical JSON; empty mappings stay visible as ``{}``."""
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = canonical_json(value).decode("utf-8")
    return flat


def _differences(old: Mapping[str, str], new: Mapping[str, str], template: str) -> list[str]:
    keys = [*new, *(key for key in old if key not in new)]
    changed = [key for key in keys if old.get(key) != new.get(key)]
    return [template.format(key=key, old=old.get(key, "absent"), new=new.get(key, "absent")) for key in changed]


def _source_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    words = {
        key: "added" if key not in old else "removed" if key not in new else "changed"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }
    return [f"source {key} {word}" for key, word in words.items()]
