"""Runs made in a moment, with whatever a test wants them to hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from critnb.canon import CANON, Stage
from critnb.gates import Gate
from critnb.runs import (
    Finding,
    PartialRun,
    Run,
    RunStore,
    ancestors,
    code_facts,
    environment_facts,
    hash_inputs,
    upstream_key,
    verify,
)
from critnb.runs.files import sha256_hex

CONFIG = b"events:\n  tau0: 2.5\n"
PARAMS = {"events": {"tau0": 2.5}, "windows": {"seq_len": 128}}
CONSTANTS = {"EPS": 1e-6}
SOURCES = {"critnb/canon.py": "0" * 64}
MODEL = {
    "id": "tiny",
    "revision": None,
    "role": "BASE",
    "class": "LlamaForCausalLM",
    "n_layers": 2,
    "d_ff": 8,
    "dtype": "float32",
    "device": "cpu",
    "weights_sha256": "1" * 64,
    "tokenizer_sha256": "2" * 64,
}
Files = Mapping[str, Any]
# the same all along, and slow to find out
_environment = cache(environment_facts)


@cache
def _code(sources: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return code_facts(dict(sources))


def begun(
    store: RunStore,
    stage: Stage = Stage.S02,
    *,
    upstream: Sequence[Run] = (),
    role: str = "BASE",
    roles: Sequence[str] = (),
    params: Mapping[str, Any] = PARAMS,
    constants: Mapping[str, float] = CONSTANTS,
    sources: Mapping[str, str] = SOURCES,
    notebook: bytes = b"[]",
    config: bytes = CONFIG,
    identity: Mapping[str, Any] | None = None,
    files: Files | None = None,
    gates: Sequence[Gate] = (),
    **sections: Any,
) -> PartialRun:
    """A run at the end of its work, not yet published; its files' suffixes say how they are written.

    With ``roles`` it joins them, and names its upstream runs by stage and role. ``identity`` is what it says that its model
    and text are.
    """
    about = {"roles": list(roles)} if roles else {"role": role, "model": {"weights_sha256": "1" * 64}}
    inputs = hash_inputs(
        stage=stage,
        sections={"params": params, "constants": constants, **about, **(identity or {})},
        upstream={upstream_key(run.stage, run.roles[0]) if roles else run.stage: run.run_id for run in upstream},
        notebook=notebook,
        sources=sources,
    )
    run = store.create(inputs.run_id())
    run.write_bytes(CANON.OUTPUT.CONFIG_RESOLVED_YAML, config)
    run.update(
        **{
            "command": ["runner.py", "phase2"],
            "params_sections": list(params),
            "config_hash": sha256_hex(config),
            "hash_inputs": inputs,
            "dependencies": [each.dependency() for each in upstream],
            "determinism": {"seeds": {}, "flags": {}, "not_deterministic": []},
            "code": _code(tuple(inputs.sources.items())),
            "environment": _environment(),
            "metrics": {"gates": [gate.as_dict() for gate in gates]} if gates else {},
            **sections,
        }
    )
    for path, content in (files or {}).items():
        _write(run, path, content)
    return run


def _write(run: PartialRun, path: str, content: Any) -> None:
    match content:
        case Callable():
            run.write_bytes(path, content(run))
        case bytes():
            run.write_bytes(path, content)
        case pd.DataFrame():
            run.write_parquet(path, content)
        case dict() if path.endswith(".npz"):
            run.write_npz(path, content)
        case _:
            run.write_json(path, content)


def made(store: RunStore, stage: Stage = Stage.S02, **words: Any) -> Run:
    """A complete run."""
    with begun(store, stage, **words) as run:
        return run.publish()


def verify_chain(store: RunStore, run_id: str) -> dict[str, list[Finding]]:
    """Verify a run and everything upstream of it, in that order; a missing run is a finding of the runs that name it."""
    run = store.open(run_id)
    return {each.run_id: verify(each.path) for each in (run, *ancestors(store, [run]).runs)}
