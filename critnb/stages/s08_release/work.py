"""S08: the pack and the runs that its paper cites, in one zip that anyone can check."""

from __future__ import annotations

from dataclasses import dataclass

from critnb.canon import CANON, Stage
from critnb.errors import DependencyError
from critnb.gates import Gate
from critnb.pipeline.session import StageSession
from critnb.release.build import AssembledRelease, assemble
from critnb.release.chain import disagreements, missing_runs
from critnb.release.contents import check_runs, closure
from critnb.release.metadata import Metadata
from critnb.release.zip_reader import unpack
from critnb.runs import Artifact, Run, not_in_git, pack_files, pack_version
from critnb.runs.files import HashingSink, sha256_hex
from critnb.runs.identity import HASH_DIGITS
from critnb.runs.manifest import GENERATED, parse_manifest

_OUT = CANON.OUTPUT
# kept in the run beside the zip, to be read without opening it
_BESIDE_THE_ZIP = (
    _OUT.MANIFEST_SHA256_BASENAME,
    _OUT.CITATION_CFF_BASENAME,
    _OUT.ZENODO_JSON_BASENAME,
    _OUT.RO_CRATE_JSON_BASENAME,
)


@dataclass(frozen=True, eq=False)
class WrittenRelease:
    """The release, its zip in the run of S08, and the run of S07 that it is for."""

    release: AssembledRelease
    zip_file: Artifact
    paper: Run


def release(stage: StageSession) -> WrittenRelease:
    """Check every run that the paper rests on, and write the zip with the files that describe it.

    Raises IntegrityError for a run that was tampered with, DependencyError for one that is missing or was made by other
    code than the pack's, before anything is written.
    """
    paper = stage.upstream(Stage.S07)
    store = stage.store
    with stage.step("check the runs"):
        runs = closure(store, [paper, *(stage.upstream(Stage.S00, role) for role in stage.roles)])
        if absent := missing_runs(runs, paper.roles):
            raise DependencyError(f"the release would not be whole: {absent[0]}; run its stage with --role all")
        check_runs(runs)
    with stage.step("read the files"):
        made = assemble(runs, store, Metadata.of(stage.params.release))
    with stage.step("write the zip"):
        zip_file = stage.run.write_stream(f"{CANON.RUN_SUBDIR.RESULTS}/{zip_name(made)}", made.write)
    for name in _BESIDE_THE_ZIP:
        stage.run.write_bytes(f"{CANON.RUN_SUBDIR.RESULTS}/{name}", made.generated(name))
    if (stage.run.record.code or {}).get("dirty"):
        stage.run.update(warnings=["released from a working copy with uncommitted changes"])
    stage.summary(release_sha256=zip_file.sha256, release_files=len(made.files), release_runs=len(runs))
    return WrittenRelease(made, zip_file, paper)


def zip_name(made: AssembledRelease) -> str:
    """Return the zip's basename: pack, version, and the first digits of its manifest's sha256, which covers every file."""
    digest = sha256_hex(made.generated(_OUT.MANIFEST_SHA256_BASENAME))
    return f"{CANON.PROJECT.ID}-{pack_version()}-{digest[:HASH_DIGITS]}.zip"


def gates(stage: StageSession, released: WrittenRelease) -> list[Gate]:
    """Return the gates of S08: the zip agrees with its manifest, comes out the same again, and holds a whole chain."""
    made = released.release
    found = unpack(stage.run.path / released.zip_file.path, None)
    listed = parse_manifest(made.generated(_OUT.MANIFEST_SHA256_BASENAME))
    sound = [each for each in found if not each.problem and listed.get(each.name) == each.sha256]
    again = HashingSink()
    assemble(made.runs, stage.store, made.about).write(again)
    apart = [*missing_runs(made.runs, released.paper.roles), *disagreements(made.runs)]
    warned = [f"{run.run_id}: {run.record.warnings[0]}" for run in made.runs if run.record.warnings]
    return [
        _under_version_control(),
        Gate.judge(
            "the zip read back",
            passed=len(sound) == len(listed) == len(found) - 1,
            value=f"{len(sound)} of {len(listed)} files",
            condition="every file has the sha256 that the manifest gives it, and every byte of the zip is accounted for",
        ),
        Gate.judge(
            "the same bytes again",
            passed=again.sha256 == released.zip_file.sha256,
            value=again.sha256[:12],
            condition="a second release of the same pack and runs has the sha256 of the first",
        ),
        Gate.judge(
            "the chain is whole",
            passed=not apart,
            value=f"{len(made.runs)} runs",
            condition="every stage has a run for every role of the paper, of one model and one text, made by the released code",
            reason=apart[0] if apart else "",
        ),
        Gate.judge(
            "runs without a warning",
            passed=not warned,
            value=f"{len(made.runs) - len(warned)} of {len(made.runs)}",
            condition="no run carries a warning, such as that cells were run which are none of its notebook",
            reason="; ".join(warned),
        ),
    ]


def _under_version_control() -> Gate:
    files = [name for name in pack_files(CANON.PACK) if name not in GENERATED]
    strays = not_in_git(files)
    return Gate.judge(
        "every file is under version control",
        passed=None if strays is None else not strays,
        value=None if strays is None else f"{len(files) - len(strays)} of {len(files)}",
        condition="git keeps every file of the pack that is released",
        reason="there is no git metadata here" if strays is None else ", ".join(strays),
    )
