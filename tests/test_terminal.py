"""What reaches a terminal, and what a command says when something outside of it gives way."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.canon import PACK_ROOT, Exit
from critnb.errors import DataError, ParamsError, StorageError
from critnb.pipeline.display import Display
from critnb.system import terminal
from critnb.system.failures import message_and_exit

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters()))
def test_plain_text_steers_nothing_and_breaks_no_line(text):
    shown = terminal.plain(text)
    assert not [each for each in shown if unicodedata.category(each) in STEERING]
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Kb\r\n", r"a\x1b[2Kb\r\n"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\x9b31m\x85\u2028", r"\x9b31m\x85\u2028"),
        ("p\udcfc\ud800", r"p\xfc\ud800"),
        ("Ünal 漢字", "Ünal 漢字"),
    ],
)
def test_escapes_are_those_of_python(text, shown, capsys):
    assert terminal.plain(text) == shown
    assert terminal.plain(text * 50, 20).endswith(f" ({len(shown) * 50} characters)")
    terminal.out(text)
    terminal.err("first", text)
    assert capsys.readouterr() == (f"{shown}\n", f"first\n{shown}\n")


def test_a_terminal_of_ascii_gets_escapes(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.out("Ünal")
    assert stream.buffer.getvalue() == b"\\xdcnal\n"


def test_a_closed_stream_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    terminal.err("nobody reads this")
    display = Display()
    display.begin("S02", "nor this")
    display.show("S02", "step", done=1, total=2, unit="window")
    display.end("S02")


class _OfZmqError(Exception):
    errno = errno.EMFILE


SHORTAGES = [
    (MemoryError(), "too little memory"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "too little memory"),
    (OSError(errno.EMFILE, "Too many open files", "a.txt"), "ulimit -n"),
    (OSError(errno.ENFILE, "Too many open files in system"), "on this machine"),
    (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
    (RuntimeError("can't start new thread"), "ulimit -u"),
    (ImportError("libtorch.so: failed to map segment from shared object"), "ulimit -v"),
    (ImportError("libx.so: cannot open shared object file: Too many open files"), "ulimit -n"),
    (_OfZmqError("Too many open files"), "ulimit -n"),
]


@pytest.mark.parametrize(("error", "word"), SHORTAGES, ids=[repr(error)[:40] for error, _ in SHORTAGES])
def test_a_limit_of_the_machine_is_named_whatever_was_made_of_it(error, word):
    for wrapped in (None, StorageError("runs: make room and leave to write"), DataError("cannot be read")):
        if wrapped is not None:
            wrapped.__context__ = error
        text, code = message_and_exit(wrapped or error)
        assert (word in text, "\n" in text, code) == (True, False, Exit.STAGE_FAILED)


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (ParamsError("key: wrong"), "key: wrong", Exit.BAD_INPUT),
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/\x1b"),
            r"/root/\x1b: Permission denied",
            Exit.BAD_INPUT,
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", Exit.BAD_INPUT),
        (ModuleNotFoundError(name="typst"), "the Python package typst is missing", Exit.MISSING_DEPENDENCY),
        (ModuleNotFoundError(name="critnb.x"), "this is a bug", Exit.STAGE_FAILED),
        (ValueError("a\nerror: forged"), "ValueError: a\\nerror: forged\nthis is a bug", Exit.STAGE_FAILED),
    ],
)
def test_every_other_error_has_its_words_and_its_code(error, text, code):
    found, found_code = message_and_exit(error)
    assert text in found
    assert found_code == code


def test_the_cause_of_a_circle_of_errors_is_looked_for_once():
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__context__ = other, one
    assert message_and_exit(one)[1] is Exit.STAGE_FAILED


def runner(shell: str) -> tuple[int, str]:
    """Exit code and stderr of a command line of a shell; ``$R`` is the runner."""
    command = f'R="{sys.executable} {PACK_ROOT / "runner.py"}"; {shell}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_streams_that_take_nothing_end_in_a_line():
    closed = (
        "$R schema >&-; echo $? >&2; $R params no.yaml 2>&-; echo $? >&2; $R schema </dev/null >/dev/full; echo $? >&2"
    )
    assert runner(closed) == (0, "0\n2\nerror: No space left on device\n2\n")
    # the schema is longer than what a pipe keeps
    reader = "import os; os.read(0, 1)"
    assert runner(f"$R schema | {sys.executable} -c '{reader}'; echo ${{PIPESTATUS[0]}} >&2") == (0, "0\n")
