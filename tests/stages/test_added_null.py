"""One more raster null in a copy of the pack: its id in two files and one entry of the registry, and all else follows.

The null reverses every row over the tokens. Both packs do the same work on the same made chain, each in its own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packs import copied

from critnb.canon import PACK_ROOT, SPEC_DIR
from critnb.report.schema.columns import PROVENANCE

NULL = "NULL_RASTER_REVERSAL"
ENTRY = f"""        RasterNull(
            NullId.{NULL},
            short="reversal",
            name="reversal",
            noun="reversal",
            rastered="reversed within layers",
            breaks="every row read backwards; it breaks the arrow of time",
            keeps="every row of the null is the real row, backwards",
            kept=lambda real, null: (real.counts[..., ::-1] == null).all(),
            draw=lambda source: lambda sequence, keys: source.counts[sequence][..., ::-1],
        ),
"""
LAST = "            why_not=token_nulls.why_not,\n        ),\n"
# file, where in it, and what is put there instead: all that another null takes
BEFORE = "NULL_RASTER_TOKEN_IDENTITY"
CHANGES = (
    ("critnb/canon/identifiers.py", f"    {BEFORE} = auto()\n", f"    {BEFORE} = auto()\n    {NULL} = auto()\n"),
    ("spec/00_CANONICAL.yaml", f"{BEFORE}]", f"{BEFORE}, {NULL}]"),
    ("critnb/lattice/nulls.py", LAST, LAST + ENTRY),
)
COLUMNS = [
    "opt_b_tot_reversal",
    "opt_delta_b_tot_reversal",
    "opt_delta_b_tot_reversal_ci_low",
    "opt_delta_b_tot_reversal_ci_high",
    "opt_delta_b_tot_reversal_z",
    "opt_delta_b_tot_reversal_p",
]
WORK = """
import json, sys
from pathlib import Path

import critnb
assert Path(critnb.__file__).is_relative_to(Path.cwd()), critnb.__file__
from critnb.canon import Stage
from critnb.pipeline.artifacts import load_raster, load_samples
from critnb.report import figures
from critnb.runs import RunStore
from critnb.stages.s05_analysis import views, work
from made import begun
from release import worked

out = Path(sys.argv[1])
worked.PARAMS["analysis"]["tail_replicates"] = 2
worked.MEASURED = {stage: made for stage, made in worked.MEASURED.items() if stage is not Stage.S06ARC}
runs = worked.worked_chain(RunStore(out / "runs"))
found = {}
runs[Stage.S05] = worked._worked(
    RunStore(out / "runs"), Stage.S05, lambda stage: found.update(result=work.analyse(stage)),
    [runs[need] for need in (Stage.S00, Stage.S02, Stage.S02B, Stage.S03, Stage.S04, Stage.S04K)],
)
result = found["result"]
result.t01.to_parquet(out / "t01.parquet")
result.t06.to_parquet(out / "t06.parquet")
runs[Stage.S06B].parquet("tables/table_T02_GENERALIZATION.parquet").to_parquet(out / "t02.parquet")
raster = load_raster(runs[Stage.S03])
f10 = figures.null_compare(result.t01).figure
said = {
    "gates": [gate["name"] for stage in (Stage.S04, Stage.S05) for gate in runs[stage].record.metrics["gates"]],
    "replicates": [str(null_id) for null_id in load_samples(runs[Stage.S04])],
    "findings": views.findings(result),
    "heads": list(views.at_chosen_gains(result.t01)),
    "f10": [text.get_text() for part in f10.subfigs for legend in part.legends for text in legend.get_texts()],
    "curves": [list(map(float, line.get_ydata())) for part in f10.subfigs for each in part.axes for line in each.lines],
    "f04": [each.get_ylabel() for part in figures.null_delta(result.t01).figure.subfigs for each in part.axes],
    "estimates": critnb.branching(raster.counts[0], null_replicates=3, bootstrap_reps=5).to_frame()["name"].tolist(),
    "b_tot": [b_tot(counts[..., ::-1] > 0) for counts in raster.counts],
    "spikes": [[str(c.spike_def_id), c.target_rate, c.gain] for c in raster.conditions],
}
(out / "said.json").write_text(json.dumps(said))
"""
B_TOT = """
def b_tot(x):
    time = (x[..., 1:] & x[..., :-1]).sum() / x[..., :-1].sum()
    return float(time + (x[:, 1:] & x[:, :-1]).sum() / x[:, :-1].sum())
