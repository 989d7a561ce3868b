"""What the command line answers without running anything: refusals in two lines, and nothing left behind.

Refusals that need a notebook's kernel are in tests/pipeline.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import made
import pytest
import yaml

from critnb.canon import Exit
from critnb.cli import main
from critnb.runs import RunStore
from critnb.stages import STAGES

PARAMS = {
    "models": {"BASE": {"source": "file", "path": "model"}},
    "data": {"A": {"source": "file", "path": "corpus.txt"}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A params file with a model and a corpus that can be planned with (they are hashed, not loaded)."""
    (tmp_path / "model").mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (tmp_path / "model" / name).write_text(name)
    (tmp_path / "corpus.txt").write_text("some text")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "a_file").write_text("not a folder")
    (tmp_path / "broken.yaml").write_text("gain: [")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(capsys, *words: str) -> tuple[int, list[str], list[str]]:
    """Exit code, lines on stdout and lines on stderr of a command."""
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out.splitlines(), err.splitlines()


S01 = ["phase1", "--params", "params.yaml", "--runs-dir", "runs"]
REFUSED = [
    ("no such params file", ["phase1", "--params", "no.yaml"], 2, "params file 'no.yaml' not found in"),
    ("params that are no YAML", ["phase1", "--params", "broken.yaml"], 2, "broken.yaml: line 1, column 8"),
    ("unknown key", [*S01, "--set", "gain.gird=[1.0]"], 2, "params.yaml: gain.gird: unknown key"),
    ("wrong type", [*S01, "--set", "windows.seq_len=long"], 2, "windows.seq_len: input should be a valid integer"),
    ("empty grid", [*S01, "--set", "gain.grid=[]"], 2, "gain.grid: list should have at least 1 item"),
    ("grid without 1", [*S01, "--set", "gain.grid=[0.7, 1.3]"], 2, "gain.grid: must hold the baseline gain 1.0"),
    (
        "rate of 0",
        [*S01, "--set", "events.target_rates=[0]"],
        2,
        "events.target_rates.0: input should be greater than 0",
    ),
    ("rate of 2", [*S01, "--set", "events.target_rates=[2]"], 2, "events.target_rates.0: input should be less than 1"),
    ("malformed --set", [*S01, "--set", "gain.grid"], 2, "--set 'gain.grid': write it as section.key=value"),
    ("unknown dtype", [*S01, "--dtype", "fp8"], 2, "compute.dtype: input should be 'auto'"),
    ("unknown device", [*S01, "--device", "gpu"], 2, "compute.device: must be auto, cpu, mps, cuda or cuda:N"),
    ("role without a model", [*S01, "--role", "INSTRUCT"], 2, "models.INSTRUCT is not given (there is BASE)"),
    ("empty corpus", [*S01, "--set", "data.A.path=empty.txt"], 2, "data.A: "),
    ("corpus not UTF-8", [*S01, "--set", "data.A.path=latin.txt"], 2, "latin.txt is not UTF-8 (byte 3)"),
    ("no corpus", [*S01, "--set", "data.A.path=no*.txt"], 3, "data.A.path: no file matches"),
    ("no model", [*S01, "--set", "models.BASE.path=nowhere"], 3, "models.BASE.path: no directory"),
    ("a folder that is no model", [*S01, "--set", "models.BASE.path=."], 3, "holds no *.safetensors weights"),
    ("malformed --use", [*S01, "--use", "S01"], 2, "--use 'S01': write it as STAGE=RUN"),
    ("--use of no stage", [*S01, "--use", "S99=RUN_S01_0123456789ab"], 2, "write it as STAGE=RUN"),
    ("--use of no run id", [*S01, "--use", "S01=mine"], 3, "'mine' is no run id"),
    ("--use of no run", [*S01, "--use", "S01=RUN_S01_0123456789ab"], 3, "is absent, not complete"),
    ("upstream missing", ["phase2", *S01[1:], "--no-upstream"], 3, "S02 needs RUN_S01_"),
    ("runs folder is a file", [*S01[:3], "--runs-dir", "a_file"], 2, "a_file: File exists; make room"),
    ("runs folder below a file", [*S01[:3], "--runs-dir", "a_file/runs"], 2, "Not a directory; make room"),
    ("unknown command", ["phase9"], 2, "invalid choice: 'phase9'"),
    ("no command", [], 2, "COMMAND"),
    ("unknown option", [*S01, "--bogus"], 2, "unrecognized arguments: --bogus"),
    ("unknown role", [*S01, "--role", "TEACHER"], 2, "invalid choice: 'TEACHER' (choose from"),
    ("show of no run", ["show", "RUN_S01_0123456789ab", "--runs-dir", "runs"], 3, "is absent, not complete"),
    ("show of no run id", ["show", "mine", "--runs-dir", "runs"], 3, "'mine' is no run id"),
    ("verify of no run", ["verify", "RUN_S01_0123456789ab", "--runs-dir", "runs"], 3, "no such run"),
    ("verify of no folder", ["verify", "--runs-dir", "runs"], 3, "holds no complete run to verify"),
    ("signer of no release", ["verify", "--signer", "key.pub"], 2, "--signer is for verify --release FILE"),
    ("release without a key", ["release"], 2, "the following arguments are required: --sign"),
    ("release of no runs", ["release", "--sign", "key", "--runs-dir", "runs"], 3, "holds no release; run phase8"),
    ("release of no zip", ["release", "--sign", "key", "no.zip"], 3, "no.zip: no such file"),
    ("release with no key", ["release", "--sign", "key", "a_file"], 3, "key: no such file"),
    ("release of no file", ["verify", "--release", "."], 3, "is a folder, not a file"),
    ("diff of no run", ["diff", *["RUN_S01_0123456789ab"] * 2, "--runs-dir", "runs"], 3, "is absent, not complete"),
    ("diff of no run id", ["diff", "mine", "yours", "--runs-dir", "runs"], 3, "'mine' is no run id"),
    ("diff of one run", ["diff", "RUN_S01_0123456789ab"], 2, "the following arguments are required: RUN"),
    ("index of no folder", ["index", "--runs-dir", "runs"], 3, "no such folder; run a stage first"),
    ("params of no file", ["params", "no.yaml"], 2, "'no.yaml' not found"),
]


