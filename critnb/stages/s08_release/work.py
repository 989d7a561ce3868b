"""S08: the pack and the runs that its paper cites, in one zip that anyone can check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from critnb.canon import CANON, Stage
from critnb.errors import DependencyError
from critnb.gates import Gate
from critnb.pipeline.session import StageSession
from critnb.release.build import Release, assemble
from critnb.release.chain import disagreements, missing
from critnb.release.contents import check_runs, closure
from critnb.release.metadata import Metadata
from critnb.release.reading import unpack
from critnb.review.index import size
from critnb.runs import Artifact, Run, not_in_git, pack_files, pack_version
from critnb.runs.files import HashingSink, sha256_hex
from critnb.runs.identity import HASH_DIGITS
from critnb.runs.manifest import GENERATED, from_text

_OUT = CANON.OUTPUT
# kept in the run beside the zip, so that they can be read without opening it
_SHOWN = (
    _OUT.MANIFEST_SHA256_BASENAME,
    _OUT.CITATION_CFF_BASENAME,
    _OUT.ZENODO_JSON_BASENAME,
    _OUT.RO_CRATE_JSON_BASENAME,
)


@dataclass(frozen=True, eq=False)
class Released:
    """What the notebook shows: the release, its zip, and the run that it is for."""

    release: Release
    zip_file: Artifact
    paper: Run


def release(stage: StageSession) -> Released:
    """Check every run that the paper rests on, and write the zip with the files that describe it.

    Raises IntegrityError for a run that was tampered with, DependencyError for one that is missing or was made by other
    code than the pack's, before anything is written.
    """
    paper = stage.upstream(Stage.S07)
    store = stage.store
    with stage.step("check the runs"):
        runs = closure(store, [paper, *(stage.upstream(Stage.S00, role) for role in stage.roles)])
        if absent := missing(runs, paper.roles):
            raise DependencyError(f"the release would not be whole: {absent[0]}; run its stage with --role all")
        check_runs(runs)
    with stage.step("read the files"):
        made = assemble(runs, store, Metadata.of(stage.params.release))
    with stage.step("write the zip"):
        zip_file = stage.run.write_stream(f"{CANON.RUN_SUBDIR.RESULTS}/{zip_name(made)}", made.write)
    for name in _SHOWN:
        stage.run.write_bytes(f"{CANON.RUN_SUBDIR.RESULTS}/{name}", made.generated(name))
    if (stage.run.record.code or {}).get("dirty"):
        stage.run.update(warnings=["released from a working copy with uncommitted changes"])
    stage.summary(release_sha256=zip_file.sha256, release_files=len(made.files), release_runs=len(runs))
    return Released(made, zip_file, paper)


def zip_name(made: Release) -> str:
    """Return the zip's basename: the pack, its version, and the first digits of its manifest's sha256, so of its content."""
    digest = sha256_hex(made.generated(_OUT.MANIFEST_SHA256_BASENAME))
    return f"{CANON.PROJECT.ID}-{pack_version()}-{digest[:HASH_DIGITS]}.zip"


def runs_table(released: Released) -> pd.DataFrame:
    """Return one row a run of the release."""
    rows = [
        {
            "run": run.run_id,
            "stage": str(run.stage),
            "role": " + ".join(run.roles),
            "files": len(run.artifacts) + 1,
            "size": size(sum(artifact.bytes for artifact in run.artifacts.values())),
        }
        for run in released.release.runs
    ]
    return pd.DataFrame(rows).sort_values(["stage", "role"], ignore_index=True)


def pack_table(released: Released) -> pd.DataFrame:
    """Return one row a part of the release: the pack's folders and its other files, the runs, and what the release adds."""
    parts: dict[str, list[int]] = {}
    for each in released.release.files:
        parts.setdefault(_part(each.source.name), []).append(each.member.size)
    rows = [{"part": part, "files": len(parts[part]), "size": size(sum(parts[part]))} for part in sorted(parts)]
    return pd.DataFrame(rows)


def _part(name: str) -> str:
    top, slash, _ = name.partition("/")
    return f"{top}/" if slash else "added by the release" if name in GENERATED else "other files of the pack"


def about_table(released: Released) -> pd.DataFrame:
    """Return what the release says of itself, a row a field."""
    about = released.release.about
    rows = {
        "title": about.title,
        "authors": "; ".join(about.authors),
        "version": about.version,
        "description": about.description,
        "for the paper of": released.paper.run_id,
        "zip": PurePosixPath(released.zip_file.path).name,
        "size of the zip": size(released.zip_file.bytes),
    }
    return pd.DataFrame({"field": list(rows), "value": list(rows.values())})


def gates(stage: StageSession, released: Released) -> list[Gate]:
    """Return the gates of S08: the zip read back against its manifest, put together once more, and whole."""
    made = released.release
    found = unpack(stage.run.path / released.zip_file.path, None)
    listed = from_text(made.generated(_OUT.MANIFEST_SHA256_BASENAME))
    sound = [each for each in found if not each.problem and listed.get(each.name) == each.sha256]
    again = HashingSink()
    assemble(made.runs, stage.store, made.about).write(again)
    apart = [*missing(made.runs, released.paper.roles), *disagreements(made.runs)]
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
