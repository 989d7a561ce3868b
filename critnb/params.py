"""Validated parameters: one YAML file with sections, each with defaults from the registry.

``load`` reads a file and its overrides into ``Params``; every mistake becomes one line that names the key. Paths stay
as written and are resolved against ``Loaded.base_dir``, so that the resolved parameters are the same on every machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)

from critnb.canon import CANON, PACK_ROOT, Adjacency, DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.errors import ParamsError

_CONST = CANON.CONST
Count = Annotated[StrictInt, Field(ge=1)]
Seed = Annotated[StrictInt, Field(ge=0, lt=2**63)]
Rate = Annotated[StrictFloat, Field(gt=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddedSource(_Section):
    """What the pack carries itself: its own weights, or the text of the running Python."""

    source: Literal["embedded"] = "embedded"


class FileModel(_Section):
    """A local directory in the hub's layout: config.json, *.safetensors, tokenizer files."""

    source: Literal["file"]
    path: str = Field(min_length=1)


class HubModel(_Section):
    """A model of the Hugging Face hub; without a revision, the newest is taken and recorded."""

    source: Literal["hub"]
    id: str = Field(min_length=1)
    revision: str | None = None


class FileData(_Section):
    """Text files (.txt, .jsonl, .parquet); globs allowed. ``separator`` splits a .txt file into documents."""

    source: Literal["file"]
    path: str = Field(min_length=1)
    field: str = "text"
    separator: str | None = None


class HubData(_Section):
    """A data set of the Hugging Face hub."""

    source: Literal["hub"]
    id: str = Field(min_length=1)
    config: str | None = None
    split: str = "validation"
    revision: str | None = None
    field: str = "text"
    streaming: StrictBool = False


class EmbeddedQuestions(EmbeddedSource):
    limit: Count | None = None


class FileQuestions(_Section):
    """Multiple-choice questions in the schema of ARC: .jsonl or .parquet."""

    source: Literal["file"]
    path: str = Field(min_length=1)
    limit: Count | None = None


class HubQuestions(_Section):
    source: Literal["hub"]
    id: str = Field(min_length=1)
    config: str | None = None
    split: str = "test"
    revision: str | None = None
    limit: Count | None = None


ModelSource = Annotated[EmbeddedSource | FileModel | HubModel, Field(discriminator="source")]
TextSource = Annotated[EmbeddedSource | FileData | HubData, Field(discriminator="source")]
QuestionSource = Annotated[EmbeddedQuestions | FileQuestions | HubQuestions, Field(discriminator="source")]


class Data(_Section):
    A: TextSource = EmbeddedSource()
    B: TextSource = EmbeddedSource()
    ARC_MCQ: QuestionSource = EmbeddedQuestions()

    def of(self, role: DatasetRole) -> EmbeddedSource | FileData | HubData | FileQuestions | HubQuestions:
        """Return the source of a role."""
        source: EmbeddedSource | FileData | HubData | FileQuestions | HubQuestions = getattr(self, role)
        return source


class Compute(_Section):
    """Where and how forward passes run; device and engine are recorded in a run, the rest is part of its identity."""

    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_tokens: Count = _CONST.BATCH_TOKENS
    engine: Literal["local"] = "local"
    attention: Literal["sdpa", "eager"] = "sdpa"

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, mps, cuda or cuda:N")
        return value


class Windows(_Section):
    """Slices of the corpora; A_cal and A_raster are disjoint."""

    seq_len: Annotated[StrictInt, Field(ge=2)] = _CONST.SEQ_LEN_TOKENS
    burn_in_tokens: Annotated[StrictInt, Field(ge=0)] = 0
    n_calibration: Count = _CONST.N_WINDOWS_A_CALIBRATION
    n_raster: Count = _CONST.N_WINDOWS_A_RASTERS
    n_eval_b: Count = _CONST.N_WINDOWS_B_EVAL
    seed: Seed = _CONST.WINDOWS_SEED

    @model_validator(mode="after")
    def _tokens_left(self) -> Windows:
        if self.burn_in_tokens > self.seq_len - 2:
            raise ValueError(f"burn_in_tokens must leave at least 2 of the {self.seq_len} tokens of a window")
        return self


