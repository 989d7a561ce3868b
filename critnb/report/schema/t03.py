"""T03_ARC: answers to multiple-choice questions at g1 and g*, by letter and by text, and their paired difference."""

from __future__ import annotations

from functools import partial

from critnb.canon import CANON
from critnb.report.schema import columns as col
from critnb.report.schema.model import Range, TableSchema

_RIGHT = "questions/question"
_DIFFERENCE = Range(-1.0, 1.0)
_MARGIN = "nats"
_measured = partial(col.with_interval, over=col.QUESTIONS)


T03 = TableSchema(
    name=CANON.TABLE.T03_ARC,
    rows="per spike definition and target rate: the questions answered at g1 and at g*",
    key=col.G_CONDITION_KEY,
    columns=(
        *col.PROVENANCE,
        *col.SPIKES,
        col.G_CONDITION,
        col.number("g", "-", "that gain, on what every MLP adds to the residual stream", col.NOT_NEGATIVE),
        col.count("n_questions", "questions", "questions answered by letter"),
        *_measured(
            "accuracy",
            _RIGHT,
            "share answered right, by the label of highest log-probability; of k labels that tie each counts 1/k",
            col.SHARE,
        ),
        col.number(
            "mean_logprob_correct_minus_incorrect",
            _MARGIN,
            "mean over questions: the right label's log-probability minus the mean of the others'",
        ),
        *col.interval("opt_mean_logprob_correct_minus_incorrect", _MARGIN, over=col.QUESTIONS),
        col.count(
            "opt_n_skipped", "questions", "questions left out because prompt and longest choice exceed the context"
        ),
        col.count("opt_n_questions_text", "questions", "questions answered by text"),
        col.count(
            "opt_n_same_labels",
            "questions",
            "questions within the context that are left out by letter: two labels are the same tokens, or one is none",
        ),
        col.count("opt_n_same_choices", "questions", "the same of choices, left out by text"),
        col.count("opt_n_ties", "questions", "questions in which labels tie for the highest log-probability"),
        col.count("opt_n_ties_text", "questions", "the same of texts"),
        col.count("opt_n_ties_norm", "questions", "the same of texts per byte"),
        col.text("opt_reason", "how many questions were left out and why; empty where none were"),
        col.number("opt_chance", _RIGHT, "accuracy of a blind choice: mean of 1 / number of choices", col.SHARE),
        col.number("opt_chance_text", _RIGHT, "the same of the questions answered by text", col.SHARE),
        *_measured(
            "opt_acc_text", _RIGHT, "share answered right, by the summed log-probability of the text", col.SHARE
        ),
        *_measured("opt_acc_norm", _RIGHT, "the same, divided by the text's bytes in UTF-8", col.SHARE),
        *_measured("opt_accuracy_vs_g1", _RIGHT, "accuracy minus that at g1, same questions", _DIFFERENCE),
        *_measured("opt_acc_text_vs_g1", _RIGHT, "acc_text minus that at g1, same questions", _DIFFERENCE),
        *_measured("opt_acc_norm_vs_g1", _RIGHT, "acc_norm minus that at g1, same questions", _DIFFERENCE),
        *_measured(
            "opt_mean_logprob_correct_minus_incorrect_vs_g1",
            _MARGIN,
            "mean_logprob_correct_minus_incorrect minus that at g1, same questions",
        ),
    ),
)
