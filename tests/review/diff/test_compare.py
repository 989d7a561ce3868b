"""Two runs compared, and what the command line says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made import MODEL, PARAMS, SOURCES, made

from critnb.canon import CANON, DatasetRole, Exit, Intervention, ModelRole, SpikeDef, Stage
from critnb.cli.command_line import main
from critnb.errors import DependencyError, IntegrityError, ParamsError
from critnb.lattice import Condition, ConditionTable, Raster
from critnb.report.schema import SCHEMAS
from critnb.review.diff import Change, Extreme, compare, find_run, format_diff
from critnb.review.diff.files import frames_differ
from critnb.runs import Run, RunStore

T01 = f"{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T01_SUMMARY}.parquet"
NPZ = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.RASTER_NPZ_BASENAME}"
METRICS = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.METRICS_PARQUET_BASENAME}"
CONDITIONS = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.CONDITIONS_PARQUET_BASENAME}"
REPLICATES = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.NULL_REPLICATES_PARQUET_BASENAME}"
SUMS = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.NULL_SEQUENCE_SUMS_NPZ_BASENAME}"
GSTAR = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.GSTAR_JSON_BASENAME}"


def table(b_tot: list[float], run_id: str = "RUN_S05_000000000000") -> pd.DataFrame:
    """T01's key and one column, a row per gain; enough for a comparison, which holds nobody to the schema."""
    gains = [0.7 + 0.1 * place for place in range(len(b_tot))]
    key = {"spike_def_id": str(SpikeDef.SPIKE_ONE_SIDED_POS), "target_rate": 0.001, "g": gains}
    return pd.DataFrame({"run_id": run_id, **key, "b_tot": b_tot})


def files(**changed: object) -> dict[str, object]:
    frame = pd.DataFrame({"g": [0.7, 1.0], "b": [0.25, 0.5]})
    return {NPZ: {"X": np.arange(6).reshape(2, 3)}, METRICS: frame, GSTAR: {"gstar": 1.0}, **changed}


@pytest.fixture
def first(store: RunStore) -> Run:
    return made(store, files=files())


def test_tables_are_paired_by_the_key_of_their_schema_whatever_their_order():
    assert {"spike_def_id", "target_rate", "g"} == set(SCHEMAS[CANON.TABLE.T01_SUMMARY].key)
    old, new = table([0.5, 0.6, 0.7]), table([0.5, 0.6, 0.75, 0.8], "RUN_S05_111111111111")
    found = frames_differ(T01, old, new.iloc[::-1])
    assert (found.values, found.differing, found.parts) == (3, 1, ("b_tot",))
    assert found.absolute is not None
    assert found.absolute.size == pytest.approx(0.05)
    assert found.absolute.where.startswith("b_tot at spike_def_id=SPIKE_ONE_SIDED_POS, target_rate=0.001, g=0.")
    assert found.remarks == ("3 rows against 4, 3 of them with the same key",)


def test_a_table_that_lacks_its_key_is_compared_row_by_row():
    old, new = table([0.5, 0.6]).drop(columns="g"), table([0.5, 0.7]).drop(columns="g")
    assert frames_differ(T01, old, new).absolute == Extreme(pytest.approx(0.1), "b_tot at row 1", 0.6, 0.7)


def test_a_run_equals_itself_and_its_copy(store, first, tmp_path):
    twin = made(RunStore(tmp_path / "elsewhere"), files=files())
    assert twin.run_id == first.run_id
    for comparison in (compare(first, first), compare(first, twin)):
        assert comparison.same_inputs
        assert comparison.same_numbers
        assert format_diff(comparison)[2:] == ["identical: the same inputs, environment and numbers"]


def test_every_input_that_differs_is_named(store, first):
    params = {"events": {"tau0": 3.0}, "gain": {"grid": [1.0]}}
    upstream = made(store, Stage.S01)
    sources = {"critnb/params.py": "1" * 64}
    other = made(store, files=files(), params=params, upstream=[upstream], sources=sources, role="INSTRUCT")
    found = compare(first, other)
    assert found.params == (
        Change("events.tau0", "2.5", "3.0"),
        Change("windows.seq_len", "128", None),
        Change("gain.grid", None, "[1.0]"),
        Change("role", '"BASE"', '"INSTRUCT"'),
    )
    assert found.code == (
        Change("critnb/canon.py", SOURCES["critnb/canon.py"], None),
        Change("critnb/params.py", None, "1" * 64),
    )
    assert found.upstream == (Change("S01", None, upstream.run_id),)
    assert not found.content
    assert found.same_numbers
    lines = format_diff(found)
    assert lines[2] == "other inputs, the same numbers"
    assert "  windows.seq_len: 128 -> absent" in lines
    assert "  critnb/canon.py removed" in lines
    assert "  critnb/params.py added" in lines