def _distinct(values: Sequence[Hashable]) -> None:
    if len(set(values)) < len(values):
        raise ValueError("holds a value twice")


class Events(_Section):
    tau0: Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)] = _CONST.TAU0_BASELINE
    spike_defs: list[SpikeDef] = Field(default=list(SpikeDef), min_length=1)
    target_rates: list[Rate] = Field(default=list(_CONST.TARGET_LAYER_RATES), min_length=1)

    @field_validator("spike_defs", "target_rates")
    @classmethod
    def _no_repeats(cls, values: list[Any]) -> list[Any]:
        _distinct(values)
        return sorted(values)


class Gain(_Section):
    grid: list[Annotated[StrictFloat, Field(ge=0)]] = Field(default=list(_CONST.GAIN_GRID_DEFAULT), min_length=1)
    interventions: list[Intervention] = Field(default=list(Intervention), min_length=1)

    @field_validator("grid")
    @classmethod
    def _holds_baseline(cls, values: list[float]) -> list[float]:
        _distinct(values)
        if not all(math.isfinite(value) for value in values):
            raise ValueError("holds a value that is not finite")
        if _CONST.GAIN_BASELINE not in values:
            raise ValueError(f"must hold the baseline gain {_CONST.GAIN_BASELINE}")
        return sorted(values)

    @field_validator("interventions")
    @classmethod
    def _holds_global(cls, values: list[Intervention]) -> list[Intervention]:
        _distinct(values)
        if Intervention.MLP_GLOBAL not in values:
            raise ValueError(f"must hold {Intervention.MLP_GLOBAL}, which the gain grid is about")
        return sorted(values, key=list(Intervention).index)


class Nulls(_Section):
    replicates: Annotated[StrictInt, Field(ge=2)] = _CONST.NULL_REPLICATES
    seed: Seed = _CONST.NULL_SEED


class Analysis(_Section):
    adjacency: Adjacency = Adjacency.ADJ_4N
    bootstrap_reps: Annotated[StrictInt, Field(ge=2)] = _CONST.BOOTSTRAP_REPS
    bootstrap_seed: Seed = _CONST.BOOTSTRAP_SEED
    tail_replicates: Annotated[StrictInt, Field(ge=1)] = _CONST.TAIL_P_REPLICATES


class Report(_Section):
    style: Literal["default"] = "default"


class Release(_Section):
    title: str | None = None
    authors: list[str] = []


