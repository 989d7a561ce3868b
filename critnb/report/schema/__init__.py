"""Schemas of the results tables: what each column is, enforced by the writer, checked by the loader, printed in spec/18.

``conform`` holds a frame to a schema; ``SCHEMAS`` maps a table's key in the registry to its schema.
"""

from critnb.report.schema.conform import conform
from critnb.report.schema.model import Column, DType, Range, TableSchema
from critnb.report.schema.t01 import T01
from critnb.report.schema.t02 import T02
from critnb.report.schema.t03 import T03
from critnb.report.schema.t04 import T04
from critnb.report.schema.t05 import T05
from critnb.report.schema.t06 import T06
from critnb.report.schema.t07 import T07
from critnb.report.schema.t08 import T08
from critnb.report.schema.t09 import T09
from critnb.report.schema.t10 import T10

SCHEMAS: dict[str, TableSchema] = {schema.name: schema for schema in (T01, T02, T03, T04, T05, T06, T07, T08, T09, T10)}

__all__ = [
    "SCHEMAS",
    "T01",
    "T02",
    "T03",
    "T04",
    "T05",
    "T06",
    "T07",
    "T08",
    "T09",
    "T10",
    "Column",
    "DType",
    "Range",
    "TableSchema",
    "conform",
]
