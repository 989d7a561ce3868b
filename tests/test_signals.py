"""A signal that asks a process to end: it ends as by Ctrl-C, once, and leaves handlers as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from critnb.canon import PACK_ROOT, Exit
from critnb.cli.command_line import main
from critnb.system.signals import ENDING, Terminated, ending_like_ctrl_c, how_interrupted, signal_name


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_ends_the_block_and_later_ones_leave_its_end_alone(number):
    before = signal.getsignal(number)
    finished = False

    def work() -> None:
        nonlocal finished
        try:
            os.kill(os.getpid(), number)
        finally:
            for again in ENDING:
                os.kill(os.getpid(), again)
            finished = True

    with pytest.raises(Terminated, match=f"ended by {signal_name(number)}"), ending_like_ctrl_c():
        work()
    assert finished
    assert signal.getsignal(number) == before


def test_what_the_caller_lets_be_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_like_ctrl_c():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_that_gets_no_signals_may_use_it():
    seen: list[object] = []

    def work() -> None:
        with ending_like_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize(("words", "said"), [(["phase1"], "; continue with --allow-resume"), (["list"], "")])
def test_only_what_has_stages_is_to_be_continued(words, said, monkeypatch, capsys):
    def asked(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("critnb.cli.stages.load", asked)
    monkeypatch.setattr("critnb.pipeline.options.RunOptions.store", asked)
    assert main(words) == Exit.INTERRUPTED
    assert capsys.readouterr().err == f"ended by SIGTERM{said}\n"


def test_ctrl_c_has_no_words_of_its_own():
    assert how_interrupted(KeyboardInterrupt()) == "interrupted"


IN_A_PROCESS = """
import sys, time
from critnb.system.signals import ending_like_ctrl_c
with ending_like_ctrl_c():
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_process_that_sleeps_is_woken():
    command = [sys.executable, "-c", IN_A_PROCESS]
    with subprocess.Popen(command, cwd=PACK_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert said.rstrip().endswith("Terminated: ended by SIGTERM")
