"""The prompt template of multiple-choice questions."""

from __future__ import annotations

from collections.abc import Sequence


def arc_mcq_v1(question: str, labels: Sequence[str], choices: Sequence[str]) -> str:
    """Return the ARC_MCQ_V1 prompt; the model's next token after it is the answer's label, with a leading space."""
    lines = [f"Question: {question}", "Choices:"]
    lines += [f"{label}. {choice}" for label, choice in zip(labels, choices, strict=True)]
    return "\n".join([*lines, "Answer:"])
