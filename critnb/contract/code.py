"""Which code a stage's result rests on: what its notebook imports, and what that imports, but for the rooms in ``OUTSIDE``.

The imports are read out of the sources of a pack, this one's or a release's, and nothing is imported for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from critnb.canon import CANON, PACK_ROOT, pack_path
from critnb.contract.imports import PACKAGE, Code, Import, read_code
from critnb.contract.pack_sources import INIT, PackSources
from critnb.contract.row import StageSpec
from critnb.runs import HashInputs, notebook_source, pack_digests
from critnb.runs.encoding import canonical_json
from critnb.runs.files import sha256_hex
from critnb.runs.notebook_files import code_of

_SKETCHED = ("s01_calibrate", "s02_gain_grid", "s02b_select_gstar", "s03_rasters", "s04_nulls")
# What a stage runs through and its numbers do not follow from. All else that it imports is hashed, new rooms too.
OUTSIDE: Mapping[str, str] = {
    "canon": "the constants that code names enter by their values",
    "params": "the values that a stage reads enter",
    "data": "the content of weights, text and questions enters",
    "contract": "says what enters",
    "runs": "keeps what a stage gives it",
    "errors": "words of what is refused",
    "system": "words of what the machine refuses",
    "report.display": "how a notebook shows a value",
    "report.links": "where its links lead",
    "report.sources": "which files it says that a figure is drawn from",
    "report.stylesheet": "how pages look",
    "report.notebook": "how an executed notebook is kept",
    **{f"stages.{each}.sketches": "pictures that a notebook shows and no file of the run holds" for each in _SKETCHED},
    "engine": "where shards are worked on; what is done with them, and how results are joined, enters",
    "pipeline.by_hand": "who started the notebook",
    "pipeline.options": "where the notebook was started",
    "pipeline.limits": "how long that may take",
    "pipeline.progress": "what is shown while one waits",
}
# what draws a stage's results and none of them follows from
_DRAWING = re.compile(
    rf"{PACKAGE}/(report/figures/.+|report/(style|sketch|pixels|seen)|stages/[^/]+/(views|figures))\.py"
)
# where modules reach code for the stages that ask for it
_ON_DEMAND = f"{PACKAGE}.pipeline"


@dataclass(frozen=True)
class StageCode:
    """The code that a stage rests on: path -> digest of what each file says, and the constants that it names."""

    files: Mapping[str, str]
    constants: tuple[str, ...]


def stage_code(spec: StageSpec, *, root: Path = PACK_ROOT, pack: PackSources | None = None) -> StageCode:
    """Return the code that a stage rests on, as it is in the pack at ``root``, or was when ``pack`` read it.

    Of a package's ``__init__`` that does nothing but import, the names count that the stage takes out of it; any other
    counts as a whole.
    """
    pack = pack or PackSources(root)
    reached = _Reached(pack, on_demand=spec.uses_model)
    reached.follow(read_code(code_of(pack.root / CANON.PATH.NOTEBOOKS_DIR / spec.notebook)).running())
    return StageCode(dict(sorted(reached.digests())), tuple(sorted(reached.constants())))


def stage_sources(spec: StageSpec, *, root: Path = PACK_ROOT) -> dict[str, str]:
    """Return path -> digest of the source files that a stage rests on."""
    return dict(stage_code(spec, root=root).files)


def stage_files(spec: StageSpec, *, root: Path = PACK_ROOT, code: StageCode | None = None) -> dict[str, str]:
    """Return path -> digest of all files of the pack that a stage's result follows from: sources, and what it reads beside them.

    ``code`` is the stage's, where that has been found already.
    """
    return {**(code or stage_code(spec, root=root)).files, **pack_digests(spec.files, root=root)}


def changed_code(
    spec: StageSpec,
    inputs: HashInputs,
    *,
    root: Path = PACK_ROOT,
    pack: PackSources | None = None,
    code: StageCode | None = None,
) -> list[str]:
    """Return the files by which the pack at ``root`` is not what a stage's ``inputs`` were made from, its notebook first.

    Which files these are that pack's imports say, not the inputs. ``code`` is the stage's there, where that has been found
    already.
    """
    root = pack.root if pack else root
    notebook = f"{CANON.PATH.NOTEBOOKS_DIR}/{spec.notebook}"
    if not (root / notebook).is_file():
        return [notebook]
    files = stage_files(spec, root=root, code=code or stage_code(spec, root=root, pack=pack))
    changed = [path for path, digest in inputs.sources.items() if files.get(path) != digest]
    changed += [path for path in files if path not in inputs.sources]
    same = sha256_hex(notebook_source(root / notebook)) == inputs.notebook_sha256
    return changed if same else [notebook, *changed]


def differ_in_drawing_only(one: HashInputs, other: HashInputs) -> bool:
    """Tell whether two runs of a stage rest on the same inputs, but for modules that draw what the stage has found.

    What forward passes gave is then the same in both: no module of ``model`` or ``events`` imports one of these.
    """
    digests = {path for path, _ in one.sources.items() ^ other.sources.items()}
    return replace(one, sources={}) == replace(other, sources={}) and all(map(_DRAWING.fullmatch, digests))


def file_meanings(paths: Iterable[str]) -> dict[str, str]:
    """Return path -> digest of all that each of the pack's source files says, whatever a stage takes out of it."""
    return {path: read_code(pack_path(path).read_bytes()).digest for path in paths}


