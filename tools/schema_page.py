"""The schemas of the tables as Markdown, for spec/18."""

from __future__ import annotations

from enum import StrEnum

from critnb.report.schema import SCHEMAS
from critnb.report.schema.model import Column, TableSchema


def schema_markdown(schema: TableSchema) -> str:
    """Return a heading, the meaning of a row, the key and one table line per column."""
    lines = [
        f"## {schema.name}",
        "",
        f"Rows: {schema.rows}. Key: {', '.join(f'`{name}`' for name in schema.key)}.",
        "",
        "| column | dtype | unit | allowed | meaning |",
        "| --- | --- | --- | --- | --- |",
        *(_line(column) for column in schema.columns),
    ]
    return "\n".join(lines) + "\n"


def _line(column: Column) -> str:
    name = f"`{column.name}`" + (" (optional)" if column.optional else "")
    cells = (name, column.dtype.value, column.unit, _allowed(column), column.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _allowed(column: Column) -> str:
    if column.allowed is None:
        return "any"
    if isinstance(column.allowed, type) and issubclass(column.allowed, StrEnum):
        return ", ".join(column.allowed)
    return str(column.allowed)


def schemas_markdown() -> str:
    """Return every table's schema as Markdown."""
    return "\n" + "\n".join(map(schema_markdown, SCHEMAS.values()))
