"""All schemas by the keys of their tables in the registry: a stage that takes a few rests on those few."""

from __future__ import annotations

from critnb.report.schema.model import TableSchema
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
