"""What records say is held against what artifacts give: a verdict that was made up is named, though every hash is true."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from release.chains import run_of
from release.forging import index_again, link_again
from release.worked import MEASURED, worked_chain
from sourcecode import code_cells

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import STAGES, spec_of
from critnb.gates import Gate
from critnb.pipeline.session import SHARED
from critnb.report.display import gates as gates_html
from critnb.runs import Run, RunStore
from critnb.runs.encoding import json_bytes, npz_bytes, parquet_bytes
from critnb.runs.record import write_record
from critnb.stages.s00_validate import tables
from critnb.verify import notebooks
from critnb.verify.comparison import gate_problems
from critnb.verify.notebooks import kept_notebook, page, page_of
from critnb.verify.replay import works
from critnb.verify.results import recomputed

OTHER = {"pass": "fail", "fail": "pass", "not available": "pass"}
FEW_ANSWERS = pd.DataFrame(
    {"input": ["a", "b"], "estimator": "x", "found": [1.0, 2.0], "known answer": [1.0, 2.1], "tolerance": 0.2}
).assign(passed=True)


@pytest.fixture(autouse=True, scope="module")
def _few_answers():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_answers", lambda: SimpleNamespace(table=FEW_ANSWERS))
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("worked")
    worked_chain(RunStore(folder / "runs"))
    return folder


@pytest.fixture
def forged(sound) -> Callable[..., list[str]]:
    """Change a run, make every record and hash true again, and return what recomputing that run finds; then undo it."""
    kept: list[tuple[Path, bytes]] = []

    def forge(stage: Stage, change: Callable[[Run], object]) -> list[str]:
        kept.extend((path, path.read_bytes()) for path in (sound / "runs").rglob("*") if path.is_file())
        change(run_of(sound, stage))
        link_again(sound)
        return list(recomputed(SimpleNamespace(runs=[run_of(sound, stage)])).findings)

    yield forge
    for path, content in kept:
        if path.read_bytes() != content:
            path.chmod(0o644)
            path.write_bytes(content)


def say(run: Run, gates: Sequence[dict[str, object]]) -> None:
    write_record(run.path, replace(run.record, metrics={**run.record.metrics, "gates": list(gates)}))


def put(run: Run, basename: str, content: bytes, folder: str = "results/") -> None:
    path = run.path / f"{folder}{basename}"
    path.chmod(0o644)
    path.write_bytes(content)
    index_again(run.path, f"{folder}{basename}")


def test_sound_runs_are_sound(sound):
    runs = RunStore(sound / "runs").runs()
    assert {run.stage for run in runs} == set(MEASURED)
    assert all(run.record.metrics["gates"] for run in runs)
    result = recomputed(SimpleNamespace(runs=runs))
    assert list(result.findings) == []


@pytest.mark.parametrize("stage", MEASURED)
def test_every_verdict_that_was_turned_around_is_named(stage, sound, forged):
    gates = run_of(sound, stage).record.metrics["gates"]
    lines = forged(stage, lambda run: say(run, [{**gate, "verdict": OTHER[gate["verdict"]]} for gate in gates]))
    record = f"runs/{run_of(sound, stage).run_id}/run_record.json"
    # the page says in its head how the gates came out
    folder, name = record.rpartition("/")[0], Path(spec_of(stage).notebook).stem
    page = f"{folder}/notebook/{name}.html: is not the page that its notebook gives"
    assert page in lines
    assert [line for line in lines if line != page] == [
        f"{record}: gate {gate['name']!r} is recorded with verdict {OTHER[gate['verdict']]!r}, "
        f"its artifacts give {gate['verdict']!r}"
        for gate in gates
    ]


@pytest.mark.parametrize("field", ["value", "condition", "reason"])
def test_words_and_numbers_of_a_gate_are_held_too(field, sound, forged):
    first, *others = run_of(sound, Stage.S06B).record.metrics["gates"]
    (line,) = forged(Stage.S06B, lambda run: say(run, [{**first, field: "fewest 9999"}, *others]))
    assert f"gate {first['name']!r} is recorded with {field} 'fewest 9999'" in line


GATE = Gate.judge("a", passed=True, value=1.0, condition="at least one").as_dict()
SECOND = {**GATE, "name": "b"}


@pytest.mark.parametrize(
    ("recorded", "made", "told"),
    [
        ([GATE, SECOND], [GATE, SECOND], []),
        ([{**GATE, "value": 1 + 1e-12}, SECOND], [GATE, SECOND], []),
        ([{**GATE, "value": 1 + 1e-6}], [GATE], ["gate 'a' is recorded with value 1.000001, its artifacts give 1.0"]),
        ([{**GATE, "value": True}], [GATE], ["gate 'a' is recorded with value True, its artifacts give 1.0"]),
        ([{**GATE, "value": None}], [GATE], ["gate 'a' is recorded with value None, its artifacts give 1.0"]),
        ([GATE], [GATE, SECOND], ["gate 'b' is not in the record"]),
        ([GATE, SECOND], [GATE], ["gate 'b' is none of this stage's"]),
        ([], [GATE], ["gate 'a' is not in the record"]),
        ([SECOND, GATE], [GATE, SECOND], ["its gates are not each there once, in the order of the notebook"]),
        (
            [{**GATE, "verdict": "fail"}, GATE],
            [GATE],
            ["its gates are not each there once, in the order of the notebook"],
        ),
        ([{**GATE, "more": "x"}], [GATE], ["gate 'a' is recorded with more 'x', its artifacts give None"]),
    ],
)
def test_gates_are_compared_one_by_one(recorded, made, told):
    assert list(gate_problems(recorded, made)) == told


def test_summary_numbers_and_conditions_are_held(sound, forged):
    def change(run: Run) -> None:
        metrics = {**run.record.metrics, "thresholds": 7, "more": 1}
        first, *others = run.record.conditions
        write_record(run.path, replace(run.record, metrics=metrics, conditions=({**first, "gain": 3.0}, *others)))

    lines = [line.partition("run_record.json: ")[2] for line in forged(Stage.S04, change)]
    assert any(line.startswith("metrics: computed again, thresholds is 24 and not 7") for line in lines)
    assert any(line.startswith("metrics: ") and "more" in line for line in lines)
    assert "conditions are not those of its raster" in lines


def test_that_a_run_took_arrays_of_the_folder_is_no_finding(forged):
    """As the second role's checks of a model take the known answers of the first."""
    taken = {SHARED: {"known_answers": "0" * 64}}
    assert (
        forged(
            Stage.S00, lambda run: write_record(run.path, replace(run.record, metrics={**run.record.metrics, **taken}))
        )
        == []
    )


