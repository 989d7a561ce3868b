"""spec/run_record.schema.json, applied where trust begins: before a run is sealed, and when one is verified."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from critnb.canon import SPEC_DIR

SCHEMA_PATH = SPEC_DIR / "run_record.schema.json"
_MESSAGE_LENGTH = 160


def schema_problem(tree: Any) -> str | None:
    """Return one line on where parsed JSON breaks the schema of records, or None where it does not."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(tree))
    if error is None:
        return None
    message = " ".join(error.message.split())
    short = message if len(message) <= _MESSAGE_LENGTH else f"{message[:_MESSAGE_LENGTH]} ..."
    return f"record field {error.json_path.removeprefix('$.')}: {short}"


@cache
def _validator() -> Any:
    # Imported late: jsonschema takes two seconds (it builds a grammar that no check here needs), which neither a
    # listing nor a notebook's kernel should wait for.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))
