"""T08_SIGNATURES: every signature and falsifier with its number, its gate, its null's number and its verdict."""

from __future__ import annotations

from critnb.canon import CANON, Criterion
from critnb.gates import Verdict
from critnb.report.schema.columns import NOT_NEGATIVE, PROVENANCE, SPIKES, number, optional, text
from critnb.report.schema.model import TableSchema

T08 = TableSchema(
    name=CANON.TABLE.T08_SIGNATURES,
    rows="per spike definition and target rate: signatures S1 to S5 and falsifiers X1 to X5, evaluated at g*",
    key=("spike_def_id", "target_rate", "criterion_id"),
    columns=(
        *PROVENANCE,
        *SPIKES,
        text("criterion_id", "signature or falsifier", Criterion),
        number("g", "-", "the gain it is evaluated at: g*", NOT_NEGATIVE),
        text("statistic", "what the value is"),
        number("value", "-", "the statistic"),
        number("ci_low", "-", "lower end of its 95 % sequence-bootstrap interval"),
        number("ci_high", "-", "upper end of its 95 % sequence-bootstrap interval"),
        text("gate", "what is asked of it"),
        number("null_value", "-", "the same statistic of its null"),
        text("verdict", "outcome; a falsifier that passes has not falsified", Verdict),
        text("reason", "the numbers that decided, or why there is no verdict"),
        *optional(
            number("opt_null_ci_low", "-", "lower end of the null's interval"),
            number("opt_null_ci_high", "-", "upper end of the null's interval"),
        ),
    ),
    appendix=True,
)
