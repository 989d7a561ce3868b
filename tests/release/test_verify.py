"""What a check of a release finds, by the kind of harm done to it; tables are computed again in tests/pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made import MODEL
from release.chains import chain, made_stage, release_of, run_of, zipped
from release.forging import index_again, link_again, list_again

from critnb.canon import ModelRole, Stage
from critnb.cli.command_line import main
from critnb.data import model_files
from critnb.params import load
from critnb.pipeline.session import StageSession
from critnb.release.zip_reader import unpack
from critnb.runs import Run, RunStore
from critnb.runs.encoding import csv_bytes, json_bytes, npz_bytes
from critnb.runs.files import sha256_file
from critnb.runs.manifest import manifest_bytes, parse_manifest
from critnb.runs.record import write_record
from critnb.verify import results
from critnb.verify.release import verify_release
from critnb.verify.replay import StageWork

NUMBERS = "results/numbers.json"
CHECKS = "zip pack manifest records params chain facts code paper added tables notebooks figures"


def found(path: Path) -> dict[str, list[str]]:
    """The findings by check."""
    checks = []
    verify_release(path, checks.append, recompute=False)
    return {check.name: list(check.result.findings) for check in checks if not check.passed}


def test_a_release_is_sound(zip_file, capsys):
    assert found(zip_file) == {}
    assert main(["verify", "--release", str(zip_file), "--no-recompute"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("note  signature")
    assert lines[0].endswith("unsigned: nothing says who made it")
    assert [line.split()[:2] for line in lines[1:-2]] == [["ok", name] for name in CHECKS.split()]
    assert lines[-2:] == ["not computed again: anything", f"ok: {zip_file}"]


def test_checking_writes_nothing_beside_it_and_nothing_stays(zip_file, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(zip_file.parent.iterdir())
    assert found(zip_file) == {}
    assert sorted(zip_file.parent.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_byte_in_any_file_is_named(zip_file, tmp_path, altered):
    import zipfile

    with zipfile.ZipFile(zip_file) as archive:
        infos = [info for info in archive.infolist() if info.file_size][::40]
    data, path = zip_file.read_bytes(), tmp_path / "flipped.zip"
    for place, info in enumerate(infos):
        flipped = bytearray(data)
        flipped[info.header_offset + 30 + len(info.filename) + info.file_size // 2] ^= 0x10
        path.write_bytes(bytes(flipped))
        named = [(each.name, each.problem[:9]) for each in unpack(path, None) if each.problem]
        assert named == [(info.filename, "its bytes")]
        if place in (0, len(infos) - 1):
            assert any(line.startswith(f"{info.filename}: its bytes") for line in found(path)["zip"])


def test_a_file_that_the_manifest_does_not_know_or_has_lost(altered):
    def change(folder: Path) -> None:
        (folder / "critnb" / "extra.py").write_text("x = 1\n")
        (folder / "README.md").unlink()
        (folder / "CHANGELOG.md").write_text("nothing\n")

    assert found(altered(change))["manifest"] == [
        "README.md: is in the manifest and not in the zip",
        "critnb/extra.py: is in the zip and not in the manifest",
        "CHANGELOG.md: changed, its sha256 is not the manifest's",
    ]


def test_no_manifest(altered):
    assert found(altered(lambda folder: (folder / "MANIFEST.sha256").unlink()))["manifest"] == [
        "MANIFEST.sha256: is missing"
    ]


def test_what_belongs_to_nothing_is_named_though_it_is_listed(altered):
    def change(folder: Path) -> None:
        (folder / "wheels").mkdir()
        (folder / "wheels" / "evil.whl").write_text("x")
        (folder / "runs" / "notes.txt").write_text("x")
        list_again(folder)

    names = [line.partition(":")[0] for line in found(altered(change))["manifest"]]
    assert names == ["runs/notes.txt", "wheels/evil.whl"]


def test_a_result_that_was_edited_shows_in_its_record(altered):
    def change(folder: Path) -> None:
        (run_of(folder, Stage.S05).path / NUMBERS).write_text("[]")
        list_again(folder)

    findings = found(altered(change))
    assert set(findings) == {"records"}
    assert [line.partition(":")[0].split("/", 2)[2] for line in findings["records"]] == [NUMBERS]


def test_a_record_that_was_edited_shows_in_the_runs_that_were_made_from_it(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S03)
        (run.path / NUMBERS).write_text("[]")
        index_again(run.path, NUMBERS)
        list_again(folder)

    findings = found(altered(change))
    assert set(findings) == {"records"}
    assert len(findings["records"]) == 3  # S04, S04K and S05 of that role
    assert all("its record changed after this run was made from it" in line for line in findings["records"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights_sha256", "9" * 64), ("n_layers", 99), ("class", "Other"), ("dtype", "float64"), ("id", "another")],
)
def test_a_model_that_changed_along_the_chain_is_named(field, value, altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S04)
        write_record(run.path, replace(run.record, model={**MODEL, "role": "BASE", field: value}))
        link_again(folder)
        list_again(folder)

    (line,) = found(altered(change))["chain"]
    assert f"{field} of BASE is {str(value)[:12]}" in line
    assert "in RUN_" in line


@pytest.mark.parametrize(
    ("stage", "section", "field", "value", "told"),
    [
        (Stage.S01, "model", "role", "INSTRUCT", "role of the model is 'INSTRUCT', by its params it is 'BASE'"),
        (Stage.S01, "model", None, None, "whether a model was loaded is False, by its params it is True"),
        (Stage.S02B, "model", "id", "tiny", "whether a model was loaded is True, by its params it is False"),
        (Stage.S04, "determinism", "seeds", {"nulls.seed": 3}, "seeds is {'nulls.seed': 3}, by its params it is {}"),
        (
            Stage.S04,
            "datasets",
            "A_cal",
            {"n_windows": 9, "seq_len": 128},
            "n_windows of A_cal is 9, by its params it is None",
        ),
    ],
)
def test_a_record_that_says_something_else_than_its_params_is_named(stage, section, field, value, told, altered):
    def change(folder: Path) -> None:
        run = run_of(folder, stage)
        said = getattr(run.record, section) or {}
        changed = {**MODEL, **said, field: value} if section == "model" else {**said, field: value}
        write_record(run.path, replace(run.record, **{section: changed if field else None}))
        link_again(folder)
        list_again(folder)

    assert any(line.endswith(told) for line in found(altered(change))["facts"])


def test_other_weights_in_the_zip_than_the_runs_were_made_from_are_named(tmp_path):
    identity = model_files(load("base.yaml"), ModelRole.BASE).identity()
    store = RunStore(tmp_path / "runs")
    chain(
        store,
        roles=["BASE"],
        model={**MODEL, "id": "critnb-embedded-base", **identity_of_record(identity)},
        source={"source": "embedded"},
        identity={"model": identity},
    )
    sound, folder = release_of(store.root, tmp_path / "r.zip"), tmp_path / "unpacked"
    assert found(sound) == {}
    unpack(sound, folder)
    with (folder / "critnb/data/embedded/weights/base/model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"?")
    list_again(folder)
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (line,) = found(zipped(tmp_path / "s.zip", files))["chain"]
    assert line.startswith("critnb/data/embedded/weights/base: weights_sha256 is not what RUN_S0")


def identity_of_record(identity: dict[str, str]) -> dict[str, str]:
    return {key: identity[key] for key in ("weights_sha256", "tokenizer_sha256")}


def test_text_that_differs_along_the_chain_is_named(tmp_path):
    store = RunStore(tmp_path / "runs")
    facts = {
        "source": "x",
        "revision": None,
        "split": None,
        "n_windows": None,
        "seq_len": 128,
        "slice_sha256": "a" * 64,
    }
    chain(store, roles=["BASE"], datasets={"A_cal": facts})
    assert found(release_of(store.root, tmp_path / "r.zip")) == {}
    run = store.runs(Stage.S02)[0]
    write_record(run.path, replace(run.record, datasets={"A_cal": {**facts, "slice_sha256": "b" * 64}}))
    link_again(tmp_path)
    assert [
        "slice_sha256 of A_cal as BASE reads it" in line
        for line in found(release_of(store.root, tmp_path / "s.zip"))["chain"]
    ] == [True]


def test_a_stage_without_a_run_is_named(tmp_path):
    store = RunStore(tmp_path / "runs")
    chain(store, roles=["BASE"], leave_out=[Stage.S06B])
    findings = found(release_of(store.root, tmp_path / "r.zip"))
    assert findings == {"chain": ["runs: no run of S06B for BASE"]}


def test_an_upstream_run_that_is_gone_is_named(altered):
    gone = []

    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S01)
        gone.append(run.run_id)
        for path in sorted(run.path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        run.path.rmdir()
        list_again(folder)

    findings = found(altered(change))
    assert any(gone[0] in line for line in findings["records"])
    assert any(gone[0] in line for line in findings["chain"])


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("critnb/pipeline/session.py", "def finish(self)", "def finish(self, _=1)", 19),
        ("notebooks/phase3_extract_rasters.ipynb", "stage.finish()", "stage.finish(1)", 2),
    ],
)
def test_other_code_than_the_runs_is_named(path, old, new, told, altered):
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        (folder / path).write_text(text.replace(old, new))
        list_again(folder)

    (line,) = found(altered(change))["code"]
    assert line.startswith(f"{path}: is not what RUN_S")
    assert line.count("RUN_S") == min(told, 3)


def test_another_constant_than_the_runs_is_named(altered):
    def change(folder: Path) -> None:
        path = folder / "spec" / "00_CANONICAL.yaml"
        path.write_text(path.read_text().replace("EPS: 1.0e-6", "EPS: 1.0e-5"))
        list_again(folder)

    (line,) = found(altered(change))["code"]
    assert line.startswith("spec/00_CANONICAL.yaml: is not what RUN_")


@pytest.mark.parametrize("words", [{"sources": {}}, {"constants": {}}, {"constants": {"EPS": 1e-6, "MORE": 1.0}}])
def test_what_a_run_came_from_is_not_for_its_record_to_choose(words, tmp_path):
    store = RunStore(tmp_path / "runs")
    chain(store, roles=["BASE"], **words)
    lines = found(release_of(store.root, tmp_path / "r.zip"))["code"]
    of_all = "critnb/pipeline/session.py" if "sources" in words else "spec/00_CANONICAL.yaml"
    assert any(line.startswith(f"{of_all}: is not what RUN_S") for line in lines)


def test_params_that_are_not_those_of_the_run_are_named(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S04)
        path = run.path / "config_resolved.yaml"
        path.write_text(path.read_text().replace("2.5", "2.6"))
        index_again(run.path, path.name)
        link_again(folder)
        list_again(folder)

    (line,) = found(altered(change))["params"]
    assert line.startswith("runs/RUN_S04_")
    assert line.endswith("config_resolved.yaml: is not what the run's id was made from")


@pytest.mark.parametrize("name", ["runs/index.html", "ro-crate-metadata.json", "CITATION.cff", ".zenodo.json"])
def test_what_the_release_adds_is_what_its_runs_give(name, altered):
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(path.read_text().replace("weights", "Weights").replace("software", "Software"))
        digests = parse_manifest((folder / "MANIFEST.sha256").read_bytes())
        (folder / "MANIFEST.sha256").write_bytes(manifest_bytes({**digests, name: sha256_file(path)[0]}))

    findings = found(altered(change))
    assert set(findings) == {"added"}
    assert f"{name}: is not what the pack and the runs in the zip give" in findings["added"]


@pytest.mark.parametrize(
    "name",
    ["critnb/__pycache__/errors.cpython-311.pyc", "tests/.hidden.sh", "critnb/errors.pyc", "critnb/errors.abi3.so"],
)
def test_what_could_run_in_place_of_the_pack_is_named(name, altered):
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
        list_again(folder)

    findings = found(altered(change))
    assert findings == {"manifest": [f"{name}: belongs neither to the pack nor to a run that the paper rests on"]}


def test_another_pack_that_checks_says_so_before_it_finds_anything(altered, capsys):
    def change(folder: Path) -> None:
        (folder / "README.md").write_text("of another day")
        (folder / "critnb" / "pipeline" / "session.py").write_text("")
        list_again(folder)

    assert main(["verify", "--release", str(altered(change)), "--no-recompute"]) == 2
    told = capsys.readouterr()
    first = next(line for line in told.out.splitlines()[1:] if not line.startswith("ok"))
    assert first.startswith("note  pack")
    assert "by another pack than the zip's: 2 files differ, such as README.md" in first
    assert "they may be the doing of this pack, which is not the zip's" in told.err


def test_findings_without_end_are_counted(altered, capsys):
    def change(folder: Path) -> None:
        for number in range(600):
            (folder / f"{number:03}").touch()
        list_again(folder)

    assert main(["verify", "--release", str(altered(change)), "--no-recompute"]) == 2
    told = capsys.readouterr()
    assert len(told.out.splitlines()) < 550
    assert "  and 100 more" in told.out
    assert "600 findings" in told.err


def test_nothing_of_a_stranger_steers_the_terminal(altered, capsys):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S07)
        path = run.path / "results" / "claims.json"
        evil = {
            "run_id": "RUN_S05_000000000000",
            "artifact": "\x1b[2J\nok: all is well\u202e" + "a" * 5000,
            "sha256": "",
        }
        path.write_text(json.dumps([evil]))
        index_again(run.path, "results/claims.json")
        list_again(folder)

    assert main(["verify", "--release", str(altered(change)), "--no-recompute"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert not any(line.startswith("ok: ") for line in lines)
    assert any("names \\x1b[2J\\nok: all is well\\u202eaaa" in line for line in lines)


WORKED = {"same.npz": 0.0, "near.npz": 1e-13, "near.csv": 1e-13, "near.json": 1e-13, "far.npz": 1e-6, "far.csv": 1e-6}


def test_a_file_comes_out_the_same_or_near_or_is_a_finding(tmp_path, monkeypatch):
    encode = {
        ".npz": lambda x: npz_bytes({"a": np.array([x])}),
        ".csv": lambda x: csv_bytes(pd.DataFrame({"a": [x]})),
        ".json": lambda x: json_bytes([x]),
    }
    stored = {name: encode[Path(name).suffix](1.0 + off) for name, off in WORKED.items()} | {"paper.pdf": b"%PDF 1"}
    again = {name: encode[Path(name).suffix](1.0) for name in WORKED} | {"paper.pdf": b"%PDF 2"}
    files = {f"results/{name}": content for name, content in stored.items()}
    files["notebook/phase5_analyze_and_export.html"] = b"<p>"
    store = RunStore(tmp_path / "runs")
    run = made_stage(store, Stage.S05, [], more=files)

    def work(stage: StageSession, _: Run) -> None:
        for name, content in again.items():
            stage.run.write_bytes(f"results/{name}", content)

    monkeypatch.setattr(results, "works", lambda: {Stage.S05: StageWork(work, lambda _: [])})
    result = results.recomputed(SimpleNamespace(runs=[run]))
    names = sorted(line.partition(":")[0].rpartition("/")[2] for line in result.findings)
    assert names == [
        "far.csv",
        "far.npz",
        "paper.pdf",
        "phase5_analyze_and_export.html",
        "phase5_analyze_and_export.ipynb",
    ]
    assert result.summary.startswith("1 files came out with the same bytes, 3 within 1e-09; ")


def test_a_file_that_the_paper_names_and_that_is_another_now(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S06B)
        (run.path / NUMBERS).write_text("[]")
        index_again(run.path, NUMBERS)
        link_again(folder)
        list_again(folder)

    findings = found(altered(change))
    assert set(findings) == {"paper"}
    (told,) = (line.partition(": names ")[2] for line in findings["paper"])
    assert told.startswith(f"{NUMBERS} of RUN_S06B")
    assert told.endswith("which holds another file under that name")


def test_a_figure_that_the_paper_shows_and_that_is_another_now(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S05)
        (run.path / "notebook" / "n.html").write_text("<p>another")
        index_again(run.path, "notebook/n.html")
        link_again(folder)
        list_again(folder)

    assert any(": names notebook/n.html of RUN_S05" in line for line in found(altered(change))["paper"])


def test_two_papers_or_none_are_no_release(altered):
    def change(folder: Path) -> None:
        run = run_of(folder, Stage.S07)
        run.path.rename(folder / "runs" / "RUN_S06B_000000000000")
        list_again(folder)

    assert any("holds 0 runs of S07" in line for line in found(altered(change))["chain"])


@pytest.mark.parametrize(
    "harm",
    [
        lambda run: (run / "run_record.json").write_text("{"),
        lambda run: (run / "run_record.json").write_text("[" * 100000),
        lambda run: (run / "run_record.json").write_text(json.dumps({"run_id": 7})),
        lambda run: (run / "run_record.json").unlink(),
        lambda run: (run / "run_record.json").write_text('{"a":' * 500 + "1" + "}" * 500),
        lambda run: (run / "run_record.json").write_text("1" * 5000),
        lambda run: (run / "config_resolved.yaml").write_text("a: &a [1]\nb: *a\n"),
        lambda run: (run / "config_resolved.yaml").write_text("[" * 3000),
        lambda run: (run / "config_resolved.yaml").write_text("!!python/object:os.system {}"),
    ],
)
def test_no_content_of_a_stranger_breaks_the_check(harm: Callable[[Path], object], altered, capsys):
    def change(folder: Path) -> None:
        harm(run_of(folder, Stage.S05).path)
        list_again(folder)

    path = altered(change)
    assert main(["verify", "--release", str(path)]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"PK"])
def test_no_release_at_all(content, tmp_path, capsys):
    path = tmp_path / "r.zip"
    if content is not None:
        path.write_bytes(content)
    assert main(["verify", "--release", str(path)]) == (3 if content is None else 2)
    told = capsys.readouterr()
    assert str(path) in told.err
    assert len(told.err.splitlines()) <= 2