def with_gates(run: Run, shown: str) -> bytes:
    notebook = nbformat.reads(run.read_bytes(kept_notebook(run)).decode(), as_version=4)
    for cell in notebook.cells:
        if "stage.judge(" in cell.source:
            cell.outputs[0].data["text/html"] = shown
    return nbformat.writes(notebook).encode()


def test_gates_that_a_notebook_alone_shows_otherwise_are_found(sound, forged):
    def change(run: Run) -> None:
        gates = [Gate(**{**gate, "verdict": "pass"}) for gate in run.record.metrics["gates"]]
        put(run, kept_notebook(run), with_gates(run, gates_html(gates).data), folder="")
        put(run_of(sound, run.stage), page_of(kept_notebook(run)), page(run_of(sound, run.stage)), folder="")

    (line,) = forged(Stage.S02, change)
    assert line.endswith("phase2_gain_grid.ipynb: the gates that it shows are not those that the run's artifacts give")


def test_a_page_that_is_not_its_notebooks_is_found(forged):
    def change(run: Run) -> None:
        path = page_of(kept_notebook(run))
        put(run, path, run.read_bytes(path).replace(b"fail", b"pass"), folder="")

    (line,) = forged(Stage.S02, change)
    assert line.endswith("phase2_gain_grid.html: is not the page that its notebook gives")


def problems(run: Run) -> list[str]:
    return list(notebooks._problems(run, PACK_ROOT))


def test_a_notebook_of_other_cells_pictures_or_ends_is_named(sound, forged):
    run = run_of(sound, Stage.S03)
    assert problems(run) == []
    notebook = nbformat.reads(run.read_bytes(kept_notebook(run)).decode(), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].source += "\nmore = 1"
    code[1].outputs.append(nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}))
    code[1].outputs.append(nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[]))
    code[-1].outputs[0].data["text/plain"] = f"'{run.run_id}: 9 artifacts written, 7 of 7 gates passed'"
    found = []

    def change(run: Run) -> None:
        put(run, kept_notebook(run), nbformat.writes(notebook).encode(), folder="")
        found.extend(problems(run_of(sound, Stage.S03)))

    forged(Stage.S03, change)
    assert found == [
        "its cells are not those of the pack's notebook",
        "a cell of it failed",
        "1 of the pictures that it shows are none of the run's, 0 are missing",
        "its last line does not say what the record does of the gates",
    ]