@pytest.mark.parametrize(("words", "code", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_refusal_is_two_lines_at_most_and_leaves_nothing(folder, capsys, words, code, message):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found, out, err = ask(capsys, *words)
    assert (found, out) == (code, [])
    # a stage that is begun is announced first
    lines = err[1:] if err[0].startswith("S0") else err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert len(lines) <= 2
    assert not list(folder.glob("runs/RUN_*"))
    assert all(path.read_bytes() == data for path, data in before.items())


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that even root cannot write to")
def test_a_runs_folder_that_cannot_be_written(folder, capsys):
    code, _, err = ask(capsys, *S01[:3], "--runs-dir", "/proc/self/runs", "-q")
    assert code == Exit.BAD_INPUT
    assert len(err) == 1
    assert re.match(r"error: /proc/\w+/runs: .*; make room and leave to write, or use another --runs-dir", err[0])


def test_a_second_corpus_that_is_the_first_is_nobody_s_business_until_it_is_used(folder, capsys):
    plain = ask(capsys, *S01, "--dry-run")
    same = ask(capsys, *S01, "--dry-run", "--set", "data.B={source: file, path: corpus.txt}")
    assert plain == same
    assert plain[0] == Exit.DONE


def test_a_dry_run_says_what_would_run_and_why_and_writes_nothing(folder, capsys):
    code, out, err = ask(capsys, "all", *S01[1:], "--dry-run")
    assert (code, err) == (Exit.DONE, [])
    assert [line.split()[:2] for line in out] == [[spec.id, "BASE"] for spec in STAGES]
    assert all(line.endswith("run: never ran") for line in out)
    assert not (folder / "runs").exists()


def test_a_list_of_nothing(folder, capsys):
    assert ask(capsys, "list", "--runs-dir", "runs") == (Exit.DONE, [], [])


def test_a_path_names_the_run_that_lies_there_and_not_its_namesake(folder, tmp_path, capsys):
    run = made.made(RunStore(folder / "runs"), files={"results/a.json": {"b": 1}})
    elsewhere = tmp_path / "sent" / run.run_id
    shutil.copytree(run.path, elsewhere)
    changed = elsewhere / "results" / "a.json"
    changed.chmod(0o644)
    changed.write_text("{}")
    assert ask(capsys, "verify", run.run_id, "--runs-dir", "runs")[0] == Exit.DONE
    assert ask(capsys, "verify", str(elsewhere), "--runs-dir", "runs")[0] == Exit.BAD_INPUT
    assert str(elsewhere) in ask(capsys, "show", str(elsewhere), "--runs-dir", "runs")[1]


def test_a_traceback_on_demand(folder, capsys):
    code, _, err = ask(capsys, "phase1", "--params", "no.yaml", "-v")
    assert code == Exit.BAD_INPUT
    assert err[0].startswith("Traceback")
    assert err[-1].startswith("error: params file 'no.yaml' not found")


def test_our_own_mistakes_are_short_too(folder, capsys, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("critnb.cli_stages.load", broken)
    code, _, err = ask(capsys, "phase1")
    assert code == Exit.STAGE_FAILED
    assert err == ["error: ZeroDivisionError: of ours", "this is a bug; show it with -v and report it"]


def test_an_interrupt_says_how_to_go_on(folder, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("critnb.cli_stages.load", interrupted)
    assert ask(capsys, "phase1")[0] == Exit.INTERRUPTED
