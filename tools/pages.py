"""The generated parts of pages: constants (spec/01), stages (13), params (15), tables (18) and the library (docs/API.md).

``make pages`` brings them up to date, and a test fails where they are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from api_reference import reference_markdown
from schema_page import schemas_markdown

from critnb import contract
from critnb.canon import CANON, DOCS_DIR, SPEC_DIR, DatasetRole
from critnb.contract.code import named_constants, stage_constants, stage_sources
from critnb.contract.imports import PACKAGE
from critnb.errors import DataError
from critnb.params import Params
from critnb.runs import pack_files

Schema = Mapping[str, Any]
# beyond this, a bound is that of a number format and says more as a power of two
_READABLE = 2**31


@dataclass(frozen=True)
class Generated:
    """A part of a page, between two markers of its name, that ``make`` writes."""

    page: Path
    name: str
    make: Callable[[], str]

    def renewed(self, text: str) -> str:
        """Return the page's text with this part made anew; raises DataError where a marker is missing."""
        begin, end = (f"<!-- {self.name}: {word} -->" for word in ("begin", "end"))
        before, found_begin, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise DataError(f"{self.page.name}: put back the markers '{begin}' and '{end}' around its generated part")
        return f"{before}{begin}\n{self.make()}\n{end}{after}"


def stages_markdown() -> str:
    """Return the stage table as Markdown."""
    heads = ("stage", "command", "asks", "needs", "model", "reads", "rests on", "leaves")
    rows = (
        (
            spec.id,
            f"`{spec.command}`",
            spec.asks,
            ", ".join(spec.needs) or "nothing",
            "yes" if spec.uses_model else "no",
            _code(spec.reads),
            _code(_folders(stage_sources(spec))),
            _code(spec.outputs),
        )
        for spec in contract.STAGES
    )
    return _table(heads, rows)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _folders(paths: Iterable[str]) -> list[str]:
    """Return the folders of the package that hold the modules at ``paths``, and a module by itself where it lies in none."""
    found = (PurePosixPath(path).relative_to(PACKAGE).with_suffix("") for path in paths)
    return sorted({".".join(module.parts[:-1]) or module.name for module in found})


def params_markdown() -> str:
    """Return the keys of a params file as Markdown: a table of plain keys, then one of sources."""
    schema = Params.model_json_schema()
    sourced = {"models", "data"}
    plain = (_section_rows(name, schema) for name in schema["properties"] if name not in sourced)
    keys = _table(("key", "values", "default", "read by"), (row for rows in plain for row in rows))
    return f"{keys}\n\n{_table(('where', 'source', 'its keys', 'read by'), _source_rows(schema))}"


def _section_rows(section: str, schema: Schema) -> Iterator[tuple[str, ...]]:
    defaults = Params().sections()[section]
    for key, prop in _resolved(schema["properties"][section], schema)["properties"].items():
        dotted = f"{section}.{key}"
        readers = [spec.id for spec in contract.STAGES if {dotted, section} & set(spec.reads)]
        yield f"`{dotted}`", _values(prop, schema), f"`{json.dumps(defaults[key])}`", ", ".join(readers) or "no stage"


def _source_rows(schema: Schema) -> Iterator[tuple[str, ...]]:
    data = schema["$defs"]["Data"]["properties"]
    of_models = [spec.id for spec in contract.STAGES if spec.uses_model]
    yield from _sources(
        "`models.BASE`, `models.INSTRUCT`", of_models, schema["properties"]["models"]["additionalProperties"], schema
    )
    for role in (DatasetRole.A, DatasetRole.B, DatasetRole.ARC_MCQ):
        readers = [spec.id for spec in contract.STAGES if role in spec.data]
        yield from _sources(f"`data.{role}`", readers, data[role], schema)


def _sources(where: str, readers: Iterable[str], union: Schema, schema: Schema) -> Iterator[tuple[str, ...]]:
    for source, reference in union["discriminator"]["mapping"].items():
        described = _resolved({"$ref": reference}, schema)
        required = described.get("required", ())
        keys = [
            f"`{key}`: {_values(prop, schema)}"
            + (", required" if key in required else f" (`{json.dumps(prop['default'])}`)")
            for key, prop in described["properties"].items()
            if key != "source"
        ]
        yield where, f"`{source}`", "; ".join(keys) or "none", ", ".join(readers)


def _values(prop: Schema, schema: Schema) -> str:
    """Say which values a property takes, in words and bounds."""
    prop = _resolved(prop, schema)
    if "anyOf" in prop:
        return " or ".join(_values(one, schema) for one in prop["anyOf"])
    if "enum" in prop or "const" in prop:
        return ", ".join(f"`{value}`" for value in prop.get("enum", [prop.get("const")]))
    if prop["type"] == "array":
        return f"list of {_values(prop['items'], schema)}"
    bounds = [f"{sign} {_bound(prop[name])}" for name, sign in _SIGNS.items() if name in prop]
    return " ".join([_TYPES[prop["type"]], " and ".join(bounds)]).strip()


_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def _bound(value: float) -> str:
    return f"{value:g}" if value < _READABLE else f"2^{int(value).bit_length() - 1}"


def _resolved(prop: Schema, schema: Schema) -> Schema:
    found: Schema = schema["$defs"][prop["$ref"].rpartition("/")[2]] if "$ref" in prop else prop
    return found


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))


def constants_markdown() -> str:
    """Return the registry's constants as Markdown, with the stages whose code reads them."""
    readers = {spec.id: stage_constants(spec) for spec in contract.STAGES}
    defaults = named_constants(pack_files(["critnb/params"]).values())
    rows = (
        (
            f"`{name}`",
            _constant(value),
            "yes" if name in defaults else "no",
            ", ".join(stage for stage in readers if name in readers[stage]) or "none",
        )
        for name, value in CANON.CONST.model_dump().items()
    )
    return _table(("constant", "value", "default of params", "read by the code of"), rows)


def _constant(value: Any) -> str:
    return ", ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"


GENERATED = (
    Generated(SPEC_DIR / "01_SCIENCE.md", "constants", constants_markdown),
    Generated(SPEC_DIR / "13_PIPELINE_STAGES.md", "stages", stages_markdown),
    Generated(SPEC_DIR / "15_PARAMS.md", "params", params_markdown),
    Generated(SPEC_DIR / "18_RESULTS_TABLES.md", "schemas", schemas_markdown),
    Generated(DOCS_DIR / "API.md", "reference", reference_markdown),
)


def rewrite(part: Generated) -> None:
    """Bring a part of a page up to date on disk; raises DataError where a marker is missing."""
    text = part.renewed(part.page.read_text(encoding="utf-8"))
    part.page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    for generated in GENERATED:
        rewrite(generated)
