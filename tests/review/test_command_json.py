"""What commands print as JSON validates against the schemas that the pack holds, and refusals keep stdout for JSON alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from made import MODEL, begun, made
from referencing import Registry, Resource
from studies import study

from critnb.canon import CANON, SPEC_DIR, Exit, Stage
from critnb.cli.command_line import _WITH_JSON, main
from critnb.gates import Gate
from critnb.runs import RunStore
from critnb.verify import release as release_module
from critnb.verify.check import Check, Result

COMMANDS = json.loads((SPEC_DIR / "commands.schema.json").read_text())
RECORD = json.loads((SPEC_DIR / "run_record.schema.json").read_text())
REGISTRY = Registry().with_resource("run_record.schema.json", Resource.from_contents(RECORD))


def valid(word: str, tree: object) -> None:
    """Hold a command's output to its schema, and the schema to being strict: an unknown key of a row breaks it."""
    check = Draft202012Validator({**COMMANDS, "$ref": f"#/$defs/{word}"}, registry=REGISTRY)
    assert [error.message for error in check.iter_errors(tree)] == []


@pytest.fixture
def store(tmp_path) -> RunStore:
    """Runs of every state, of older code, with gates, differing params, and a chain that a paper rests on."""
    store = RunStore(tmp_path / "runs")
    gate = Gate.judge("a number", passed=True, value=2.0, condition="above one")
    for n in "12":
        made(store, Stage.S02, sources={"critnb/canon.py": n * 64}, model=MODEL, gates=[gate])
    broken = made(store, Stage.S03)
    (broken.path / CANON.OUTPUT.RUN_RECORD_JSON).chmod(0o644)
    (broken.path / CANON.OUTPUT.RUN_RECORD_JSON).write_text("{")
    left = begun(store, Stage.S01)
    left.fail("cut off")
    left.close()
    study(store, seed=1, gstar=0.9, b_tot=0.0, sigma=0.25)
    study(store, seed=2, gstar=1.1, b_tot=0.5)
    return store


@pytest.fixture
def ask(store, capsys):
    def asked(*words: str, code: int = Exit.DONE, err: str = "") -> object:
        where = [] if words[0] == "params" else ["--runs-dir", str(store.root)]
        assert main([*words, *where, "--json"]) == code
        out, said = capsys.readouterr()
        assert err in said
        assert bool(said) == bool(err)
        return json.loads(out) if out else None

    return asked


def test_every_command_keeps_to_its_schema(store, ask):
    Draft202012Validator.check_schema(COMMANDS)
    runs = ask("list")
    valid("list", runs)
    assert {(row["state"], row["stale"]) for row in runs} >= {
        ("unreadable", None),
        ("failed", "abandoned"),
        ("complete", "superseded"),
        ("complete", "outdated"),
    }
    old, new = (row["run_id"] for row in runs if row["stage"] == "S02")
    record = ask("show", new)
    valid("show", record)
    assert record == json.loads((store.path(new) / CANON.OUTPUT.RUN_RECORD_JSON).read_text())
    valid("verify", ask("verify", new))
    one, other = (row["run_id"] for row in runs if row["stage"] == "S05")
    found = ask("diff", one, other)
    valid("diff", found)
    assert (found["old"]["run_id"], found["new"]["model"], found["same_numbers"]) == (one, "tiny", False)
    assert found["above"] == [{"key": "windows.seq_len", "old": "1", "new": "2"}]
    valid("compare", ask("compare"))
    valid("params", ask("params", "base.yaml"))
    needless = ask("prune")
    valid("prune", needless)
    assert [row for row in needless if row["run_id"] == old] == [
        {
            **{"run_id": old, "path": str(store.path(old)), "why": "superseded", "because": new},
            **{"bytes": next(row["bytes"] for row in runs if row["run_id"] == old), "removed": False},
        }
    ]
    assert store.path(old).is_dir()


def test_prune_says_what_else_could_go(store, ask, capsys):
    outdated = sum(row["stale"] == "outdated" for row in ask("list"))
    assert main(["prune", "--runs-dir", str(store.root)]) == Exit.DONE
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{outdated} outdated stay; --outdated takes in those of other code than this pack's"


def test_show_says_which_model_a_run_is_about(store, ask, capsys):
    run_id = ask("list", "--stage", "S05")[0]["run_id"]
    assert main(["show", run_id, "--runs-dir", str(store.root)]) == Exit.DONE
    assert "about    BASE tiny" in capsys.readouterr().out.splitlines()


def test_prune_frees_what_the_list_calls_stale(store, ask):
    stale = {row["run_id"]: row["stale"] for row in ask("list", "--stale")}
    removed = {row["run_id"] for row in ask("prune", "--delete")}
    assert removed == {run_id for run_id, why in stale.items() if why != "outdated"} != set()
    assert {row["run_id"] for row in ask("prune", "--delete", "--outdated")} == {*stale} - removed != set()
    assert ask("list", "--stale", err="holds no such run") == []


def test_refusals_and_findings_leave_stdout_to_json(store, ask):
    run_id = ask("list", "--stage", "S02")[0]["run_id"]
    path = store.path(run_id) / CANON.OUTPUT.CONFIG_RESOLVED_YAML
    path.chmod(0o644)
    path.write_text("x")
    found = ask("verify", run_id, code=Exit.BAD_INPUT, err="error: 1 of 1 runs are not what their records say")
    valid("verify", found)
    assert [each["kind"] for each in found[0]["findings"]] == ["changed"]
    none = "RUN_S05_0123456789ab"
    for words in (["show", none], ["diff", none, none], ["compare", none], ["verify", none]):
        assert ask(*words, code=Exit.MISSING_DEPENDENCY, err="error: ") is None
    assert ask("params", "nothing.yaml", code=Exit.BAD_INPUT, err="error: ") is None


@pytest.mark.parametrize("findings", [[], ["x: is not what it says"]])
def test_a_release_s_checks(ask, tmp_path, monkeypatch, findings):
    def verified(path: Path, show, *, recompute: bool) -> list[str]:
        show(Check("zip", Result(findings, "1 file"), 0.5))
        return findings

    monkeypatch.setattr(release_module, "verify_release", verified)
    (tmp_path / "release.zip").write_bytes(b"zip")
    code, err = (Exit.BAD_INPUT, "is not a sound release: 1 findings") if findings else (Exit.DONE, "")
    found = ask("verify", "--release", str(tmp_path / "release.zip"), code=code, err=err)
    valid("verify-release", found)
    assert [each["verdict"] for each in found["checks"]] == ["note", "fail" if findings else "ok"]
    assert found["ok"] is not bool(findings)


@pytest.mark.parametrize("word", _WITH_JSON)
def test_schemas_are_printed(word, capsys):
    assert main(["schema", word]) == Exit.DONE
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    # every word with --json has one of its own
    assert word in COMMANDS["$defs"]
