"""What the command line answers without running anything: refusals in two lines, and nothing left behind.

Refusals that need a notebook's kernel are in tests/pipeline.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import made
import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from critnb.canon import Exit
from critnb.cli.command_line import main
from critnb.contract import STAGES
from critnb.runs import RunStore

PARAMS = {
    "models": {"BASE": {"source": "file", "path": "model"}},
    "data": {"A": {"source": "file", "path": "corpus.txt"}},
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A params file with a model and a corpus that can be planned with (they are hashed, not loaded)."""
    (tmp_path / "model").mkdir()
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / "model" / name).write_text("{}")
    save_file({"weights": np.zeros(1)}, tmp_path / "model" / "model.safetensors")
    (tmp_path / "corpus.txt").write_text("some text")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "a_file").write_text("not a folder")
    (tmp_path / "broken.yaml").write_text("gain: [")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (tmp_path / "loop").symlink_to("loop")
    for name, target in (("link", "a\nb"), ("bytes", "m\udcfc")):
        (tmp_path / target).mkdir()
        (tmp_path / name).symlink_to(target)
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
    ("unknown key", [*S01, "--set", "gain.gird=[1.0]"], 2, "--set: gain.gird: unknown key; did you mean grid?"),
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
    ("misspelt command", ["lst"], 2, "invalid choice: 'lst'\ndid you mean list? see runner.py --help"),
    ("misspelt option", [*S01, "--rle", "BASE"], 2, "--rle BASE\ndid you mean --role? see runner.py phase1 --help"),
    ("misspelt stage", ["list", "--stage", "s5"], 2, "did you mean S05? see runner.py list --help"),
    ("misspelt params", ["phase1", "--params", "parms.yaml"], 2, "; did you mean params.yaml?"),
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
    ("list of no folder", ["list", "--runs-dir", "runs"], 3, "no such folder; run a stage first"),
    ("prune of a file", ["prune", "--delete", "--runs-dir", "a_file"], 3, "no such folder; run a stage first"),
    ("verify of a run and a release", ["verify", "RUN_S01_0123456789ab", "--release", "a_file"], 2, "not both"),
    (
        "verify of a run without recomputing",
        ["verify", "--no-recompute"],
        2,
        "--no-recompute is for verify --release FILE",
    ),
    ("comparison in two forms", ["compare", "--json", "--csv"], 2, "not allowed with argument"),
    ("an option of the command before it", ["-v", "list"], 2, "write it behind list; see runner.py list --help"),
    ("a role in small letters", [*S01, "--role", "base"], 2, "did you mean BASE?"),
    ("index of no folder", ["index", "--runs-dir", "runs"], 3, "no such folder; run a stage first"),
    ("params of no file", ["params", "no.yaml"], 2, "'no.yaml' not found"),
    ("params that are a folder", [*S01[:2], "model"], 2, "params file 'model' is a folder, not a file"),
    (
        "a name of a forged line",
        ["phase1", "--params", "a\nerror: b"],
        2,
        r"--params: a\nerror: b: a name on the way holds",
    ),
    ("a name that is too long", ["phase1", "--params", "a" * 5000], 2, "(5000 characters): too long for a path"),
    ("a name with NUL", ["phase1", "--params", "a\0b"], 2, r"a\x00b: no path holds a NUL character"),
    ("an override of bytes", [*S01, "--set", "release.title=\udcfc"], 2, "bytes that are not UTF-8"),
    ("a key of escapes", [*S01, "--set", "gain.\x1b[2K\rx=1"], 2, r"gain.\x1b[2K\rx: unknown key"),
    ("an option of escapes", [*S01, "--\x1b[2K\n"], 2, r"unrecognized arguments: --\x1b[2K\n"),
    ("a role of escapes", [*S01, "--role", "\u202e"], 2, r"invalid choice: '\u202e'"),
    ("a device of escapes", [*S01, "--device", "cpu\n"], 2, "compute.device: must be auto"),
    ("a pin of escapes", [*S01, "--use", "S01=\u2028"], 3, r"'\u2028' is no run id"),
    ("a runs folder of nobody", [*S01[:3], "--runs-dir", "~nobody_at_all/r"], 2, "there is no such user"),
    (
        "a runs folder of a forged line",
        [*S01[:3], "--runs-dir", "a\nb"],
        2,
        r"--runs-dir: a\nb: a name on the way holds",
    ),
    ("a runs folder in a loop", [*S01[:3], "--runs-dir", "loop/r"], 2, "--runs-dir: loop/r: a loop of links"),
    ("a runs folder that is too long", ["list", "--runs-dir", "a/" * 3000], 2, "too long for a path"),
    ("a run in a loop", ["verify", "loop/RUN_S01_0123456789ab", "--runs-dir", "runs"], 2, "RUN: loop: a loop of links"),
    ("a run of a long name", ["show", "9" * 5000, "--runs-dir", "runs"], 3, "(5002 characters) is no run id"),
    ("a release in a loop", ["verify", "--release", "loop"], 3, "--release: loop: a loop of links"),
    (
        "a model of nobody",
        [*S01, "--set", "models.BASE.path=~nobody_at_all/m"],
        2,
        "models.BASE.path: ~nobody_at_all/m: there is no",
    ),
    ("a model in a loop", [*S01, "--set", "models.BASE.path=loop/m"], 3, "models.BASE.path: loop/m: a loop of links"),
    (
        "a model behind odd names",
        [*S01, "--set", "models.BASE.path=link"],
        2,
        r"on the way holds the character \n; rename",
    ),
    ("a model behind names of bytes", [*S01, "--set", "models.BASE.path=bytes"], 2, "holds bytes that are not UTF-8"),
]


