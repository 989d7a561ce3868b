from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from made import made
from release.chains import chain, cited, made_stage
from sourcecode import saved

from critnb.canon import CANON, PACK_ROOT, Stage
from critnb.contract import spec_of
from critnb.contract.code import stage_files
from critnb.errors import DependencyError, IntegrityError
from critnb.params import Release
from critnb.release.build import assemble
from critnb.release.chain import missing_runs
from critnb.release.contents import check_runs, pack_sources, run_sources
from critnb.release.metadata import Metadata
from critnb.release.zip_writer import Packed
from critnb.runs import RunStore

JUNK = (
    *(".git/HEAD", ".venv/x.py", ".mypy_cache/x", "runs/x", "critnb.egg-info/PKG-INFO", "notes.txt"),
    *(
        "critnb/__pycache__/canon.pyc",
        "critnb/canon.cpython-311-x86_64-linux-gnu.so",
        "notebooks/.ipynb_checkpoints/a.ipynb",
        "MANIFEST.sha256",
        "ro-crate-metadata.json",
    ),
)


@pytest.fixture(scope="session")
def pack(tmp_path_factory) -> Path:
    """A copy of the pack without what a working copy gathers."""
    root = tmp_path_factory.mktemp("pack") / "clone"
    root.mkdir()
    for source in pack_sources():
        (root / source.name).parent.mkdir(parents=True, exist_ok=True)
        (root / source.name).write_bytes(b"".join(source.pieces()))
    return root


def names(root: Path) -> list[str]:
    return [source.name for source in pack_sources(root)]


def test_the_pack_is_the_same_in_a_clone_and_in_a_working_copy(pack, tmp_path):
    clean = names(pack)
    worked_in = tmp_path / "worked in"
    shutil.copytree(pack, worked_in)
    for junk in JUNK:
        (worked_in / junk).parent.mkdir(parents=True, exist_ok=True)
        (worked_in / junk).write_text("")
    assert names(worked_in) == clean == names(PACK_ROOT)


def test_the_pack_is_whole(pack):
    held = set(names(pack))
    assert {
        "README.md",
        "runner.py",
        "pyproject.toml",
        "requirements.lock",
        "requirements-dev.lock",
        "LICENSE",
        ".gitignore",
        ".ci/run",
        "params/base.yaml",
    } <= held
    assert {f"notebooks/{path.name}" for path in (PACK_ROOT / "notebooks").glob("*.ipynb")} <= held
    assert "critnb/data/embedded/weights/base/model.safetensors" in held
    assert not [name for name in held if name.startswith("runs/")]


def test_everything_tracked_is_in_the_release_or_left_out_on_purpose():
    listed = subprocess.run(["git", "ls-files"], cwd=PACK_ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git metadata")
    assert sorted(set(listed.stdout.splitlines()) - set(names(PACK_ROOT))) == []


def test_notebooks_that_were_run_and_saved_are_released_as_their_source(pack, tmp_path):
    worked_in = tmp_path / "worked in"
    shutil.copytree(pack, worked_in)
    for path in (worked_in / CANON.PATH.NOTEBOOKS_DIR).glob("*.ipynb"):
        saved(path)
    ours, theirs = ([Packed.of(source).sha256 for source in pack_sources(root)] for root in (pack, worked_in))
    assert theirs == ours
    release = spec_of(Stage.S08)
    assert stage_files(release, root=worked_in) == stage_files(release, root=pack) == stage_files(release)


def test_a_link_in_the_pack_is_refused(pack, tmp_path):
    linked = tmp_path / "linked"
    shutil.copytree(pack, linked)
    (linked / "spec" / "99_LINK.md").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match=r"99_LINK\.md is a symbolic link"):
        pack_sources(linked)


def test_runs_are_those_that_the_paper_rests_on(folder):
    store = RunStore(folder)
    runs = cited(store, store.runs(Stage.S07)[0])
    assert len(runs) == 2 * 10 + 1
    others = set(store.ids()) - {run.run_id for run in runs}
    assert [run.run_id.partition("_")[2][:4] for run in map(store.open, others)] == ["S02_"]
    files = {source.name for source in run_sources(runs)}
    assert all(f"runs/{run.run_id}/run_record.json" in files for run in runs)
    assert len(files) == sum(len(list(run.path.rglob("*.*"))) for run in runs)