def test_data_model_and_machine(store, first):
    record = first.record.to_dict()
    packages = {**record["environment"]["packages"], "numpy": "1.0"}
    other = made(
        store,
        files=files(),
        params={**PARAMS, "x": 1},
        environment={**record["environment"], "packages": packages},
    )
    found = compare(first, other)
    numpy_before = record["environment"]["packages"]["numpy"]
    assert found.environment == (Change("packages.numpy", f'"{numpy_before}"', '"1.0"'),)
    assert f"  packages.numpy: {numpy_before} -> 1.0" in format_diff(found)


def test_numbers_that_differ_are_told_with_place_and_size(store, first):
    changed = {
        NPZ: {"X": np.array([[0, 1, 2], [3, 4, 9]])},
        METRICS: pd.DataFrame({"g": [0.7, 1.0], "b": [0.25, np.nan]}),
        GSTAR: {"gstar": 0.9},
        "results/more.txt": b"x",
    }
    other = made(store, files=changed, params={**PARAMS, "x": 1})
    found = compare(first, other)
    assert found.numbers[NPZ].absolute == Extreme(4.0, "X[1, 2]", 5.0, 9.0)
    assert found.numbers[METRICS].example == "b at row 1: 0.5 -> nan"
    assert found.unpaired == (("results/more.txt", "second"),)
    text = "\n".join(format_diff(found))
    assert f"{NPZ}: 1 of 6 values differ, in X\n    largest difference 4 (5 -> 9) in X[1, 2]" in text
    assert "largest difference 0.1 (1 -> 0.9) in gstar" in text
    assert "1 without a size (text, or NaN on one side), the first b at row 1: 0.5 -> nan" in text
    assert "only the second run has results/more.txt" in text


def test_figures_and_copies_in_csv_are_counted_not_compared(store):
    drawn = {
        "figs/a.png": b"1",
        "notebook/n.html": b"1",
        METRICS.replace("parquet", "csv"): b"1",
        METRICS: table([1.0]),
    }
    first = made(store, files=drawn)
    second = made(store, files={**drawn, "figs/a.png": b"2", METRICS.replace("parquet", "csv"): b"2"}, params={"x": 1})
    found = compare(first, second)
    assert found.views == 2
    assert found.same_numbers
    assert "  2 figures, pages and copies in CSV have other bytes (they name their run)" in format_diff(found)


def test_a_csv_that_has_no_twin_is_a_result(store):
    first = made(store, files={"results/a.csv": b"1"})
    second = made(store, files={"results/a.csv": b"22"}, params={"x": 1})
    assert compare(first, second).numbers["results/a.csv"].remarks == ("other bytes: 1 against 2",)


def test_gates_are_numbers_too(store, first):
    other = made(store, files=files(), params={"x": 1}, metrics={"clamped_units": 3})
    found = compare(first, other).numbers[f"metrics in {CANON.OUTPUT.RUN_RECORD_JSON}"]
    assert found.remarks == ("only the second has key clamped_units",)


def on_grid(store: RunStore, gains: tuple[float, ...], *, wrong_at: float | None = None) -> Run:
    """A run of S04 above rasters of these gains, whose events follow from the gain alone, however it is numbered."""
    conditions = ConditionTable(
        Condition(ModelRole.BASE, DatasetRole.A, SpikeDef.SPIKE_ONE_SIDED_POS, 0.01, gain, Intervention.MLP_GLOBAL)
        for gain in gains
    )

    def events(gain: float) -> np.ndarray:
        return np.random.default_rng(round(100 * gain)).poisson(0.4, (5, 2, 6)) + (gain == wrong_at)

    raster = Raster(
        np.stack([events(gain) for gain in gains]).astype(np.uint16), conditions, np.arange(5, dtype=np.int32)
    )
    frame = conditions.to_frame()
    files = {NPZ: raster.arrays(), CONDITIONS: frame, METRICS: frame.assign(events=raster.counts.sum(axis=(1, 2, 3)))}
    rasters = made(store, Stage.S03, files=files, params={"gain": {"grid": list(gains)}})
    drawn = pd.DataFrame([(place, n, gain + n) for place, gain in enumerate(gains) for n in range(3)])
    sums = {"pairs": np.array([[10 * gain] * 5 for gain in gains])}
    own = {REPLICATES: drawn.set_axis(["cond_id", "replicate", "b_tot"], axis=1), SUMS: sums}
    return made(store, Stage.S04, upstream=[rasters], files=own, params={"nulls": {"seed": 1}})


@pytest.mark.parametrize(("wrong_at", "differing"), [(None, 0), (1.0, 1)])
def test_conditions_that_two_grids_share_are_compared(store, wrong_at, differing):
    one, other = on_grid(store, (0.8, 1.0, 1.2)), on_grid(store, (1.0, 1.1, 1.2, 1.3), wrong_at=wrong_at)
    nulls = compare(one, other)
    assert nulls.above == (Change("gain.grid", "[0.8,1.0,1.2]", "[1.0,1.1,1.2,1.3]"),)
    # six rows of the replicates and ten of the sums are of gains 1 and 1.2, and follow from these
    assert [(nulls.numbers[path].values, nulls.numbers[path].differing) for path in (REPLICATES, SUMS)] == [
        (6, 0),
        (10, 0),
    ]
    found = compare(*(store.open(run.record.dependencies[0].run_id) for run in (one, other)))
    assert (found.conditions.old, found.conditions.new, found.conditions.both) == (3, 4, 2)
    lines = format_diff(found)
    assert "  3 against 4, 2 of them the same; only these are compared" in lines
    assert {"  only the first has gain 0.8", "  only the second has gain 1.1, 1.3"} < {*lines}
    assert (found.numbers[METRICS].values, found.numbers[METRICS].differing) == (2, differing)
    # of a site of the shared conditions, its events and whether there are any; conditions and windows are named once
    assert found.numbers[NPZ].values == 2 * 2 * 5 * 2 * 6 + 2 + 5
    assert found.numbers[NPZ].remarks == ("3 conditions against 4, 2 of them the same",)
    assert bool(found.numbers[NPZ].differing) is bool(differing)


def test_who_the_runs_are_about_is_told(store):
    models = [made(store, Stage.S01, model=MODEL | {"id": name}, params={"x": name}) for name in ("tiny", "small")]
    one, other = (made(store, Stage.S02B, upstream=[run]) for run in models)
    first, second, *_ = format_diff(compare(one, other))
    assert first.split()[2:4] == ["BASE", "tiny"]
    assert second.split()[2:4] == ["BASE", "small"]


def test_what_has_a_name_in_json_is_found_by_it(store):
    choices = [{"spike_def_id": "a", "target_rate": rate, "gstar": 10 * rate} for rate in (0.1, 0.2, 0.3)]
    one = made(store, files={GSTAR: {"choices": choices}})
    other = made(store, files={GSTAR: {"choices": [choices[2] | {"gstar": 4.0}, choices[1]]}}, params={"x": 1})
    found = compare(one, other).numbers[GSTAR]
    assert (found.differing, found.absolute.where) == (1, "choices[a, 0.3].gstar")
    gone = ", ".join(f"choices[a, 0.1].{key}" for key in choices[0])
    assert found.remarks == (f"only the first has key {gone}",)


def test_runs_of_different_stages_are_refused(store, first):
    with pytest.raises(ParamsError, match=r"is of S02 and RUN_S01_\w+ of S01"):
        compare(first, made(store, Stage.S01))


@pytest.mark.parametrize("path", [NPZ, METRICS, GSTAR])
def test_a_tampered_file_is_never_compared(store, first, path):
    # its record is that of the first run's file, so that nobody needs to read it to think the two are equal
    other = made(store, files=files(), params={"x": 1})
    data = (other.path / path).read_bytes()
    (other.path / path).chmod(0o644)
    (other.path / path).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    with pytest.raises(IntegrityError, match=rf"{path} is not the file that its record names"):
        compare(first, other)


def test_a_run_is_found_by_id_or_by_its_path(store, first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    elsewhere = RunStore(tmp_path / "none")
    assert find_run(first.run_id, store).path == first.path
    assert find_run(f"runs/{first.run_id}/", elsewhere).path == first.path
    with pytest.raises(DependencyError, match="is absent"):
        find_run(first.run_id, elsewhere)


def say(capsys, *words: str) -> tuple[int, str, str]:
    code = main(words)
    return code, *capsys.readouterr()


def test_the_command(store, first, capsys, tmp_path):
    other = made(store, files=files(**{GSTAR: {"gstar": 0.9}}), params={**PARAMS, "x": 1})
    where = ("--runs-dir", str(store.root))
    code, out, err = say(capsys, "diff", first.run_id, other.run_id, *where)
    assert (code, err) == (Exit.DONE, "")
    assert out.splitlines()[2:6] == ["other inputs, other numbers", "params", "  x: absent -> 1", "numbers"]
    code, out, _ = say(capsys, "diff", first.run_id, first.run_id, *where)
    assert code == Exit.DONE
    assert out.splitlines()[-1].startswith("identical: ")
    calibration = made(store, Stage.S01)
    code, out, err = say(capsys, "diff", first.run_id, calibration.run_id, *where)
    assert (code, out) == (Exit.BAD_INPUT, "")
    assert len(err.splitlines()) == 2
    assert say(capsys, "diff", first.run_id, "RUN_S02_0123456789ab", *where)[0] == Exit.MISSING_DEPENDENCY
    path = Path(other.path / GSTAR)
    path.chmod(0o644)
    path.write_bytes(b"{}")
    code, _, err = say(capsys, "diff", first.run_id, other.run_id, *where)
    assert (code, len(err.splitlines())) == (Exit.BAD_INPUT, 1)