@pytest.mark.parametrize(("words", "code", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_refusal_is_two_lines_at_most_and_leaves_nothing(folder, capsys, words, code, message):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found, out, err = ask(capsys, *words)
    assert (found, out) == (code, [])
    # a stage that is begun is announced first, with how far the command is
    lines = [line for line in err if not line.startswith(("S0", "  stage "))]
    assert lines[0].startswith("error: ")
    assert message in "\n".join(lines)
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
    (folder / "runs").mkdir()
    assert ask(capsys, "list", "--runs-dir", "runs") == (Exit.DONE, [], [f"{folder / 'runs'} holds no run"])


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


def test_a_record_cannot_steer_the_terminal_that_shows_it(folder, capsys):
    hostile = "\x1b[2K\rok\nRUN_S02_0123456789ab  ok\u202e\x9b"
    run = made.made(RunStore(folder / "runs"), role=hostile, command=[hostile], model={**made.MODEL, "id": hostile})
    for words in (["list"], ["show", run.run_id], ["diff", run.run_id, run.run_id]):
        code, out, _ = ask(capsys, *words, "--runs-dir", "runs")
        assert code == Exit.DONE
        assert all(line.isprintable() for line in out)
        assert not [line for line in out if line.startswith("RUN_S02_0123456789ab")]


def test_a_params_file_whose_name_is_not_utf_8_is_used(folder, capsys):
    Path("params.yaml").rename("p\udcfc.yaml")
    code, out, err = ask(capsys, "phase1", "--params", "p\udcfc.yaml", "--runs-dir", "r\udcfc", "--dry-run")
    assert (code, len(out), err) == (Exit.DONE, 1, [])
    bad = ask(capsys, "phase1", "--params", "p\udcfc.yaml", "--set", "windows.seq_len=0")
    assert bad[2] == [r"error: --set: windows.seq_len: input should be greater than or equal to 2, found 0"]


def test_what_is_recorded_of_a_command_line_is_text(folder, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "argv", ["runner.py", "phase1", "--params", "p\udcfc.yaml", "a\nb"])
    monkeypatch.setattr(
        "critnb.cli.stages.execute", lambda *given, **_: seen.append(given[-1]) or made.made(RunStore(folder))
    )
    assert ask(capsys, *S01)[0] == Exit.DONE
    assert seen[0].command == ["runner.py", "phase1", "--params", r"p\xfc.yaml", r"a\nb"]


def test_a_traceback_on_demand(folder, capsys):
    code, _, err = ask(capsys, "phase1", "--params", "no.yaml", "-v")
    assert code == Exit.BAD_INPUT
    assert err[0].startswith("Traceback")
    assert err[-1].startswith("error: params file 'no.yaml' not found")


def test_our_own_mistakes_are_short_too(folder, capsys, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("critnb.cli.stages.load", broken)
    code, _, err = ask(capsys, "phase1")
    assert code == Exit.STAGE_FAILED
    assert err == ["error: ZeroDivisionError: of ours", "this is a bug; show it with -v and report it"]


def test_an_interrupt_says_how_to_go_on(folder, capsys, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("critnb.cli.stages.load", interrupted)
    assert ask(capsys, "phase1")[0] == Exit.INTERRUPTED