class Params(_Section):
    """All sections; what a file leaves out has its default."""

    models: dict[ModelRole, ModelSource] = {role: EmbeddedSource() for role in ModelRole}
    data: Data = Data()
    compute: Compute = Compute()
    windows: Windows = Windows()
    events: Events = Events()
    gain: Gain = Gain()
    nulls: Nulls = Nulls()
    analysis: Analysis = Analysis()
    report: Report = Report()
    release: Release = Release()

    @field_validator("models")
    @classmethod
    def _some_model(cls, value: dict[ModelRole, Any]) -> dict[ModelRole, Any]:
        if not value:
            raise ValueError(f"names no model; give one of {', '.join(ModelRole)}")
        return value

    def sections(self) -> dict[str, Any]:
        """Return all sections as plain JSON-able values."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Loaded:
    """Parameters with the file they came from; relative paths in them are meant from ``base_dir``."""

    params: Params
    origin: str
    base_dir: Path

    def resolve(self, path: str) -> Path:
        """Return a path of the parameters as an absolute one."""
        return (self.base_dir / Path(path).expanduser()).resolve()


def find(name: str | Path) -> Path:
    """Return the params file: a path from here or from the pack's root, a bare name also in params/; else ParamsError."""
    path = Path(name)
    is_bare = path.name == str(name)
    candidates = [path, PACK_ROOT / CANON.PATH.PARAMS_DIR / path if is_bare else PACK_ROOT / path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    places = " or ".join(dict.fromkeys(str(candidate.parent.resolve()) for candidate in candidates))
    raise ParamsError(f"params file {str(name)!r} not found in {places}; give its path with --params FILE")


def load(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read a params file and apply ``overrides`` (dotted key -> value); raises ParamsError with one line a mistake."""
    path = find(name)
    tree = read_yaml(path)
    for key, value in (overrides or {}).items():
        _put(tree, key, value)
    return Loaded(validate(tree, origin=path.name), path.name, path.parent)


def validate(tree: Mapping[str, Any], *, origin: str) -> Params:
    """Return ``Params`` from plain values, CANON references resolved; raises ParamsError naming ``origin`` and the key."""
    try:
        return Params.model_validate(_resolve_references(tree, origin))
    except ValidationError as error:
        raise ParamsError(_one_line_each(error, origin)) from None
    except RecursionError:
        raise ParamsError(f"{origin}: a value holds itself through a YAML alias; write it out") from None


def parse_override(text: str) -> tuple[str, Any]:
    """Parse ``a.b=value`` (the value is YAML) into its dotted key and value; raises ParamsError for another form."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ParamsError(f"--set {text!r}: write it as section.key=value")
    return key.strip(), parse_yaml(value, origin=f"--set {text}")


class _StrictLoader(yaml.SafeLoader):
    """YAML without tags and without repeated keys, reading 1e-5 as the number that it looks like."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem=f"the tag {event.tag} is not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                problem = f"the key {key!r} stands twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.value[position][0].start_mark)
        return super().construct_mapping(node, deep)


_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def parse_yaml(text: str, *, origin: str) -> Any:
    """Parse YAML text strictly; raises ParamsError with the line and column of a mistake."""
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParamsError(f"{origin}:{place} {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{origin}: not YAML: {' '.join(str(error).split())}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a params file's mapping; raises ParamsError when it cannot be read or holds something else."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"), origin=path.name)
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ParamsError(f"{path.name}: must be a mapping of sections, found {type(tree).__name__}")
    return tree


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise ParamsError(f"--set {dotted}: {part} is a value, not a section")
        tree = child
    tree[last] = value


def _resolve_references(value: Any, origin: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolve_references(item, origin) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve_references(item, origin) for item in value]
    if isinstance(value, str) and value.startswith("CANON."):
        try:
            found = CANON.lookup(value)
        except KeyError:
            raise ParamsError(f"{origin}: {value} is not in the registry spec/00_CANONICAL.yaml") from None
        return list(found) if isinstance(found, tuple) else found
    return value


_SOURCES = ("embedded", "file", "hub")
_TAG_PLACE = 2


def _one_line_each(error: ValidationError, origin: str, at_most: int = 2) -> str:
    problems = error.errors(include_url=False)
    lines = [f"{origin}: {_key(problem['loc'])}: {_problem(problem)}" for problem in problems[:at_most]]
    if len(problems) > at_most:
        lines[-1] += f" (and {len(problems) - at_most} more)"
    return "\n".join(lines)


def _key(location: tuple[int | str, ...]) -> str:
    # pydantic puts the discriminator's value behind the role of a model or data set; the user wrote no such key
    parts = [
        str(part)
        for place, part in enumerate(location)
        if part != "[key]" and not (place == _TAG_PLACE and part in _SOURCES)
    ]
    return ".".join(parts) or "top level"


def _problem(problem: Any) -> str:
    given = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "is required"
        case "value_error":
            return str(problem["ctx"]["error"])
        case "union_tag_not_found" | "union_tag_invalid":
            return f"needs a source: one of {', '.join(_SOURCES)}"
    shown = repr(given) if len(repr(given)) <= 60 else f"a {type(given).__name__}"
    return f"{problem['msg'][0].lower()}{problem['msg'][1:]}, found {shown}"