def test_prose_and_comments_that_are_older_than_the_packs_are_told_and_no_finding(sound, forged):
    run = run_of(sound, Stage.S03)
    notebook = nbformat.reads(run.read_bytes(kept_notebook(run)).decode(), as_version=4)
    notebook.cells[0].source = "# What it said before"
    next(
        cell for cell in notebook.cells if cell.cell_type == "code" and "begin(" in cell.source
    ).source += "  # as ever"
    seen = []

    def change(run: Run) -> None:
        put(run, kept_notebook(run), nbformat.writes(notebook).encode(), folder="")
        of_stage = run_of(sound, Stage.S03)
        seen.append(notebooks.notebooks(SimpleNamespace(runs=[of_stage], folder=PACK_ROOT)))

    forged(Stage.S03, change)
    assert seen[0].findings == []
    assert seen[0].summary.endswith(f"; prose or comments are others in {run.run_id}")


def moments(**changes: object) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        arrays = {**run.npz("results/calibration_stats.npz")}
        put(
            run,
            "calibration_stats.npz",
            npz_bytes({**arrays, **{k: np.asarray(f(arrays)) for k, f in changes.items()}}),
        )

    return change


def targets(section: str, move: Callable[[float], float]) -> Callable[[Run], None]:
    def change(run: Run) -> None:
        content = run.json("results/rate_targets.json")
        content[section] = moved(content[section])
        put(run, "rate_targets.json", json_bytes(content))

    def moved(value):
        if isinstance(value, dict):
            return {key: moved(each) for key, each in value.items()}
        return [moved(each) for each in value] if isinstance(value, list) else move(value)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (moments(mu=lambda a: a["mu"] * np.float32(np.nan)), "mu has missing or infinite values"),
        (moments(sigma=lambda a: -a["sigma"]), "sigma not negative"),
        (moments(mu=lambda a: a["mu"][:, :-1]), "mu (2, 7) and sigma (2, 8) must be"),
        (
            moments(
                **dict.fromkeys(("mu", "sigma"), lambda a: a["mu"][:, :-1]),
                clamped_units=lambda a: a["clamped_units"][:, :-1],
            ),
            "mu and sigma are [2, 7], the model has [2, 8] layers and units",
        ),
        (moments(n_samples=lambda a: 2 * a["n_samples"]), "n_samples"),
        (moments(clamped_units=lambda a: 1 - a["clamped_units"]), "clamped_units"),
        (targets("r_star", lambda x: 1.01 * x), "r_star"),
        (targets("scale", lambda x: 1.01 * x), "scale"),
        (targets("r_base", lambda x: 1.001 * x), "r_base"),
        (targets("tau0", lambda x: x + 1), "tau0"),
        (targets("F", lambda x: x + 1), "F"),
    ],
)
def test_what_follows_from_moments_and_base_rates_is_held(change, told, forged):
    lines = forged(Stage.S01, change)
    assert any(told in line for line in lines), lines


def test_verdicts_in_the_table_of_checks_follow_from_its_deviations(forged):
    def change(run: Run) -> None:
        frame = run.parquet("results/model_checks.parquet")
        put(run, "model_checks.parquet", parquet_bytes(frame.assign(deviation=1.0)))

    lines = forged(Stage.S00, change)
    assert any("model_checks.parquet: computed again" in line for line in lines)
    assert sum("is recorded with verdict 'pass', its artifacts give 'fail'" in line for line in lines) == 4


def test_a_check_that_was_left_out_is_named(forged):
    def change(run: Run) -> None:
        frame = run.parquet("results/model_checks.parquet")
        put(run, "model_checks.parquet", parquet_bytes(frame[frame["check"] != "attention linearity"]))

    (line,) = forged(Stage.S00, change)
    assert "does not hold every check of 2 layers once" in line


def judged_in(stage: Stage) -> list[str]:
    """The arguments of each call of ``stage.judge`` in a stage's notebook."""
    tree = code_cells(PACK_ROOT / CANON.PATH.NOTEBOOKS_DIR / spec_of(stage).notebook)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "stage.judge"]
    return [", ".join(map(ast.unparse, call.args)) for call in calls]


@pytest.mark.parametrize("stage", [spec.id for spec in STAGES if spec.id is not Stage.S08])
def test_a_notebook_judges_the_gates_that_a_check_knows_and_no_other(stage):
    module = works()[stage].gates.__module__.rpartition(".")[2]
    assert works()[stage].gates.__name__ == "gates"
    assert judged_in(stage) == [f"*{module}.gates(stage)"]
