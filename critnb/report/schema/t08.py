"""T08_SIGNATURES: every signature, description and falsifier with its number, its gate, its null's number and its verdict."""

from __future__ import annotations

from critnb.canon import CANON, Criterion, CriterionKind
from critnb.gates import Verdict
from critnb.report.schema import columns as col
from critnb.report.schema.model import TableSchema

T08 = TableSchema(
    name=CANON.TABLE.T08_SIGNATURES,
    rows="per spike definition and target rate: descriptions S1 to S5, signature S6 and falsifiers X1 to X5, at g*",
    key=("spike_def_id", "target_rate", "criterion_id"),
    columns=(
        *col.PROVENANCE,
        *col.SPIKES,
        col.text("criterion_id", "signature, description or falsifier", Criterion),
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
        col.text("opt_kind", "what its verdict says: a description does not speak of spreading", CriterionKind),
        col.number(
            "opt_p", "-", "one-sided p of its test, the largest over its nulls; NaN where it has none", col.SHARE
        ),
        col.number(
            "opt_p_holm", "-", "that p adjusted by Holm over all tests of this table, which the verdict uses", col.SHARE
        ),
        col.number(
            "opt_false_alarm", "-", "share of rasters of a negative control that pass, on the worst of them", col.SHARE
        ),
        col.text("opt_false_alarm_on", "that control, else empty"),
        col.number(
            "opt_detection", "-", "share of rasters of a positive control that pass, on the worst of them", col.SHARE
        ),
        col.text("opt_detection_on", "that control, else empty"),
        col.number(
            "opt_control_rasters", "rasters", "rasters of each control; NaN where none was made", col.NOT_NEGATIVE
        ),
        col.text("opt_control_lattice", "lattice of the controls: layers x tokens x windows, else empty"),
    ),
    appendix=True,
)