def test_the_page_of_the_runs_shows_no_other(folder, zip_file):
    store = RunStore(folder)
    cited_ids = {run.run_id for run in cited(store, store.runs(Stage.S07)[0])}
    with zipfile.ZipFile(zip_file) as archive:
        page = archive.read("runs/index.html").decode()
    assert {run_id for run_id in store.ids() if run_id in page} == cited_ids


def test_runs_of_this_code_are_fit_for_release(folder):
    store = RunStore(folder)
    check_runs(cited(store, store.runs(Stage.S07)[0]))


def test_a_run_that_is_gone_is_missed(folder, tmp_path):
    root = tmp_path / "runs"
    shutil.copytree(folder, root)
    store = RunStore(root)
    paper, gone = store.runs(Stage.S07)[0], store.runs(Stage.S01)[0]
    gone.path.rename(tmp_path / "elsewhere")
    with pytest.raises(DependencyError, match=gone.run_id):
        cited(store, paper)


def test_a_stage_without_a_run_is_missed(tmp_path):
    store = RunStore(tmp_path / "runs")
    paper = chain(store, roles=["BASE"], leave_out=[Stage.S00])
    assert missing_runs(cited(store, paper), paper.roles) == ["runs: no run of S00 for BASE"]


def test_a_run_that_was_tampered_with_is_refused(folder, tmp_path):
    root = tmp_path / "runs"
    shutil.copytree(folder, root)
    store = RunStore(root)
    victim = store.runs(Stage.S03)[0].path / "results" / "numbers.json"
    victim.chmod(0o644)
    victim.write_bytes(victim.read_bytes().replace(b"3", b"4"))
    with pytest.raises(IntegrityError, match=r"RUN_S03_\w+ is not what its record says: changed results/numbers.json"):
        check_runs(cited(store, store.runs(Stage.S07)[0]))


def test_what_is_packed_is_what_the_records_name(folder, tmp_path):
    # as if a file were changed between the check of the runs and the reading of their files
    root = tmp_path / "runs"
    shutil.copytree(folder, root)
    store = RunStore(root)
    runs = cited(store, store.runs(Stage.S07)[0])
    victim = store.runs(Stage.S03)[0].path / "notebook" / "n.html"
    victim.chmod(0o644)
    victim.write_bytes(b"<p>another")
    with pytest.raises(IntegrityError, match=r"RUN_S03_\w+: notebook/n.html is not the file that its record names"):
        assemble(runs, store, Metadata.of(Release()))


@pytest.mark.parametrize("sources", [{"critnb/gates.py": "0" * 64}, {"critnb/gone.py": "0" * 64}])
def test_a_run_of_other_code_is_refused_with_what_to_do(sources, tmp_path):
    run = made_stage(RunStore(tmp_path / "runs"), Stage.S01, [], sources=sources)
    with pytest.raises(DependencyError, match="was made by other code") as refused:
        check_runs([run])
    assert next(iter(sources)) in str(refused.value)
    assert f"run {CANON.CLI.CMD.PHASE1_CALIBRATE} again" in str(refused.value)


def test_a_run_whose_record_leaves_out_a_file_of_its_stage_is_refused(tmp_path):
    sources = stage_files(spec_of(Stage.S01))
    del sources["critnb/stages/s01_calibrate/work.py"]
    run = made_stage(RunStore(tmp_path / "runs"), Stage.S01, [], sources=sources)
    with pytest.raises(DependencyError, match=r"other code: critnb/stages/s01_calibrate/work\.py differs"):
        check_runs([run])


def test_a_run_of_another_notebook_is_refused(tmp_path):
    run = made(RunStore(tmp_path / "runs"), Stage.S01, sources=stage_files(spec_of(Stage.S01)))
    with pytest.raises(DependencyError, match=r"other code: notebooks/phase1_calibrate\.ipynb differs"):
        check_runs([run])


def test_line_ends_do_not_make_other_code(folder, pack, tmp_path):
    # a checkout on Windows; records hold the digest of the text with LF
    root = tmp_path / "windows"
    shutil.copytree(pack, root)
    path = root / "critnb" / "gates.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    store = RunStore(folder)
    check_runs(store.runs(Stage.S01), root)
