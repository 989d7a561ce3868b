"""The reference of the library, written from signatures and docstrings: ``make pages`` puts it into docs/API.md."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import critnb

# public functions in the order in which one meets them, and the results that they return
_CHAPTERS: dict[str, tuple[str, ...]] = {
    "Models and events": ("load_model", "calibrate", "extract", "extract_activations", "Calibration"),
    "Arrays of one's own": ("event_counts", "population_activity"),
    "Estimators": ("branching", "avalanches", "tail", "crackling", "exponents", "multistep"),
    "Interventions": ("knock_out", "stability"),
    "Nulls": ("null_replicate", "null_test"),
    "Controls": ("control", "controls"),
    "Runs": ("open_run", "list_runs", "compare_runs"),
    "Stages": ("begin",),
}
# what notebooks use besides, by the module that one imports it from
_EXPLORE = ("critnb.explore", ("Explorer", "raster_view", "RasterView", "Facts"))
_RESULTS = (
    ("critnb.api.arrays", "EventCounts"),
    ("critnb.api.estimates", "Estimate"),
    ("critnb.api.texts", "Reference"),
    ("critnb.api.extraction", "Extraction"),
    ("critnb.api.activity", "BranchingEstimates"),
    ("critnb.api.cascades", "AvalancheSet"),
    ("critnb.api.tail", "TailEstimate"),
    ("critnb.api.cascades", "CracklingEstimates"),
    ("critnb.api.cascades", "ExponentEstimates"),
    ("critnb.api.activity", "MultistepEstimates"),
    ("critnb.api.perturbations", "KnockOutEstimates"),
    ("critnb.api.perturbations", "StabilityEstimates"),
    ("critnb.api.opened_run", "OpenedRun"),
    ("critnb.api.folders", "RunComparison"),
)
_LINE = 100


def reference_markdown() -> str:
    """Return the whole reference as Markdown: every public name of ``critnb``, what they return, then the explorer."""
    parts = []
    for title, names in _CHAPTERS.items():
        parts += [f"## {title}", *(_described(f"critnb.{name}", getattr(critnb, name)) for name in names)]
    parts += ["## Results", *(_described(name, _result(module, name)) for module, name in _RESULTS)]
    module, names = _EXPLORE
    parts += ["## Explore", *(_described(f"{module}.{name}", _result(module, name)) for name in names)]
    return "\n\n".join(parts)


def _result(module: str, name: str) -> Any:
    return getattr(__import__(module, fromlist=[name]), name)


def _described(title: str, thing: Any) -> str:
    parts = [f"### {title}", _code(_signature(title, thing)), _prose(inspect.getdoc(thing) or "")]
    if inspect.isclass(thing):
        parts.append("\n".join(_members(thing)))
    return "\n\n".join(part for part in parts if part)


def _signature(title: str, thing: Any) -> str:
    words = [_parameter(parameter) for parameter in inspect.signature(thing).parameters.values()]
    for place, parameter in enumerate(inspect.signature(thing).parameters.values()):
        if parameter.kind is parameter.KEYWORD_ONLY:
            words.insert(place, "*")
            break
    back = "" if inspect.isclass(thing) else f" -> {_plain(inspect.signature(thing).return_annotation)}"
    line = f"{title}({', '.join(words)}){back}"
    if len(line) <= _LINE:
        return line
    inner = "".join(f"    {word},\n" for word in words)
    return f"{title}(\n{inner}){back}"


def _parameter(parameter: inspect.Parameter) -> str:
    # enums of the registry are text to a caller
    default = parameter.default
    shown = (
        "" if default is parameter.empty else f" = {str(default)!r}" if isinstance(default, str) else f" = {default!r}"
    )
    return f"{parameter.name}: {_plain(parameter.annotation)}{shown}"


def _plain(annotation: Any) -> str:
    """Return an annotation, all of them text here, without the modules that its names come from."""
    return re.sub(r"\b(np|npt|pd)\.", "", str(annotation))


def _members(thing: type) -> Iterator[str]:
    for name, member in _of_ours(thing):
        if isinstance(member, property) and member.fget is not None:
            head = f"`{name}`: {_code_word(_plain(inspect.signature(member.fget).return_annotation))}"
        elif isinstance(member, FunctionType):
            head = f"`{_short(name, member)}`"
        else:
            continue
        yield f"* {head}: {_sentence(member)}"


def _of_ours(thing: type) -> Iterator[tuple[str, Any]]:
    """Yield the public members that a class or a base of this pack defines, those of the class first."""
    seen: set[str] = set()
    for base in thing.__mro__:
        for name, member in vars(base).items() if base.__module__.startswith(critnb.__name__) else ():
            if not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, member


def _short(name: str, member: FunctionType) -> str:
    words = [_parameter(p) if p.kind is not p.VAR_KEYWORD else f"**{p.name}" for p in _arguments(member)]
    return f"{name}({', '.join(words)})"


def _arguments(member: FunctionType) -> list[inspect.Parameter]:
    return list(inspect.signature(member).parameters.values())[1:]


def _sentence(member: Any) -> str:
    return " ".join((inspect.getdoc(member) or "").partition("\n\n")[0].split()).rstrip(".").replace("``", "`")


def _prose(text: str) -> str:
    """Return a docstring as Markdown, the errors of its section Raises as a list."""
    before, heading, raised = text.partition("\nRaises:\n")
    body = before.strip().replace("``", "`")
    if not heading:
        return body
    errors = re.sub(r"\n\s{8,}", " ", raised)
    pairs = [line.partition(":") for line in errors.splitlines() if line.strip()]
    lines = [f"* `{name.strip()}`: {why.strip()}" for name, _, why in pairs]
    return "\n".join([body, "", "Raises:", "", *lines]).replace("``", "`")


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _code_word(text: str) -> str:
    return f"`{text}`"
