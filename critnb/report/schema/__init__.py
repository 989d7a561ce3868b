"""Schemas of the results tables: what each column is, enforced by the writer, checked by the loader, printed in spec/18.

``conform`` holds a frame to a schema; ``SCHEMAS`` maps a table's key in the registry to its schema.
"""

from critnb.report.schema.conform import conform
from critnb.report.schema.markdown import schema_markdown
from critnb.report.schema.model import Column, DType, Range, TableSchema
from critnb.report.schema.t01 import T01

SCHEMAS: dict[str, TableSchema] = {schema.name: schema for schema in (T01,)}

__all__ = ["SCHEMAS", "T01", "Column", "DType", "Range", "TableSchema", "conform", "schema_markdown"]
