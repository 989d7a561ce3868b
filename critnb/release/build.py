"""Put a release together: every file is read once, metadata and manifest follow from them, and one stream writes the zip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from critnb.canon import CANON
from critnb.errors import IntegrityError
from critnb.release.contents import pack_sources, run_folder, run_sources
from critnb.release.crate import Files, crate_json
from critnb.release.metadata import Metadata, citation_cff, zenodo_json
from critnb.release.zip_writer import Packed, Sink, Source, write_zip
from critnb.review.index import facts_of, render
from critnb.runs import Run, RunStore
from critnb.runs.files import sha256_hex
from critnb.runs.manifest import GENERATED, manifest_bytes

_OUT = CANON.OUTPUT


@dataclass(frozen=True)
class AssembledRelease:
    """A release that is ready to be written: its runs, its metadata and all its files, the manifest among them."""

    runs: tuple[Run, ...]
    about: Metadata
    files: tuple[Packed, ...]

    @cached_property
    def by_name(self) -> dict[str, Packed]:
        """The files by their paths in the zip."""
        return {packed.source.name: packed for packed in self.files}

    def generated(self, name: str) -> bytes:
        """Return the content of a file that the release adds to the pack and its runs; raises KeyError for any other."""
        content = self.by_name[name].source.content
        if not isinstance(content, bytes):
            raise KeyError(name)
        return content

    def write(self, sink: Sink) -> None:
        """Write the zip; raises IntegrityError for a file that is no longer what it was when the release was assembled."""
        write_zip(sink, self.files)


def assemble(runs: Sequence[Run], store: RunStore, about: Metadata) -> AssembledRelease:
    """Return the release of the pack with these runs; the same pack and runs give the same bytes, in any folder.

    Raises IntegrityError for a run's file that is not the one its record names, or a symbolic link in the pack.
    """
    read = [Packed.of(each) for each in (*pack_sources(), *run_sources(runs)) if each.name not in GENERATED]
    _check_recorded(read, runs)
    made = generated({each.source.name: (each.member.size, each.sha256) for each in read}, runs, store, about)
    return AssembledRelease(tuple(runs), about, (*read, *(Packed.of(Source(*each)) for each in made.items())))


def generated(files: Files, runs: Sequence[Run], store: RunStore, about: Metadata) -> dict[str, bytes]:
    """Return path -> content of what a release adds to ``files``, path -> (bytes, sha256), of the pack and the runs."""
    date = max(str(run.record.finished_utc) for run in runs)[:10]
    made = {
        _OUT.CITATION_CFF_BASENAME: citation_cff(about),
        _OUT.ZENODO_JSON_BASENAME: zenodo_json(about, date),
        f"{CANON.PATH.RUNS_DIR}/{_OUT.INDEX_HTML_BASENAME}": _index(runs, store),
    }
    made[_OUT.RO_CRATE_JSON_BASENAME] = crate_json(about, date, {**files, **_described(made)}, runs)
    digests = {name: digest for name, (_, digest) in {**files, **_described(made)}.items()}
    return {**made, _OUT.MANIFEST_SHA256_BASENAME: manifest_bytes(digests)}


def _described(contents: Mapping[str, bytes]) -> dict[str, tuple[int, str]]:
    return {name: (len(content), sha256_hex(content)) for name, content in contents.items()}


def _check_recorded(read: Sequence[Packed], runs: Sequence[Run]) -> None:
    """Compare the very bytes that were read with the records, whatever was checked before."""
    digests = {each.source.name: each.sha256 for each in read}
    for run in runs:
        for path, artifact in run.artifacts.items():
            if digests[f"{run_folder(run.run_id)}/{path}"] != artifact.sha256:
                raise IntegrityError(f"{run.run_id}: {path} is not the file that its record names; make the run again")


def _index(runs: Sequence[Run], store: RunStore) -> bytes:
    wanted = {run.run_id for run in runs}
    return render([facts for facts in facts_of(store) if facts.run_id in wanted])
