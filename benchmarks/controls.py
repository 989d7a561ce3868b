"""False alarms and detections of every criterion on the controls, over many rasters a control.

    PYTHONPATH=. python benchmarks/controls.py [--rasters 200] [--lattices 8x64x16 8x128x96 24x256x96 30x128x96] [--workers N]
        [--controls ID ...] [--dry-run]

Judges rasters, and toy networks for the signature S6, in processes, and writes benchmarks/controls.txt and, for S00, the
pack's table of counts. An interrupted run goes on where it was: outcomes are kept in benchmarks/.controls.jsonl with a digest
of the code that judged them, and those of other code are judged again. --dry-run judges one raster of each control on each
lattice, says how long one takes, and writes nothing.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from dataclasses import astuple

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed

from critnb.canon import CANON, PACK_ROOT, ControlId, Stage
from critnb.contract import spec_of
from critnb.contract.code import stage_sources
from critnb.criticality.control_rates import COUNTS, OF_NETWORKS, LatticeShape, rates, stored_counts, table_path, tally
from critnb.criticality.synthetic import CONTROLS, NETWORKS
from critnb.gates import Verdict
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex
from critnb.stages.shared.controls import views
from critnb.stages.shared.controls.judged import ControlRaster, judge_control
from critnb.stages.shared.controls.networks import ControlNetwork, judge_network

KEPT = PACK_ROOT / "benchmarks" / ".controls.jsonl"
TEXT = PACK_ROOT / "benchmarks" / "controls.txt"
Which = ControlRaster | ControlNetwork
LATTICES = ("8x64x16", "8x128x96", "24x256x96", "30x128x96")


def lattice(words: str) -> LatticeShape:
    layers, tokens, windows = map(int, words.split("x"))
    return LatticeShape(layers, tokens, windows)


def code_digest() -> str:
    """Say which code judges: all that S00 rests on."""
    return sha256_hex(canonical_json(stage_sources(spec_of(Stage.S00))))


def timed(which: Which) -> tuple[Which, dict[str, str], float]:
    start = time.process_time()
    outcomes = judge_control(which) if isinstance(which, ControlRaster) else judge_network(which)
    return which, {name: str(verdict) for name, verdict in outcomes.items()}, time.process_time() - start


def key_of(which: Which) -> list[object]:
    return [str(which.control_id), *astuple(which.shape), which.number, which.seed, getattr(which, "replicates", 0)]


def kept(digest: str) -> dict[str, tuple[dict[str, str], float]]:
    lines = map(json.loads, KEPT.read_text().splitlines()) if KEPT.is_file() else ()
    return {json.dumps(line["key"]): (line["outcomes"], line["seconds"]) for line in lines if line["code"] == digest}


def judged(wanted: list[Which], workers: int) -> dict[Which, tuple[dict[str, str], float]]:
    digest = code_digest()
    before = kept(digest)
    missing = [which for which in wanted if json.dumps(key_of(which)) not in before]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} rasters are judged already", file=sys.stderr)
    start = time.perf_counter()
    with KEPT.open("a") as file:
        made = Parallel(n_jobs=workers, return_as="generator_unordered")(delayed(timed)(which) for which in missing)
        for n, (which, outcomes, seconds) in enumerate(made, start=1):
            line = {"key": key_of(which), "code": digest, "outcomes": outcomes, "seconds": seconds}
            file.write(json.dumps(line) + "\n")
            file.flush()
            if n % 50 == 0:
                left = (time.perf_counter() - start) / n * (len(missing) - n)
                print(f"{n} of {len(missing)}, {left / 60:.0f} minutes left", file=sys.stderr)
    after = kept(digest)
    return {which: after[json.dumps(key_of(which))] for which in wanted}


def counts_of(found: dict[Which, tuple[dict[str, str], float]]) -> pd.DataFrame:
    by_lattice: dict[LatticeShape, dict[ControlId, list[dict[str, Verdict]]]] = defaultdict(lambda: defaultdict(list))
    for which, (outcomes, _) in found.items():
        verdicts = {name: Verdict(verdict) for name, verdict in outcomes.items()}
        by_lattice[which.shape][which.control_id].append(verdicts)
    frames = [tally(of_shape, shape, seed=CANON.CONST.CONTROL_SEED) for shape, of_shape in by_lattice.items()]
    return pd.concat(frames, ignore_index=True)[COUNTS]


def shown(frame: pd.DataFrame) -> str:
    return frame.drop(columns="kind").to_string(index=False)


def report(counts: pd.DataFrame, found: dict[Which, tuple[dict[str, str], float]]) -> str:
    const = CANON.CONST
    parts = [
        f"Controls, judged as S05 judges a raster at g*: {const.CONTROL_REPLICATES} replicates of each null, "
        f"{const.BOOTSTRAP_REPS} resamples, {const.REFERENCE_REPLICATES} samples of the reference, seed {const.CONTROL_SEED}.\n"
        f"{platform.machine()}, one thread a raster; Python {platform.python_version()}, numpy {np.__version__}.\n"
        "Percent of the rasters that pass; in brackets percent for which the criterion is not available.\n",
    ]
    networks = counts[counts["test"] == OF_NETWORKS]
    for shape in dict.fromkeys(which.shape for which in found if isinstance(which, ControlRaster)):
        here = counts[
            counts[["layers", "tokens", "windows"]].eq([shape.layers, shape.tokens, shape.windows]).all(axis=1)
        ]
        made = rates(pd.concat([here, networks]), shape)
        seconds = np.mean([seconds for which, (_, seconds) in found.items() if which.shape == shape])
        parts += [
            views.caption(made, f"== {shape}: criteria") + f", {seconds:.2f} s of processor a raster",
            shown(views.criteria_table(made)),
            "\nShare of the rasters whose b_tot exceeds a null at p <= 0.05",
            shown(views.nulls_table(made)),
            "",
        ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rasters", type=int, default=200)
    parser.add_argument("--lattices", type=lattice, nargs="+", default=[lattice(words) for words in LATTICES])
    parser.add_argument("--controls", type=ControlId, nargs="+", default=list(CONTROLS))
    parser.add_argument("--workers", type=int, default=cpu_count())
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    n = 1 if args.dry_run else args.rasters
    wanted: list[Which] = [
        ControlRaster(control_id, shape, number)
        for shape in args.lattices
        for control_id in args.controls
        for number in range(n)
    ]
    wanted += [ControlNetwork(control_id, number) for control_id in NETWORKS for number in range(n)]
    found = {which: (outcomes, seconds) for which, outcomes, seconds in map(timed, wanted)} if args.dry_run else None
    found = judged(wanted, args.workers) if found is None else found
    counts = counts_of(found)
    text = report(counts, found)
    print(text)
    if args.dry_run:
        return
    measured_now = set(map(tuple, counts[["layers", "tokens", "windows"]].drop_duplicates().to_numpy()))
    others = stored_counts()
    others = others[[tuple(row) not in measured_now for row in others[["layers", "tokens", "windows"]].to_numpy()]]
    pd.concat([others, counts], ignore_index=True).astype(counts.dtypes).to_csv(table_path(), index=False)
    TEXT.write_text(text)


if __name__ == "__main__":
    main()
