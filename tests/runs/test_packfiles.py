"""Which files are the pack's: the same in a clone and in a folder full of caches, and never a link to elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from critnb.errors import IntegrityError
from critnb.runs import pack_digests, pack_files


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("paper/02.md", "paper/01.md", "paper/in/deep.bib", "README.md", ".ci/run"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_files_below_named_folders_and_hidden_ones_only_by_name(root):
    assert list(pack_files(["paper", "README.md"], root=root)) == [
        "README.md", "paper/01.md", "paper/02.md", "paper/in/deep.bib",
    ]  # fmt: skip
    assert list(pack_files([".ci", "absent"], root=root)) == [".ci/run"]


def test_caches_and_editors_leavings_are_not_the_packs(root):
    before = pack_digests(["paper"], root=root)
    for name in ("paper/__pycache__/x.pyc", "paper/.ipynb_checkpoints/01.md", "paper/in/.DS_Store"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"left")
    assert pack_digests(["paper"], root=root) == before
    assert before["paper/01.md"] == hashlib.sha256(b"paper/01.md").hexdigest()


def test_a_symbolic_link_is_refused(root):
    (root / "paper" / "link.md").symlink_to(root / "README.md")
    with pytest.raises(IntegrityError, match=r"link\.md is a symbolic link"):
        pack_files(["paper"], root=root)
