"""Two releases made in two folders are the same bytes, whatever the folders and machines are like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from release.test_contents import pack  # noqa: F401

from critnb.runs.files import sha256_file

MAKE = """
import os, sys
from pathlib import Path
from critnb.canon import PACK_ROOT, Stage
from critnb.params import Release
from critnb.release.build import assemble
from critnb.release.contents import closure
from critnb.release.metadata import Metadata
from critnb.runs import RunStore
os.umask(int(sys.argv[3], 8))
assert PACK_ROOT == Path(sys.argv[1]).resolve(), PACK_ROOT
store = RunStore(PACK_ROOT / "runs")
runs = closure(store, [*store.runs(Stage.S07), *store.runs(Stage.S00)])
with open(sys.argv[2], "wb") as file:
    assemble(runs, store, Metadata.of(Release())).write(file)
"""


def make(root: Path, umask: str, **environment: str) -> Path:
    zip_path = root.with_suffix(".zip")
    command = [sys.executable, "-c", MAKE, str(root), str(zip_path), umask]
    subprocess.run(command, check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root), **environment})
    return zip_path


def test_two_folders_two_ways_of_being_one_release(pack, folder, zip_file, tmp_path):  # noqa: F811
    plain, odd = tmp_path / "plain", tmp_path / "odd é (2)"
    for root in (plain, odd):
        shutil.copytree(pack, root)
        shutil.copytree(folder, root / "runs")
    subprocess.run(["git", "init", "--quiet", str(odd)], check=True)
    (odd / "runs" / "index.html").write_text("a page of other runs")
    for number, path in enumerate(sorted(odd.rglob("*"))):
        os.utime(path, (10**9 + number, 10**9 + number))
        if path.is_file() and ".git/" not in path.as_posix():
            path.chmod(0o700)
    first = make(plain, "022", TZ="UTC", LC_ALL="C")
    second = make(odd, "077", TZ="Pacific/Auckland", LC_ALL="C.UTF-8", PYTHONHASHSEED="7", SOURCE_DATE_EPOCH="99")
    assert sha256_file(first) == sha256_file(second) == sha256_file(zip_file)
