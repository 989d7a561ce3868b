"""Completion in a real bash: what a person gets for a key press, from the script that the command prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from critnb.canon import Exit, Stage
from critnb.cli.command_line import main

BASH = shutil.which("bash")
RUNS = ("RUN_S02_0123456789ab", "RUN_S05_0123456789ab", "RUN_S05_ba9876543210.partial")
# the words of the line, of which the last is being completed; bash takes an equals sign for a word
ASK = r"""
source ./script
for line in "$@"; do
    read -r -a COMP_WORDS <<< "${line/=/ = }"
    case "$line" in *' ') COMP_WORDS+=('') ;; esac
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    spec="$(complete -p "${COMP_WORDS[0]##*/}")"
    function="${spec##* -F }"
    COMPREPLY=()
    "${function%% *}" "${COMP_WORDS[0]}"
    echo "${COMPREPLY[*]}"
done
"""
GIVEN = {
    "python runner.py li": "list",
    "critnb show": "show",
    "python3 -m critnb prun": "prune",
    "python ../runner.py comp": "compare completion",
    "python runner.py list --st": "--stage --stale",
    "python runner.py list --stage S06": "S06B S06ARC",
    "python runner.py phase5 --role ": "BASE INSTRUCT all",
    "python runner.py show --runs-dir folder ": "RUN_S02_0123456789ab RUN_S05_0123456789ab RUN_S05_ba9876543210",
    "python runner.py show --runs-dir=folder RUN_S02": "RUN_S02_0123456789ab",
    "python runner.py compare --every-gain --runs-dir folder RUN_S02": "RUN_S02_0123456789ab",
    "python runner.py phase5 --runs-dir folder --use S05=": "RUN_S05_0123456789ab RUN_S05_ba9876543210",
    "python runner.py phase5 --runs-dir folder --use S02=RUN": "RUN_S02_0123456789ab",
    "python runner.py all --params min": "mine.yaml",
    "python runner.py params min": "mine.yaml",
    "python runner.py phase2 --set gain.": "gain.grid= gain.interventions=",
    "python runner.py init fol": "folder",
    "python runner.py release --sign k": "key",
    "python runner.py phase1 --jobs ": "",
    "python another.py li": "",
}


@pytest.fixture
def folder(tmp_path, capsys, monkeypatch) -> Path:
    for run in RUNS:
        (tmp_path / "folder" / run).mkdir(parents=True)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "mine.yaml").touch()
    (tmp_path / "key").touch()
    assert main(["completion", "bash"]) == Exit.DONE
    (tmp_path / "script").write_text(capsys.readouterr().out)
    return tmp_path


@pytest.mark.skipif(BASH is None, reason="no bash")
def test_what_a_key_press_gives(folder):
    command = [str(BASH), "--norc", "-c", ASK, "bash", *GIVEN]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert dict(zip(GIVEN, done.stdout.splitlines(), strict=True)) == GIVEN


def test_every_stage_and_command_is_in_the_script(folder):
    script = (folder / "script").read_text()
    (commands,) = (line for line in script.splitlines() if line.startswith("_critnb_commands="))
    words = commands.partition("'")[2].rstrip("'").split()
    assert len(words) == len({*words})
    assert {"list", "show", "diff", "verify", "all", "phase5", "phase8_release"} <= {*words}
    assert all(f"{stage}=" in script for stage in Stage)
    assert "@" not in script.replace("COMP_WORDS[@]", "")


def test_that_of_zsh_is_the_same_behind_its_own_first_line(folder, capsys):
    main(["completion", "zsh"])
    lines = capsys.readouterr().out.splitlines()
    (added,) = [line for line in lines if line not in (folder / "script").read_text().splitlines()]
    assert added.endswith("&& bashcompinit")