def stage_constants(spec: StageSpec, *, code: StageCode | None = None) -> dict[str, Any]:
    """Return the registry's constants that a stage's sources name, by name: numbers of the code that stand elsewhere.

    ``code`` is the stage's, where that has been found already.
    """
    return _valued((code or stage_code(spec)).constants)


def named_constants(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the registry's constants that files of code name, by name."""
    return _valued(sorted({name for path in paths for name in read_code(path.read_bytes()).constants}))


def _valued(names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(CANON.CONST, name) for name in names}


def is_outside(module: str) -> bool:
    """Tell whether a module is one of those that no result follows from."""
    return module == PACKAGE or any(f"{module}.".startswith(f"{PACKAGE}.{name}.") for name in OUTSIDE)


@dataclass
class _Reached:
    """What is reached in a pack: whole modules, and names taken through the ``__init__`` of a package.

    ``on_demand``: what ``critnb.pipeline`` imports only where a stage asks for it counts, too.
    """

    pack: PackSources
    on_demand: bool
    modules: dict[str, tuple[Path, Code]] = field(default_factory=dict)
    taken: dict[Path, dict[str, str]] = field(default_factory=dict)

    def follow(self, imports: Iterable[Import]) -> None:
        """Follow imports to their end."""
        waiting = list(imports)
        while waiting:
            each = waiting.pop()
            module = self._home(each.module, each.name)
            if module in self.modules or is_outside(module) or (path := self.pack.file(module)) is None:
                continue
            code = self.pack.code(path)
            self.modules[module] = (path, code)
            lazy = self.on_demand or not f"{module}.".startswith(f"{_ON_DEMAND}.")
            waiting += code.running(lazy=lazy)

    def digests(self) -> Iterator[tuple[str, str]]:
        """Yield path and digest of what was reached."""
        for path, names in self.taken.items():
            yield self.pack.name(path), sha256_hex(canonical_json(names))
        for path, code in self.modules.values():
            yield self.pack.name(path), code.digest

    def constants(self) -> set[str]:
        """Return the names of the registry's constants in what was reached."""
        return {name for _, code in self.modules.values() for name in code.constants}

    def _home(self, module: str, name: str) -> str:
        """Return the module that an import leads to, seen through the packages that hand its name on."""
        seen = set()
        while name and (module, name) not in seen:
            seen.add((module, name))
            path = self.pack.file(module)
            if self.pack.file(f"{module}.{name}") is not None:
                return f"{module}.{name}"
            if path is None or path.name != INIT:
                return module
            code = self.pack.code(path)
            handed = code.handed_on().get(name)
            if handed is None:
                return module
            if not is_outside(module):
                self._take(path, code, handed)
            module, name = handed.module, handed.name
        return module

    def _take(self, path: Path, code: Code, handed: Import) -> None:
        self.taken.setdefault(path, {"": "" if code.only_imports else code.digest})
        self.taken[path][handed.bound] = f"{handed.module}:{handed.name}"
