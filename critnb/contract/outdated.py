"""Which finished runs this pack would make anew: those that rest, directly or further up, on code that is another by now."""

from __future__ import annotations

from collections.abc import Iterable

from critnb.canon import CANON, PACK_ROOT
from critnb.contract.code import stage_code, stage_constants, stage_files
from critnb.contract.lookup import spec_of
from critnb.contract.pack_sources import PackSources
from critnb.contract.row import StageSpec
from critnb.runs import HashInputs, Run, notebook_source
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex

_CONSTANTS = "constants"


def outdated(runs: Iterable[Run]) -> dict[str, str]:
    """Return run id -> the first file that is not as it was, or the registry, of runs that this pack would make anew.

    Of a run that only rests on such a one, that of the run above it. A run whose record does not say what it was made from is left
    out, as is one above which a run is gone, by which it is known otherwise.
    """
    known = {run.run_id: run for run in runs if run.record.hash_inputs is not None}
    pack = PackSources(PACK_ROOT)
    now = {stage: _Code(spec_of(stage), pack) for stage in {run.stage for run in known.values()}}
    found: dict[str, str | None] = {}

    def changed(run_id: str) -> str | None:
        if run_id not in found:
            found[run_id] = None  # a ring of broken records ends here
            inputs = known[run_id].inputs
            above = (changed(each) for each in inputs.upstream.values() if each in known)
            found[run_id] = now[known[run_id].stage].changed(inputs) or next(filter(None, above), None)
        return found[run_id]

    return {run_id: path for run_id in known if (path := changed(run_id)) is not None}


class _Code:
    """The code of a stage as the pack has it now."""

    def __init__(self, spec: StageSpec, pack: PackSources) -> None:
        self._notebook = f"{CANON.PATH.NOTEBOOKS_DIR}/{spec.notebook}"
        code = stage_code(spec, pack=pack)
        self._files = stage_files(spec, code=code)
        self._constants = canonical_json(stage_constants(spec, code=code))
        self._source = sha256_hex(notebook_source(PACK_ROOT / self._notebook))

    def changed(self, inputs: HashInputs) -> str | None:
        """Return the first file by which a run's inputs are not this code."""
        if inputs.notebook_sha256 != self._source:
            return self._notebook
        paths = [*inputs.sources, *self._files]
        first = next((path for path in paths if inputs.sources.get(path) != self._files.get(path)), None)
        others = canonical_json(inputs.sections.get(_CONSTANTS)) != self._constants
        return first or ("spec/00_CANONICAL.yaml" if others else None)
