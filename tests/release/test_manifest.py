from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import made

from critnb.canon import Stage
from critnb.errors import IntegrityError
from critnb.release.zip_reader import unpack
from critnb.runs import RunStore
from critnb.runs.manifest import copy_to_root, manifest_bytes, parse_manifest

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
PATHS = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\\\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1
)


@given(st.dictionaries(PATHS, DIGESTS))
def test_a_manifest_reads_back(digests):
    assert parse_manifest(manifest_bytes(digests)) == digests


@pytest.mark.parametrize(
    "text",
    [b"\xff", b"0" * 64 + b" a\n", b"0" * 64 + b"  a", b"0" * 64 + b"  b\n" + b"0" * 64 + b"  a\n", b"# a\n",
     (b"0" * 64 + b"  a\n") * 2, b"0" * 64 + b"  a\r\n"],
)  # fmt: skip
def test_another_form_is_refused(text):
    with pytest.raises(IntegrityError, match="not a sorted list"):
        parse_manifest(text)


def sha256sum(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_sha256sum_accepts_an_unzipped_release_and_names_what_changed(zip_file, tmp_path):
    unpack(zip_file, tmp_path)
    assert (sha256sum(tmp_path).returncode, sha256sum(tmp_path).stderr) == (0, "")
    listed = parse_manifest((tmp_path / "MANIFEST.sha256").read_bytes())
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there - set(listed) == {"MANIFEST.sha256"}
    (tmp_path / "README.md").write_text("another")
    done = sha256sum(tmp_path)
    assert done.returncode == 1
    assert done.stdout == "README.md: FAILED\n"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_at_the_pack_s_root_it_names_what_is_there(zip_file, tmp_path):
    # a working copy: what the release was made from, without what only a release has
    unpack(zip_file, tmp_path)
    manifest = (tmp_path / "MANIFEST.sha256").read_bytes()
    for path in ("MANIFEST.sha256", "ro-crate-metadata.json", ".zenodo.json", "runs/index.html"):
        (tmp_path / path).unlink()
    run = made(RunStore(tmp_path / "runs"), Stage.S08, files={"results/MANIFEST.sha256": manifest})
    assert copy_to_root(run, tmp_path) == tmp_path / "MANIFEST.sha256"
    assert (sha256sum(tmp_path).returncode, sha256sum(tmp_path).stderr) == (0, "")
    left_out = set(parse_manifest(manifest)) - set(parse_manifest((tmp_path / "MANIFEST.sha256").read_bytes()))
    assert left_out == {"CITATION.cff", "ro-crate-metadata.json", ".zenodo.json", "runs/index.html"}


def test_nothing_is_laid_for_other_stages_or_another_folder(tmp_path):
    files = {"results/MANIFEST.sha256": b""}
    assert copy_to_root(made(RunStore(tmp_path / "runs"), Stage.S05, files=files), tmp_path) is None
    assert copy_to_root(made(RunStore(tmp_path / "elsewhere"), Stage.S08, files=files), tmp_path) is None
    assert not (tmp_path / "MANIFEST.sha256").exists()
