"""Which files a path of the params names: what Python's glob finds in a plain tree, and a refusal for all that is no file."""

from __future__ import annotations

import glob
import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critnb.canon import Exit
from critnb.data import file_patterns, matching_files
from critnb.errors import DependencyError
from critnb.params import Loaded, validate


def names(base: Path, pattern: str) -> list[str]:
    found = matching_files(pattern, Loaded(validate({}, origin="test"), "test", base), "data.A.path")
    return [os.path.relpath(path, base) for path in found]


def refusal(base: Path, pattern: str) -> str:
    with pytest.raises(DependencyError) as caught:
        names(base, pattern)
    assert caught.value.exit_code is Exit.MISSING_DEPENDENCY
    said = str(caught.value)
    assert said.startswith("data.A.path: ")
    assert "\n" not in said
    assert len(said) < 500
    return said


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    # deep enough that no pattern of the test below leads to what others left in the temporary folder
    base = tmp_path_factory.mktemp("around") / "1" / "2" / "3" / "4" / "tree [1]"
    for name in (
        "a.txt",
        "b.md",
        ".hidden.txt",
        "one/a.txt",
        "one/ab.txt",
        "one/two/c.txt",
        "one/two/a.txt",
        ".dark/a.txt",
        "x/y/z/a.txt",
        "x/[a].txt",
    ):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).touch()
    return base


PIECES = ["*", "**", "a*", "*.txt", "one", "two", "x", "?", "[ao]*", ".*", "a.txt", "[[]a].txt", "..", "none"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("/".join))
def test_a_pattern_finds_what_python_s_glob_finds_each_file_once(tree, pattern):
    matched = glob.glob(pattern, root_dir=tree, recursive=True)  # noqa: PTH207
    # to glob a file with a slash behind it is one, too
    expected = {name for name in matched if (tree / name).is_file() and not name.endswith("/")}
    if expected:
        assert sorted(names(tree, pattern)) == sorted({os.path.relpath(tree / name, tree) for name in expected})
        assert names(tree.parent, f"{glob.escape(str(tree))}/{pattern}") != []
    else:
        refusal(tree, pattern)


def test_a_match_whose_name_would_forge_a_line_is_refused(tmp_path):
    (tmp_path / "x\nerror: forged.txt").touch()
    assert "x\\nerror: forged.txt" in refusal(tmp_path, "*.txt")


def test_a_link_back_up_is_not_followed_again(tree, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").touch()
    (tmp_path / "in" / "up").symlink_to("..")
    (tmp_path / "in" / "self").symlink_to(".")
    (tmp_path / "nowhere").symlink_to("gone")
    assert names(tmp_path, "**/*.txt") == ["in/a.txt"]
    assert names(tmp_path, "**/**/**/*.txt") == ["in/a.txt"]
    # a folder elsewhere may be reached through a link, and by two of them once
    (tmp_path / "more").symlink_to(tree / "one")
    (tmp_path / "most").symlink_to(tree / "one")
    assert names(tmp_path, "**/c.txt") == ["more/two/c.txt"]


def test_what_is_no_file_is_refused_by_name_and_by_pattern(tmp_path):
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "dangling.txt").symlink_to("gone.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s.txt"))
    said = {
        "loop.txt": "is a link that leads back to itself",
        "dangling.txt": "is a link to gone.txt, where nothing lies",
        "pipe.txt": "is a named pipe, not a file",
        "folder.txt": "is a folder, not a file; name files in it, such as",
        "device.txt": "is a device, not a file",
        "s.txt": "is a socket, not a file",
    }
    for name, words in said.items():
        for pattern in (name, f"[{name[0]}]{name[1:]}"):
            assert f"{tmp_path / name} {words}" in refusal(tmp_path, pattern)


def test_folders_on_the_way_are_passed_over_and_those_of_parts_are_read(tmp_path):
    (tmp_path / "c.parquet").mkdir()
    (tmp_path / "c.parquet" / "part.parquet").touch()
    (tmp_path / "plain").mkdir()
    assert names(tmp_path, "c.parquet/*") == names(tmp_path, "**") == ["c.parquet/part.parquet"]
    assert "is a folder" in refusal(tmp_path, "*.parquet")


@pytest.mark.parametrize(
    "path", ["a\0b", "*\0*", "x" * 5000, "*/" * 2000 + "*", "~nobody-of-this-name/x.txt", "a.txt/b.txt", "[", "\ud800*"]
)
def test_a_path_that_names_nothing_is_refused_in_one_line(tree, path):
    refusal(tree, path)


def test_a_link_is_read_as_what_its_own_name_says(tmp_path):
    (tmp_path / "blob").write_text("x")
    (tmp_path / "a.txt").symlink_to("blob")
    assert names(tmp_path, "a.txt") == names(tmp_path, "*.txt") == ["a.txt"]


def test_a_search_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(file_patterns, "_MOST_ENTRIES", 1000)
    for n in range(8):
        for m in range(8):
            (tmp_path / f"a{n}" / f"a{m}" / "a").mkdir(parents=True)
    began = time.monotonic()
    assert "leads to more than 1000 files and folders; name a folder" in refusal(tmp_path, "**/a*/**/a*/**/a*/**/x")
    assert time.monotonic() - began < 5
    assert "no file matches" in refusal(tmp_path, "**/**/**/x")
