"""What a sweep's file says: entries, their params and names, and each mistake blamed on its entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from critnb.canon import PACK_ROOT
from critnb.errors import ParamsError
from critnb.params import load
from critnb.params.sweep import read_sweep


@pytest.fixture
def write(tmp_path):
    def written(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return written


def test_entries_are_the_params_with_what_each_sets(write):
    sweep = read_sweep(write("- {name: a, windows.seed: 3}\n- {windows: {seed: 4, seq_len: 64}, role: INSTRUCT}\n"))
    assert sweep.name == "mine"
    base = load("base.yaml").params
    first, second = sweep.entries
    assert (first.number, first.name, first.role, first.overrides) == (1, "a", None, {"windows.seed": 3})
    assert first.loaded.params == base.model_copy(update={"windows": base.windows.model_copy(update={"seed": 3})})
    # a section as a mapping sets its keys, and leaves the others as they are
    assert second.loaded.params.windows == base.windows.model_copy(update={"seed": 4, "seq_len": 64})
    assert (second.name, second.role) == ("seed=4 seq_len=64", "INSTRUCT")


def test_a_section_of_a_params_file_overrides_that_file_which_runs_without_it_as_well(write):
    path = write("windows: {seed: 1, seq_len: 64}\nsweep: [{windows.seed: 7}]\n")
    (entry,) = read_sweep(path).entries
    assert (entry.loaded.params.windows.seed, entry.loaded.params.windows.seq_len) == (7, 64)
    assert load(path).params.windows.seed == 1


def test_a_grid_is_every_combination_with_every_entry(write):
    sweep = read_sweep(
        write(
            "sweep:\n"
            "  entries: [{name: small, models.BASE: {source: hub, id: a/b}}, {name: large, models.BASE: {source: hub, id: a/c}}]\n"
            "  grid: {models.BASE.revision: [one, two], events.target_rates: [[0.001], [0.002, 0.003]]}\n"
        )
    )
    found = [
        (each.name, each.loaded.params.models["BASE"].id, each.loaded.params.models["BASE"].revision)
        for each in sweep.entries
    ]
    assert len(found) == len(set(found)) == 8
    assert found[0] == ("small revision=one target_rates=0.001", "a/b", "one")
    assert found[-1] == ("large revision=two target_rates=0.002,0.003", "a/c", "two")
    alone = read_sweep(write("sweep: {grid: {windows.seed: [1, 2, 3]}}"))
    assert [each.name for each in alone.entries] == ["seed=1", "seed=2", "seed=3"]


def test_paths_are_meant_from_the_sweep_s_own_folder(write, tmp_path):
    write("windows: {seed: 5}", "params/some.yaml")
    path = write("- {models.BASE: {source: file, path: ckpt/7}}\n- {models.BASE: {source: file, path: /abs/8}}")
    first, second = read_sweep(path, tmp_path / "params" / "some.yaml").entries
    assert first.loaded.resolve(first.loaded.params.models["BASE"].path) == tmp_path / "ckpt" / "7"
    assert second.loaded.params.models["BASE"].path == "/abs/8"
    assert first.loaded.params.windows.seed == 5
    # and told as they were written
    assert first.overrides["models.BASE"]["path"] == "ckpt/7"
    assert first.name == "BASE=7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "mine.yaml: the sweep has no entries"),
        ("", "mine.yaml: is no sweep; write a list of entries, or a params file with a section sweep"),
        ("windows: {seed: 1}", "mine.yaml: is no sweep"),
        ("- {windows.seed: 1}\n- {windows.seeed: 2}", "mine.yaml: line 2: entry 2: windows.seeed: unknown key; did you mean seed?"),
        ("- {name: a b, windows.seed: x}", "mine.yaml: line 1: entry 1 (a b): windows.seed: "),
        ("- {windows.seed.more: 1}", "mine.yaml: line 1: entry 1 windows.seed.more: windows is a value"),
        ("- 3", "mine.yaml: line 1: entry 1: must be a mapping of params keys, found a number"),
        ("- {name: a}\n- {name: b}\n- {name: a}", "mine.yaml: entries 1, 3 have one name, a; give each its own"),
        ("- {windows.seed: 1}\n- {windows.seed: 1}", "mine.yaml: entries 1, 2 have one name, seed=1"),
        ("- {compute.device: cpu}", "mine.yaml: line 1: entry 1: compute.device: is the same for all entries"),
        ("- {compute: {engine: dask}}", "mine.yaml: line 1: entry 1: compute.engine: is the same for all entries"),
        ("sweep:\n  grid:\n    windows.seed: [1, -5]", "mine.yaml: line 3: sweep.grid: windows.seed: input should be greater"),
        ("- {windows: {seed: 7}, windows.seed: 8}", "mine.yaml: line 1: entry 1: windows.seed: is set twice"),
        ("- {name: [1]}", "entry 1: name: must be text on one line"),
        ("- {name: 'a\tb'}", "entry 1: name: must be text on one line"),
        ("- {role: base}", "entry 1: role: must be one of BASE, INSTRUCT"),
        ("sweep: {entry: []}", "mine.yaml: sweep: must be a list of entries, or hold entries and grid; unknown key entry"),
        ("sweep: 3", "mine.yaml: sweep: must be a list of entries, or hold entries and grid; found a number"),
        ("sweep: {grid: {windows.seed: 3}}", "sweep.grid.windows.seed: must be a list of values, found a number"),
        ("sweep: {grid: {windows.seed: []}}", "sweep.grid.windows.seed: must be a list of values, found an empty list"),
        ("sweep: {entries: [{windows.seed: 1}], grid: {windows.seed: [3]}}", "entry 1: windows.seed: grid sets it, too"),
        ("sweep: {entries: [], grid: {windows.seed: [3]}}", "mine.yaml: the sweep has no entries"),
        (f"sweep: {{grid: {{windows.seed: {list(range(1001))}}}}}", "1001 entries, 1000 are the most"),
        ("- {a", "mine.yaml: line "),
    ],
)  # fmt: skip
def test_a_mistake_is_blamed_on_its_entry(write, text, words):
    text = text.replace("windows.seed.more: 1", "windows: 3, windows.seed.more: 1") if "more" in text else text
    with pytest.raises(ParamsError) as caught:
        read_sweep(write(text))
    assert words in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_what_the_command_line_sets_no_entry_may_set(write):
    path = write("- {models: {BASE: {source: embedded}}}\n- {windows.seed: 1}")
    for common in ({"windows.seed": 2}, {"windows": {}}, {"models.BASE.source": "embedded"}):
        with pytest.raises(ParamsError, match=r"entry \d.*: the command line sets .*, too; take one away"):
            read_sweep(path, common=common)
    with pytest.raises(ParamsError, match=r"^--device: compute.device: must be auto"):
        read_sweep(path, common={"compute.device": "gpu"}, given_by={"compute.device": "--device"})


def test_no_file_and_two_params_files_are_refused(write, tmp_path):
    with pytest.raises(ParamsError, match=r"gone.yaml: no such file; give a sweep's file"):
        read_sweep(tmp_path / "gone.yaml")
    with pytest.raises(ParamsError, match="is a folder, not a file"):
        read_sweep(tmp_path)
    with pytest.raises(ParamsError, match="is a params file itself; leave out --params"):
        read_sweep(write("sweep: [{}]"), PACK_ROOT / "params" / "base.yaml")