"""


def pack_with(changes, root: Path) -> Path:
    """Lay out a pack with changes: its code and spec are copies, everything else is the pack's own."""
    root.mkdir()
    changeable = {"critnb": PACK_ROOT / "critnb", "spec": SPEC_DIR}
    for name, source in changeable.items():
        copied(source, root / name)
    for entry in PACK_ROOT.iterdir():
        if entry.name not in changeable and not entry.name.startswith(".") and entry.name != "runs":
            (root / entry.name).symlink_to(entry)
    for file, old, new in changes:
        text = (root / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, file
        (root / file).write_text(text.replace(old, new), encoding="utf-8")
    return root


def worked_in(pack: Path, out: Path) -> Path:
    out.mkdir()
    paths = os.pathsep.join([str(pack), str(pack / "tests")])
    env = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", B_TOT + WORK, str(out)], cwd=pack, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """What the pack leaves as it is, and what it leaves with the added null."""
    root = tmp_path_factory.mktemp("nulls")
    as_it_is, with_one_more = pack_with((), root / "before"), pack_with(CHANGES, root / "after")
    return worked_in(as_it_is, root / "of_before"), worked_in(with_one_more, root / "of_after")


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet").drop(columns=[column.name for column in PROVENANCE])


@pytest.fixture(scope="module")
def said(made) -> dict:
    return json.loads((made[1] / "said.json").read_text())


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("t01", [*COLUMNS, "opt_reversal_null_marginals_exact"]),
        ("t02", COLUMNS),
        ("t06", COLUMNS[1:4]),
    ],
)
def test_the_null_adds_its_columns_and_changes_nothing_else(made, name, added):
    before, after = (table(folder, name) for folder in made)
    assert [column for column in after if column not in before] == added
    pd.testing.assert_frame_equal(after.drop(columns=added), before, check_exact=True)


def test_the_columns_hold_the_excess_over_the_null(made, said):
    rows = table(made[1], "t01").set_index(["spike_def_id", "target_rate", "g"])
    of_null = {tuple(key): value for key, value in zip(said["spikes"], said["b_tot"], strict=True)}
    expected = np.array([of_null[key] for key in rows.index])
    np.testing.assert_allclose(rows["opt_b_tot_reversal"], expected, rtol=1e-12)
    np.testing.assert_allclose(rows["opt_delta_b_tot_reversal"], rows["b_tot"] - expected, atol=1e-12)
    assert rows["opt_reversal_null_marginals_exact"].all()


def test_the_null_is_drawn_checked_judged_and_shown(said):
    assert said["replicates"][-1] == NULL
    assert f"marginals kept, {NULL}" in said["gates"]
    assert "Against the reversal, " in said["findings"]
    assert said["heads"].index("Δ reversal") == said["heads"].index("Δ tokens") + 2
    assert "b_tot_reversal" in said["estimates"]
    assert "real, against its reversal null" in said["f10"]
    assert [label for label in said["f04"] if label][5] == "Δb_tot against\nreversal"


def test_the_null_has_its_curve_in_f10(made, said):
    t01 = table(made[1], "t01")
    for (_, marked), rows in t01[t01["opt_is_g1"]].groupby(["spike_def_id", "opt_is_g1"]):
        assert marked
        curve = rows.sort_values("target_rate")["opt_delta_b_tot_reversal"].tolist()
        assert curve in said["curves"]
