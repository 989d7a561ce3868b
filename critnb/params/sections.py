"""The sections of a params file, each with its keys, their bounds and their defaults from the registry."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_validator,
)

from critnb.canon import CANON, Adjacency, DatasetRole, Intervention, ModelRole, SpikeDef
from critnb.system.terminal import breaking, plain

_CONST = CANON.CONST


def _on_one_line(text: str) -> str:
    if character := breaking(text):
        raise ValueError(f"holds the character {plain(character)}; names and paths are on one line")
    return text


# counts are kept as 32-bit numbers, by window ids for one
_MOST = 2**31
# the longest path that Linux takes
_LONGEST = 4095
Count = Annotated[StrictInt, Field(ge=1, lt=_MOST)]
Replicates = Annotated[StrictInt, Field(ge=2, lt=_MOST)]
Text = Annotated[str, Field(max_length=_LONGEST)]
Name = Annotated[Text, AfterValidator(_on_one_line)]
Needed = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_on_one_line)]
Seed = Annotated[StrictInt, Field(ge=0, lt=2**63)]
Rate = Annotated[StrictFloat, Field(gt=0, lt=1)]


class _ParamsSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddedSource(_ParamsSection):
    """What the pack carries itself: its own weights, or the text of the running Python."""

    source: Literal["embedded"] = "embedded"


class _File(_ParamsSection):
    source: Literal["file"]
    path: Needed


class FileModel(_File):
    """A local directory in the hub's layout: config.json, *.safetensors, tokenizer files."""


class HubModel(_ParamsSection):
    """A model of the Hugging Face hub; without a revision, the newest is taken and recorded."""

    source: Literal["hub"]
    id: Needed
    revision: Name | None = None


class FileData(_File):
    """Text files (.txt, .jsonl, .parquet); globs allowed. ``separator`` splits a .txt file into documents."""

    field: Name = "text"
    separator: Text | None = None


class _HubDataSet(_ParamsSection):
    source: Literal["hub"]
    id: Needed
    config: Name | None = None
    split: Name
    revision: Name | None = None


class HubData(_HubDataSet):
    """A data set of the Hugging Face hub."""

    split: Name = "validation"
    field: Name = "text"
    streaming: StrictBool = False


class EmbeddedQuestions(EmbeddedSource):
    limit: Count | None = None


class FileQuestions(_File):
    """Multiple-choice questions in the schema of ARC: .jsonl or .parquet."""

    limit: Count | None = None


class HubQuestions(_HubDataSet):
    split: Name = "test"
    limit: Count | None = None


ModelSource = Annotated[EmbeddedSource | FileModel | HubModel, Field(discriminator="source")]
TextSource = Annotated[EmbeddedSource | FileData | HubData, Field(discriminator="source")]
QuestionSource = Annotated[EmbeddedQuestions | FileQuestions | HubQuestions, Field(discriminator="source")]


class Data(_ParamsSection):
    A: TextSource = EmbeddedSource()
    B: TextSource = EmbeddedSource()
    ARC_MCQ: QuestionSource = EmbeddedQuestions()

    def of(self, role: DatasetRole) -> EmbeddedSource | FileData | HubData | FileQuestions | HubQuestions:
        """Return the source of a role."""
        source: EmbeddedSource | FileData | HubData | FileQuestions | HubQuestions = getattr(self, role)
        return source


class Compute(_ParamsSection):
    """Where and how forward passes run; of this, dtype, batches and attention are part of a run's identity."""

    device: str = "auto"
    device_map: Literal["none", "auto"] = "none"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_tokens: Count = _CONST.BATCH_TOKENS
    engine: Literal["local", "dask"] = "local"
    workers: Count | None = None
    scheduler: Needed | None = None
    attention: Literal["sdpa", "eager"] = "sdpa"
    timeout: Count | None = None
    kernel_start_timeout: Count = _CONST.KERNEL_START_SECONDS
    wait: Annotated[StrictInt, Field(ge=0, lt=_MOST)] = _CONST.WAIT_SECONDS

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, mps, cuda or cuda:N")
        return value

    @field_validator("device_map", mode="before")
    @classmethod
    def _whole_layers(cls, value: Any) -> Any:
        if re.fullmatch(r"tp|tensor([-_ ]?parallel(ism)?)?", str(value), re.IGNORECASE):
            raise ValueError(
                "tensor parallelism divides the units of a layer among devices, so that none could be read whole; auto "
                "divides layers"
            )
        return value

    @model_validator(mode="after")
    def _chooses_once(self) -> Compute:
        if self.device_map == "auto" and self.device != "auto":
            raise ValueError("device_map auto takes all devices that there are; leave device at auto")
        return self

    @model_validator(mode="after")
    def _has_workers(self) -> Compute:
        if self.engine == "local" and (self.workers or self.scheduler):
            raise ValueError("workers and scheduler are for engine dask")
        if self.workers and self.scheduler:
            raise ValueError("workers are started where no scheduler is given; give one of the two")
        return self


class Windows(_ParamsSection):
    """Slices of the corpora; A_cal and A_raster are disjoint."""

    seq_len: Annotated[StrictInt, Field(ge=2, lt=_MOST)] = _CONST.SEQ_LEN_TOKENS
    burn_in_tokens: Annotated[StrictInt, Field(ge=0, lt=_MOST)] = 0
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


class Events(_ParamsSection):
    tau0: Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)] = _CONST.TAU0_BASELINE
    spike_defs: list[SpikeDef] = Field(default=list(SpikeDef), min_length=1)
    target_rates: list[Rate] = Field(default=list(_CONST.TARGET_LAYER_RATES), min_length=1)

    @field_validator("spike_defs", "target_rates")
    @classmethod
    def _no_repeats(cls, values: list[Any]) -> list[Any]:
        _distinct(values)
        return sorted(values)


class Gain(_ParamsSection):
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


class Nulls(_ParamsSection):
    replicates: Replicates = _CONST.NULL_REPLICATES
    verdict_replicates: Replicates = _CONST.NULL_VERDICT_REPLICATES
    seed: Seed = _CONST.NULL_SEED
    shuffles: Replicates = _CONST.NULL_SHUFFLES
    shuffle_windows: Count = _CONST.NULL_SHUFFLE_WINDOWS


class KnockOuts(_ParamsSection):
    """How much is knocked out: the first ``windows`` windows of A_raster (all of them where there are fewer)."""

    windows: Count = _CONST.KNOCK_OUT_WINDOWS
    directions: Count = _CONST.KNOCK_OUT_DIRECTIONS


class Analysis(_ParamsSection):
    adjacency: Adjacency = Adjacency.ADJ_4N
    bootstrap_reps: Replicates = _CONST.BOOTSTRAP_REPS
    bootstrap_seed: Seed = _CONST.BOOTSTRAP_SEED
    tail_replicates: Count = _CONST.TAIL_P_REPLICATES
    control_rasters: Annotated[StrictInt, Field(ge=0, lt=_MOST)] = _CONST.CONTROL_RASTERS


class Report(_ParamsSection):
    style: Literal["default"] = "default"


class Release(_ParamsSection):
    title: Name | None = None
    authors: list[Name] = []


class Params(_ParamsSection):
    """All sections; what a file leaves out has its default."""

    models: dict[ModelRole, ModelSource] = {role: EmbeddedSource() for role in ModelRole}
    data: Data = Data()
    compute: Compute = Compute()
    windows: Windows = Windows()
    events: Events = Events()
    gain: Gain = Gain()
    nulls: Nulls = Nulls()
    knock_outs: KnockOuts = KnockOuts()
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
