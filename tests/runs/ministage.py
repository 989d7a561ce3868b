"""A stage in miniature: every kind of file, two steps with checkpoints, begun by a runner and worked on by a kernel.

Below it, what tests start as processes of their own.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd

from critnb.canon import CANON, Stage
from critnb.errors import CritnbError
from critnb.runs import PartialRun, Run, RunStore, code_facts, environment_facts, hash_inputs
from critnb.runs.files import sha256_hex

CONFIG = b"events:\n  tau0: 2.5\n"
RESULT = f"results/{CANON.OUTPUT.RASTER_NPZ_BASENAME}"
METRICS = f"results/{CANON.OUTPUT.METRICS_PARQUET_BASENAME}"
GSTAR = f"results/{CANON.OUTPUT.GSTAR_JSON_BASENAME}"


def planned(stage: Stage = Stage.S02, upstream: Run | None = None):
    return hash_inputs(
        stage=stage,
        sections={"events": {"tau0": 2.5}},
        upstream={upstream.stage: upstream.run_id} if upstream else {},
        notebook=b"[]",
        sources={"critnb/canon.py": "0" * 64},
    )


def begin(store: RunStore, stage: Stage = Stage.S02, upstream: Run | None = None, *, allow_resume: bool = False):
    """The runner's part before the notebook; returns the creator's hold."""
    inputs = planned(stage, upstream)
    run = store.create(inputs.run_id(), allow_resume=allow_resume)
    run.write_bytes(CANON.OUTPUT.CONFIG_RESOLVED_YAML, CONFIG)
    run.update(
        command=["runner.py", "phase2"],
        params_sections=["events"],
        config_hash=sha256_hex(CONFIG),
        hash_inputs=inputs,
        dependencies=[upstream.dependency()] if upstream else [],
        determinism={"seeds": {"windows": 1337}, "flags": {}, "not_deterministic": []},
        code=code_facts(inputs.sources),
        environment=environment_facts(),
    )
    return run


def work(path: Path) -> None:
    """The kernel's part: attach, compute with checkpoints, write results, detach."""
    with PartialRun.attach(path) as run:
        total = np.zeros(8)
        for step in range(2):
            kept = run.load_checkpoint(f"step_{step}")
            if kept is None:
                kept = {"part": np.arange(8.0) ** (step + 1) / 3}
                run.save_checkpoint(f"step_{step}", kept)
            total += kept["part"]
        run.write_npz(RESULT, {"total": total})
        run.write_parquet(METRICS, pd.DataFrame({"g": [0.7, 1.0], "b": total[:2]}))
        run.write_json(GSTAR, {"gstar": 1.0})


def end(run: PartialRun) -> Run:
    """The runner's part after the notebook."""
    run.write_bytes("notebook/phase2.ipynb", b'{"cells": []}')
    return run.publish()


def make(store: RunStore, stage: Stage = Stage.S02, upstream: Run | None = None, *, allow_resume: bool = False) -> Run:
    with begin(store, stage, upstream, allow_resume=allow_resume) as run:
        work(run.path)
        return end(run)


@contextlib.contextmanager
def refusal_sent(channel: Connection) -> Iterator[None]:
    try:
        yield
    except CritnbError as error:
        channel.send(f"{type(error).__name__} {int(error.exit_code)} {error}")


def make_in(root: Path) -> None:
    make(RunStore(root), allow_resume=True)


def hold(root: Path, channel: Connection) -> None:
    with begin(RunStore(root)):
        channel.send("held")
        channel.recv()


def attach(root: Path, channel: Connection) -> None:
    with PartialRun.attach(RunStore(root).partial_path(planned().run_id())):
        channel.send("held")
        channel.recv()


def race(root: Path, channel: Connection) -> None:
    """Wait for the starting gun, so that all racers meet inside create; the winner holds on until it is killed."""
    channel.send("ready")
    channel.recv()
    with refusal_sent(channel), RunStore(root).create(planned().run_id(), allow_resume=True):
        channel.send("won")
        channel.recv()


def fill_disk(root: Path, channel: Connection) -> None:
    """Write past the size that this process may give a file: the real refusal of the operating system."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    with RunStore(root).create("RUN_S00_0123456789ab") as run:
        with refusal_sent(channel):
            run.write_npz("results/a.npz", {"noise": np.random.default_rng(0).random(200_000)})
        channel.send([path.name for path in (run.path / "results").iterdir()] + list(run.record.artifact_index))


def scribble(path: Path, times: int, channel: Connection) -> None:
    """A kernel that changes the record again and again, from the starting gun on."""
    with PartialRun.attach(path) as run:
        channel.send("ready")
        channel.recv()
        for number in range(times):
            run.write_json(f"results/kernel_{number}.json", number)
        channel.send("done")
