"""Logits of a batch, a part at a time: of a large vocabulary they take far more room than all that the blocks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from critnb.model.hooks import answering
from critnb.model.language_model import LanguageModel

# So many logits are held at a time, a gigabyte of float32: a batch of 4096 tokens is whole up to 65536 words.
MOST_LOGITS = 2**28


@dataclass(frozen=True)
class Logits:
    """Logits [b, t, V] of the windows from ``window`` and the tokens from ``token`` on, of a batch [B, T]."""

    window: int
    token: int
    logits: Tensor


def logits_of(model: LanguageModel, ids: Tensor, most: int | None = None) -> Iterator[Logits]:
    """Yield the logits of token ids [B, T] in the order of windows and tokens, at most ``most`` (MOST_LOGITS) at a time, or those
    of one token.

    The body runs once, over the whole batch; the model's own head, its scaling and capping included, runs on parts of its
    hidden states. They are as large as ``most`` allows: last bits can follow from how large they are, and a batch that fits
    goes through the head at once. A model whose head does not ask its body as a whole (OPT) gives all logits at once.
    """
    most_tokens = (MOST_LOGITS if most is None else most) // model.vocabulary
    if ids.numel() <= most_tokens or not _asks_its_body(model, ids):
        yield Logits(0, 0, model.causal(input_ids=ids, use_cache=False).logits)
        return
    found = model.body(input_ids=ids, use_cache=False)
    for windows, tokens in _parts(len(ids), ids.shape[1], most_tokens):
        part = type(found)(**{**found, "last_hidden_state": found.last_hidden_state[windows, tokens]})
        with answering(model.body, partial(_given, part)):
            # under no name here, so that it is gone before the next is made
            parts = [model.causal(input_ids=ids[windows, tokens], use_cache=False).logits]
        yield Logits(windows.start, tokens.start, parts.pop())


def _parts(n_windows: int, n_tokens: int, most_tokens: int) -> Iterator[tuple[slice, slice]]:
    """Yield windows and tokens of each part: whole windows, or parts of one where a window alone is too much."""
    n, t = max(1, most_tokens // n_tokens), min(n_tokens, max(1, most_tokens))
    for window in range(0, n_windows, n):
        for token in range(0, n_tokens, t):
            yield slice(window, window + n), slice(token, token + t)


def _given(found: Any) -> Any:
    return found


class _AskedError(Exception):
    """The head has asked the body."""


class _PassedOverError(Exception):
    """The head has run the blocks in another way."""


def _asks_its_body(model: LanguageModel, ids: Tensor) -> bool:
    # neither is run, so readers of u see nothing
    try:
        with (
            answering(model.body, _raising(_AskedError)),
            answering(model.taps.layers[0].block, _raising(_PassedOverError)),
        ):
            model.causal(input_ids=ids[:1, :1], use_cache=False)
    except _AskedError:
        return True
    except _PassedOverError:
        pass
    return False


def _raising(error: type[Exception]) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer
