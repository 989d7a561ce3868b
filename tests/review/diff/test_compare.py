"""Two runs compared, and what the command line says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made import PARAMS, SOURCES, made

from critnb.canon import CANON, Exit, SpikeDef, Stage
from critnb.cli.command_line import main
from critnb.errors import DependencyError, IntegrityError, ParamsError
from critnb.report.schema import SCHEMAS
from critnb.review.diff import Change, Extreme, compare, find_run, format_diff
from critnb.review.diff.files import frames_differ
from critnb.runs import Run, RunStore

T01 = f"{CANON.RUN_SUBDIR.TABLES}/{CANON.TABLE.T01_SUMMARY}.parquet"
NPZ = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.RASTER_NPZ_BASENAME}"
METRICS = f"{CANON.RUN_SUBDIR.RESULTS}/{CANON.OUTPUT.METRICS_PARQUET_BASENAME}"
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
