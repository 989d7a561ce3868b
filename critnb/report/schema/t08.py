"""T08_SIGNATURES: every signature and falsifier with its number, its gate, its null's number and its verdict."""

from __future__ import annotations

from critnb.canon import CANON, Criterion
from critnb.gates import Verdict
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema

T08 = TableSchema(
    name=CANON.TABLE.T08_SIGNATURES,
    rows="per spike definition and target rate: signatures S1 to S5 and falsifiers X1 to X5, evaluated at g*",
    key=("spike_def_id", "target_rate", "criterion_id"),
    columns=(
        *col.PROVENANCE,
        *col.SPIKES,
        col.text("criterion_id", "signature or falsifier", Criterion),
        col.number("g", "-", "the gain it is evaluated at: g*", col.NOT_NEGATIVE),
        col.text("statistic", "what the value is"),
        col.number("value", "-", "the statistic"),
        col.number("ci_low", "-", "lower end of its 95 % sequence-bootstrap interval"),
        col.number("ci_high", "-", "upper end of its 95 % sequence-bootstrap interval"),
        col.text("gate", "what is asked of it"),
        col.number("null_value", "-", "the same statistic of its null"),
        col.text("verdict", "outcome; a falsifier that passes has not falsified", Verdict),
        col.text("reason", "the numbers that decided, or why there is no verdict"),
        col.number("opt_null_ci_low", "-", "lower end of the null's interval"),
        col.number("opt_null_ci_high", "-", "upper end of the null's interval"),
    ),
    appendix=True,
)
