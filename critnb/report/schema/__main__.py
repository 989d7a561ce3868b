"""``python -m critnb.report.schema``: rewrite the generated part of spec/18 from the schemas."""

from critnb.report.schema import SCHEMAS
from critnb.report.schema.markdown import rewrite

if __name__ == "__main__":
    rewrite(SCHEMAS.values())
