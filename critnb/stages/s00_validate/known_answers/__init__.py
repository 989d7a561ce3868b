"""The known answers of S00: what the estimators give on inputs whose answer is known, as a table and three figures."""

from critnb.stages.s00_validate.known_answers.kept import from_arrays, to_arrays
from critnb.stages.s00_validate.known_answers.table import KnownAnswers, known_answers

__all__ = ["KnownAnswers", "from_arrays", "known_answers", "to_arrays"]
