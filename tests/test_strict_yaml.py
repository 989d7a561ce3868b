"""YAML of params files: the core schema of YAML 1.2 against its specification, limits on size, and texts of any form."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from critnb.canon import CANON, PACK_ROOT
from critnb.errors import ParamsError
from critnb.params import Params, dump_yaml, load, parse_override, parse_yaml, read_yaml, validate
from critnb.system.terminal import plain

EXAMPLES = [path.read_text(encoding="utf-8") for path in sorted((PACK_ROOT / CANON.PATH.PARAMS_DIR).glob("*.yaml"))]

# YAML 1.2.2, section 10.3.2: the table of tag resolution and the examples 10.8 and 10.9; and what YAML 1.1 reads otherwise
CORE = [
    *((text, None) for text in ("", "~", "null", "Null", "NULL")),
    *((text, True) for text in ("true", "True", "TRUE")),
    *((text, False) for text in ("false", "False", "FALSE")),
    *(("0", 0), ("-19", -19), ("+12", 12), ("0o7", 7), ("0o17", 15), ("0x3A", 58), ("0xff", 255)),
    *(("0.", 0.0), ("-0.0", 0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("12e3", 12000.0)),
    *((".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf)),
    *(
        (text, text)
        for text in ("yes", "No", "ON", "off", "y", "n", "nULL", "tRUE", "<<", "=", "e5", "0b1", "0b_", "0x_")
    ),
    *(
        (text, text)
        for text in ("1_000", "0x1_0", "1:30", "190:20:30.15", "1_0.5", "685.230_15e+03", ".inF", "1e", "0o8")
    ),
    *(
        (text, text)
        for text in ("2026-11-28", "2026-13-01", "2026-11-28 25:61:61", "2001-12-14t21:59:43.10-05:00", "1e5x")
    ),
]


@pytest.mark.parametrize(("text", "value"), CORE, ids=[text for text, _ in CORE])
def test_a_plain_scalar_is_what_the_specification_says(text, value):
    found = parse_yaml(f"key: {text}", origin="test")["key"]
    assert (type(found), found) == (type(value), value)
    if value is not None:
        assert parse_yaml(dump_yaml({"key": text}), origin="test") == {"key": text}


def test_not_a_number():
    assert all(math.isnan(each) for each in parse_yaml("[.nan, .NaN, .NAN]", origin="test"))


@pytest.mark.parametrize("text", ["010", "-017", "+00", "09", "1e999", "-1e999", "1e-999", "0.1e-400", "1" * 41])
def test_a_number_that_readers_would_take_for_different_ones_is_refused_unless_it_is_quoted(text):
    with pytest.raises(ParamsError, match=r"^test: line 2: a\.b\.0: "):
        parse_yaml(f"a:\n  b: [{text}]", origin="test")
    assert parse_yaml(f"['{text}']", origin="test") == [text]


@pytest.mark.parametrize("text", ["0e5", "0.000e-999", "-0.0"])
def test_a_zero_is_no_number_that_was_lost(text):
    assert parse_yaml(text, origin="test") == 0


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join([*lines, *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels))])


COSTLY = {
    "aliases of aliases": (bomb(12), "line 1, column 5: anchors and aliases"),
    "an alias of nothing": ("a: *b", "line 1, column 4: anchors and aliases"),
    "keys": ("\n".join(f"k{n}: 1" for n in range(9000)), "line 5000, column 8: more than 10000 keys and values"),
    "items": (f"gain: {{grid: [{'1,' * 40_000}]}}", "line 1, column "),
    "nested lists": ("[" * 3000, "line 1, column 17: more than 16 levels"),
    "nested mappings": ("{a: " * 3000, "more than 16 levels"),
    "nested blocks": ("- " * 3000, "more than 16 levels"),
    "a long text": (f"release: {{title: {'a' * 99_000}}}", "release.title: string should have at most 4095 characters"),
    "a long number": (f"nulls: {{seed: {'9' * 50_000}}}", "line 1: nulls.seed: 9999999999"),
    "a long key": (f"? {'a' * 99_000}\n: 1", "unknown key"),
    "a long tag": (f"a: !{'b' * 90_000} c", "(90001 characters) is not allowed"),
    "too many bytes": ("#" * 100_001, "longer than 100000 bytes"),
    "too many bytes of few characters": ("é" * 50_001, "longer than 100000 bytes"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_small_file_costs_little_time(tmp_path, name):
    text, message = COSTLY[name]
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(ParamsError) as caught:
        load(path)
    assert time.process_time() - started < 3
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500
    if "bytes" not in name:
        with pytest.raises(ParamsError, match="--set x="):
            parse_override(f"x={text}" if "long" not in name else "x=" + "[" * 3000)


def test_repeated_keys_are_found_in_time_that_grows_with_their_number():
    tree = parse_yaml("{" + ", ".join(f"k{n}: {n}" for n in range(2500)) + "}", origin="test")
    assert len(tree) == 2500
    with pytest.raises(ParamsError, match="k0: the key stands twice"):
        parse_yaml("{" + ", ".join(f"k{n % 2400}: {n}" for n in range(2500)) + "}", origin="test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"\\ud800"', "line 1: half of a surrogate pair"),
        ('\na: "\\ud83d\\ude00"', "line 2: a: half of a surrogate pair"),
        ('\n"\\UFFFFFFFF"', "line 2: an escape that stands for no character"),
        ('"\\U00110000"', "line 1: an escape that stands for no character"),
        ("a\udcfc", "line 1: not YAML: bytes that are not UTF-8"),
        ("a: \x1b[31m", "line 1: not YAML: the character U+001B"),
        ("? [a]\n: b", "line 1: a key must be text, found a list or a mapping"),
        (".inf: 1", "line 1: .inf: a key must be text, found a number"),
        ("true: 1", "line 1: true: a key must be text, found true or false"),
        ("~: 1", "line 1: ~: a key must be text, found null"),
        ("a: 1\n---\nb: 2", "expected a single document in the stream, but found another document"),
        ("a: 'b", "found unexpected end of stream"),
        ("!!set {a}", "is not allowed"),
        ("!!binary aGk=", "is not allowed"),
        ("!\x1d", "not YAML"),
    ],
)
def test_what_is_no_text_of_a_params_file(text, message):
    with pytest.raises(ParamsError) as caught:
        parse_yaml(text, origin="test")
    assert message in str(caught.value)
    assert str(caught.value) == plain(caught.value)


@pytest.mark.parametrize("encoded", ["\ufeffnulls: {seed: 5}".encode(), b"nulls: {seed: 5}\r\n"])
def test_a_byte_order_mark_and_line_ends_of_windows_are_no_content(tmp_path, encoded):
    (tmp_path / "mine.yaml").write_bytes(encoded)
    assert load(tmp_path / "mine.yaml").params.nulls.seed == 5


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ("nulls: {}".encode("utf-16"), r"mine.yaml: not UTF-8 \(byte 0\); save it as UTF-8"),
        ("nulls: {}".encode("utf-16-le"), r"mine.yaml: line 1: not YAML: the character U\+0000"),
        ("nulls: {}".encode("utf-32"), "mine.yaml: not UTF-8"),
        (b"# caf\xe9", r"mine.yaml: not UTF-8 \(byte 5\)"),
    ],
)
def test_another_encoding_is_named(tmp_path, encoded, message):
    (tmp_path / "mine.yaml").write_bytes(encoded)
    with pytest.raises(ParamsError, match=message):
        load(tmp_path / "mine.yaml")


def test_only_a_file_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.yaml").mkdir()
    os.mkfifo("pipe.yaml")
    Path("loop.yaml").symlink_to("loop.yaml")
    Path("dangling.yaml").symlink_to("nowhere")
    Path("zero.yaml").symlink_to("/dev/zero")
    kinds = {"folder": "a folder", "pipe": "a pipe", "loop": "a loop of links", "dangling": "a link to nothing"}
    for name, kind in {**kinds, "zero": "a device"}.items():
        with pytest.raises(ParamsError, match=f"^params file '{name}.yaml' is {kind}, not a file; give its path"):
            load(f"{name}.yaml")
    # a pipe that takes a file's place between its being found and its being read keeps nobody waiting
    with pytest.raises(ParamsError, match="is a pipe; give the path"):
        read_yaml(Path("pipe.yaml"))


PIECES = st.sampled_from(
    ["", "0x_", "0b_", "2026-13-01", "1:30", "&a ", "*a", "!!set ", "? ", ": ", "- ", "[", "{", "}", "]", ",", "#", "|", ">",
     "'", '"', '"\\ud800"', '"\\UFFFFFFFF"', "\\", "%YAML 9", "---", "...", "\t", "\x85", "\u2028", "\ufeff", "\x00", "\x1b[31m",
     "<<", "~", "1e999", ".nan", "9" * 50, "CANON.", "CANON.CONST", "CANON.CONST.EPS", "CANON.ENUM.X", "é", "\udcfc", "\n", "\n  "]
)  # fmt: skip


@st.composite
def mutated(draw) -> str:
    """A params file of the pack with pieces put in, taken out, or in place of others."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(PIECES | st.text(max_size=3)) + text[stop:]
    return text


def read(text: str) -> Params | str:
    """The params of a text, or the message of its refusal."""
    try:
        return validate(parse_yaml(text, origin="fuzz") or {}, origin="fuzz")
    except ParamsError as error:
        return str(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated() | st.text(max_size=40))
@example("compute: 0x_")
@example("2026-99-99: 1")
@example('{"\\ud800": "\\ud800"}')
def test_any_text_is_read_or_refused_in_two_lines_that_a_terminal_may_show(text):
    found = read(text)
    if isinstance(found, str):
        lines = found.split("\n")
        assert len(lines) <= 2
        assert all(line.isprintable() and line.startswith("fuzz: ") for line in lines)


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "embedded", "hub", "\x1b", "a\nb", "CANON.X"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["source", "path", "A", "BASE", "\n"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Params.model_fields, "a\nb"]), TREES, max_size=3), TREES)
def test_any_structure_is_read_or_refused_in_two_lines(sections, other):
    for tree in (sections, {"gain": other}, {"models": {"BASE": other}}, {"data": {"ARC_MCQ": other}}):
        found = read(dump_yaml(tree))
        assert not isinstance(found, str) or (found.count("\n") <= 1 and found.replace("\n", "").isprintable())
