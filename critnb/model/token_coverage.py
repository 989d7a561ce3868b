"""What becomes of a text's characters under a tokenizer: how many leave no trace, and how many tokens are the unknown one.

A character is *dropped* where the tokens, read back, do not show that it was there, or where some of its bytes have no
token. Every character that occurs is tried once, between two letters, and then counted. That is exact where a character's
fate does not depend on its neighbours, as in byte-level, byte-fallback and character vocabularies; white space that a
normaliser takes from the ends of a text, or writes once for several, is not counted, nor is a character that is written in
another way (lower case, without its accent). Offsets of tokens are of no use here: those of a BPE vocabulary without an
unknown token close up over what it drops.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from critnb.errors import ModelError

_MOST_NAMED = 10
_PLAIN = {"add_special_tokens": False, "verbose": False, "return_attention_mask": False, "return_token_type_ids": False}
_LETTER = "a"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass
class TextReader:
    """Turns texts into token ids and counts, over all of them, characters that are dropped and unknown tokens."""

    tokenizer: Any
    n_texts: int = 0
    n_chars: int = 0
    n_tokens: int = 0
    n_unk: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    _has_token: dict[str, bool] = field(default_factory=dict, repr=False)

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text, none of them put around it; raises ModelError where the tokenizer fails."""
        ids: list[int] = self._ask(text)["input_ids"]
        self.n_texts += 1
        self.n_chars += len(text)
        self.n_tokens += len(ids)
        if self._unknown is not None:
            self.n_unk += ids.count(self._unknown)
        for character in set(text):
            if not self.has_token(character):
                self.dropped[character] += text.count(character)
        return ids

    def has_token(self, character: str) -> bool:
        """Tell whether a character between two letters leaves a trace among the tokens."""
        if character not in self._has_token:
            try:
                self._has_token[character] = self._leaves_trace(character)
            except ModelError:  # of the letter: a tokenizer that refuses what it does not know drops nothing
                self._has_token[character] = True
        return self._has_token[character]

    def facts(self) -> dict[str, Any]:
        """Return the counts as JSON has them, and the characters that were dropped most often."""
        return {
            "n_texts": self.n_texts,
            "n_chars": self.n_chars,
            "n_dropped": self.dropped.total(),
            "n_tokens": self.n_tokens,
            "n_unk": self.n_unk,
            "unk_token": None if self._unknown is None else str(self.tokenizer.unk_token),
            "dropped_most": [[each, n] for each, n in sorted(self.dropped.items(), key=_by_number)[:_MOST_NAMED]],
        }

    def _ask(self, text: str, **more: Any) -> Any:
        try:
            return self.tokenizer(text, **_PLAIN, **more)
        except Exception as error:
            # tokenizers raises bare Exceptions, such as where a vocabulary lacks the unknown token that it needs
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"tokenizer: text {self.n_texts + 1} cannot be turned into tokens: {reason[:200]}"
            ) from None

    @cached_property
    def _unknown(self) -> int | None:
        """The unknown token's id; None where there is none, or it is one that opens or ends texts (GPT-2)."""
        token = getattr(self.tokenizer, "unk_token", None)
        others = (getattr(self.tokenizer, name, None) for name in ("bos_token", "eos_token"))
        return None if token is None or token in others else int(self.tokenizer.unk_token_id)

    def _leaves_trace(self, character: str) -> bool:
        ids = list(self._ask(f"{_LETTER}{character}{_LETTER}")["input_ids"])
        if self._unknown in ids:
            return True
        found = self._read(ids)
        in_part = _REPLACEMENT in found and character != _REPLACEMENT
        return not in_part and found != self._without

    @cached_property
    def _without(self) -> str:
        return self._read(list(self._ask(2 * _LETTER)["input_ids"]))

    def _read(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _by_number(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
