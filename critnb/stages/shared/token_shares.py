"""What the tokenizer made of a stage's text: shares of characters and tokens that are lost, kept, shown and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from critnb.canon import CANON, DatasetRole
from critnb.gates import Gate
from critnb.runs import Run

if TYPE_CHECKING:
    from critnb.pipeline.session import StageSession

Shares = Mapping[str, Mapping[str, Any]]
_MOST_LOST = CANON.CONST.TEXT_LOST_SHARE_MAX
_SHOWN = 5


def of_corpus(stage: StageSession, dataset: DatasetRole) -> Shares:
    """Write what became of the corpus that the stage's slices were cut from."""
    return _save(stage, {str(dataset): stage.text_counts(dataset)})


def of_texts(stage: StageSession, dataset: DatasetRole, texts: Iterable[str]) -> Shares:
    """Write what becomes of texts under the stage's tokenizer; raises ModelError where it fails on one."""
    from critnb.model.token_coverage import TextReader

    reader = TextReader(stage.model.tokenizer)
    for text in texts:
        reader.ids(text)
    return _save(stage, {str(dataset): reader.facts()})


def _save(stage: StageSession, shares: Shares) -> Shares:
    stage.save_json(CANON.OUTPUT.TOKEN_SHARES_JSON_BASENAME, shares)
    return shares


def load(run: Run) -> Shares:
    """Return what a stage wrote: counts by dataset."""
    return dict(run.json(run.result(CANON.OUTPUT.TOKEN_SHARES_JSON_BASENAME)))


def gates(shares: Shares) -> list[Gate]:
    """Return the gates on what is lost: of all characters those dropped, of all tokens the unknown ones."""
    return [gate for dataset, counts in shares.items() for gate in _gates_of(dataset, counts)]


def _gates_of(dataset: str, counts: Mapping[str, Any]) -> tuple[Gate, Gate]:
    most = ", ".join(f"{character!r} {n}" for character, n in counts["dropped_most"][:_SHOWN])
    unknown = counts["unk_token"]
    return (
        _share_gate(
            f"characters of {dataset} that the tokenizer drops",
            counts["n_dropped"],
            counts["n_chars"],
            condition="characters leave no token",
            reason=f"most often {most}" if most else "",
        ),
        _share_gate(
            f"tokens of {dataset} that are unknown",
            counts["n_unk"],
            counts["n_tokens"],
            condition="tokens are the unknown one",
            reason=f"the unknown token is {unknown}" if unknown else "the tokenizer has none",
        ),
    )


def _share_gate(name: str, part: int, whole: int, *, condition: str, reason: str) -> Gate:
    share = part / whole if whole else None
    return Gate.judge(
        name,
        passed=share is not None and share <= _MOST_LOST,
        value=None if share is None else f"{share:.3%}",
        condition=f"at most {_MOST_LOST:.0%} of the {condition}",
        reason=reason,
    )


def table(stage: StageSession, shares: Shares) -> pd.DataFrame:
    """Return one row per dataset: what was read, what was left out as null or empty, and what the tokenizer lost."""
    read = {name.partition("_")[0]: facts for name, facts in stage.run.record.datasets.items() if name not in shares}
    rows = []
    for dataset, counts in shares.items():
        facts = stage.run.record.datasets.get(dataset) or read.get(dataset, {})
        rows.append(
            {
                "text of": dataset,
                "texts": counts["n_texts"],
                "left out: null": facts.get("n_null", 0),
                "empty": facts.get("n_empty", 0),
                "characters": counts["n_chars"],
                "dropped": counts["n_dropped"],
                "tokens": counts["n_tokens"],
                "unknown": counts["n_unk"],
            }
        )
    return pd.DataFrame(rows)
