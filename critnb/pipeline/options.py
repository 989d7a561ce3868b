"""How stages are run: the options of a command, of a notebook's ``overrides`` and of a kernel, each defined once.

A field of ``RunOptions`` carries where it can be given: its flags and argparse words on the command line, the type of its
value in a notebook, and whether the runner hands it to a kernel. No option is part of a run's identity.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any

from critnb.canon import CANON, ModelRole, Stage
from critnb.contract import STAGES
from critnb.errors import ParamsError
from critnb.pipeline.limits import USUAL_LIMITS, Limits
from critnb.system.terminal import plain

if TYPE_CHECKING:
    from critnb.params import Loaded, Params
    from critnb.runs import RunStore

_VARIABLE = "CRITNB_OPTIONS"
_ALL = "all"
_MOST_JOBS = 1024


def _option(
    default: Any, *flags: str, notebook: type | UnionType | None = None, kernel: bool = False, **argument: Any
) -> Any:
    """Return a field; ``flags`` and ``argument`` are for argparse, ``notebook`` is the type of its value in overrides."""
    metadata = {"flags": flags, "argument": argument, "notebook": notebook, "kernel": kernel}
    if default is dict:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def _switch(*flags: str, **where: Any) -> Any:
    return _option(False, *flags, action="store_true", **where)


def whole_number(text: str) -> int:
    """Return a number of processes that an option gives; raises ArgumentTypeError."""
    if not text.isdecimal() or not 0 < int(text) <= _MOST_JOBS:
        raise ArgumentTypeError(f"{plain(repr(text), 40)} is no whole number from 1 to {_MOST_JOBS}")
    return int(text)


_ROLES = [*map(str, ModelRole), _ALL]


@dataclass(frozen=True)
class RunOptions:
    """How to run stages; see the module. Those without a flag are set by the pack."""

    role: str | None = _option(
        None, "--role", notebook=str, choices=_ROLES, help="model role; the first one of the params by default"
    )
    runs_dir: str | Path | None = _option(  # noqa: RUF009 - a field
        None,
        "--runs-dir",
        notebook=str | Path,
        type=Path,
        help="where runs lie; runs/ of the pack or of the working folder if not given",
    )
    allow_resume: bool = _switch("--allow-resume", help="continue a run that was left incomplete")
    no_upstream: bool = _switch("--no-upstream", help="demand that upstream runs exist")
    use: Sequence[str] = _option(
        (), "--use", action="append", metavar="STAGE=RUN", help="pin an upstream run; repeatable"
    )
    dry_run: bool = _switch("--dry-run", help="say what would run, and why")
    jobs: int | None = _option(
        None,
        "--jobs",
        type=whole_number,
        metavar="N",
        help="run at most N stages at once; as many as suit this machine if not given",
    )
    strict: bool = _switch(
        "--strict", notebook=bool, kernel=True, help="a gate that fails or is not available ends its stage"
    )
    quiet: bool = _switch("-q", "--quiet", help="print results only, no progress")
    verbose: bool = _switch("-v", "--verbose", notebook=bool, help="show tracebacks, and the steps of stages")
    device: str = _option("auto", kernel=True)
    device_map: str = _option("none", kernel=True)
    engine: str = _option("local", kernel=True)
    # how many workers the engine is to have; none where a scheduler has them, and is named
    workers: int | None = None
    scheduler: str | None = _option(None, kernel=True)
    # where the stages of a command note which models they have found sound
    checked: Path | None = _option(None, kernel=True)  # noqa: RUF009 - a field
    # where relative paths of the params are meant from, and where the corpora of a run come from
    base_dir: Path = _option(Path(), kernel=True)  # noqa: RUF009 - a field
    data: Mapping[str, Mapping[str, Any]] = _option(dict, kernel=True)
    limits: Limits = USUAL_LIMITS
    # seconds to wait for a run that another process is making
    wait: int = CANON.CONST.WAIT_SECONDS
    # what the record says that the run was made by
    command: Sequence[str] = ()

    @classmethod
    def of_command(cls, arguments: Mapping[str, Any]) -> RunOptions:
        """Return the options among a command's parsed ``arguments``."""
        given = {each.name: arguments.get(each.name) for each in command_line()}
        return cls(**{name: value for name, value in given.items() if value is not None})

    @classmethod
    def of_notebook(cls, overrides: Mapping[str, Any]) -> tuple[RunOptions, dict[str, Any]]:
        """Return the options among a notebook's ``overrides``, and the others, which are keys of the params.

        Raises ParamsError for an option that cannot be used.
        """
        kinds = {each.name: each.metadata["notebook"] for each in _said("notebook")}
        given = {word: overrides[word] for word in kinds if overrides.get(word) is not None}
        for word, value in given.items():
            if not isinstance(value, kinds[word]):
                raise ParamsError(f"overrides: {word}: {value!r} cannot be used; leave it out for the default")
        if (role := given.get("role")) is not None and role not in list(ModelRole):
            raise ParamsError(f"overrides: role: {role!r} is none; use one of {', '.join(ModelRole)}")
        others = {key: value for key, value in overrides.items() if key not in kinds}
        for key in others:
            # else it is told of as a key of the params, none of which is like it
            if key not in _sections() and (meant := get_close_matches(key, [*kinds, *_sections()], n=1, cutoff=0.7)):
                raise ParamsError(f"overrides: {plain(key, 60)}: unknown key; did you mean {meant[0]}?")
        return cls(**given), others

    @classmethod
    def of_kernel(cls) -> RunOptions:
        """Return what the runner handed over; raises KeyError in a process that no runner started."""
        handed = json.loads(os.environ[_VARIABLE])
        checked = handed["checked"] and Path(handed["checked"])
        return cls(**{**handed, "base_dir": Path(handed["base_dir"]), "checked": checked})

    def for_kernel(self) -> dict[str, str]:
        """Return the environment variable that hands a kernel its options."""
        return {_VARIABLE: json.dumps({each.name: getattr(self, each.name) for each in _said("kernel")}, default=str)}

    def with_params(self, loaded: Loaded) -> RunOptions:
        """Return these options with what the params say of them."""
        compute = loaded.params.compute
        limits = Limits(start=compute.kernel_start_timeout, stage=compute.timeout)
        return replace(
            self,
            device=compute.device,
            device_map=compute.device_map,
            engine=compute.engine,
            workers=compute.workers,
            scheduler=compute.scheduler,
            base_dir=loaded.base_dir,
            limits=limits,
            wait=compute.wait,
        )

    def roles(self, params: Params, *, every: bool = False) -> list[ModelRole]:
        """Return the roles to run: those asked for, else the first one of the params, or each with ``every``."""
        given = [role for role in ModelRole if role in params.models]
        if self.role == _ALL or (self.role is None and every):
            return given
        return given[:1] if self.role is None else [ModelRole(self.role)]

    def store(self) -> RunStore:
        """Return the store of runs; raises ParamsError for a path that no folder can have."""
        # not imported above: it brings pandas, and --help should not wait for that
        from critnb.runs import RunStore, runs_folder

        return RunStore(runs_folder(self.runs_dir))

    def pins(self) -> dict[Stage, str]:
        """Return the pinned upstream runs, stage -> run id; raises ParamsError for another form than STAGE=RUN."""
        pins = {}
        for text in self.use:
            stage, equals, run = text.partition("=")
            if not equals or stage not in list(Stage):
                example = f"{STAGES[1].id}=RUN_{STAGES[1].id}_..."
                raise ParamsError(f"--use {plain(repr(text), 100)}: write it as STAGE=RUN, for example {example}")
            pins[Stage(stage)] = run
        return pins


def _sections() -> list[str]:
    from critnb.params import Params

    return list(Params.model_fields)


def command_line(*, of_sweep: bool = False) -> list[Field[Any]]:
    """Return the options that a command takes: ``flags`` and ``argument`` in the metadata are words for argparse.

    A sweep, whose entries rest on different runs, takes none that names upstream runs.
    """
    return [each for each in _said("flags") if not of_sweep or each.name not in ("no_upstream", "use")]


def _said(where: str) -> list[Field[Any]]:
    return [each for each in fields(RunOptions) if each.metadata.get(where)]
