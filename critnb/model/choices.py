"""Log-probabilities of the choices of a question, as letters and as texts, under a gain.

What the choices of a question share, its prompt, goes through the model once; each choice goes on from the model's cache.
No mask is needed: questions of a batch share the cached *length*, not the text, so nothing stands before a prompt, and
what fills up a row stands behind its tokens, where a causal model does not look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from critnb.canon import CANON, Intervention
from critnb.data.questions import Question, arc_mcq_v1
from critnb.errors import NonFiniteError
from critnb.model.forward import ForwardPasses, OnBatch, unreported
from critnb.model.language_model import LanguageModel
from critnb.model.taps import gain_applied
from critnb.model.windows import opening_tokens

Tokens = tuple[int, ...]
Floats = NDArray[np.float64]
# logits of one pass: half a gigabyte of float32, and about three times that while they are normalised
_MOST_LOGITS = 2**27


@dataclass(frozen=True)
class Continuations:
    """What may follow a prompt: whole token sequences, of which the tokens from ``start`` on are scored.

    ``told_apart``: no two are the same tokens, and none is the prompt's own, so that scores compare choices.
    """

    sequences: tuple[Tokens, ...]
    start: int
    told_apart: bool = True


@dataclass(frozen=True)
class EncodedQuestion:
    """A question as a model reads it: its prompt followed by each label, and by each choice's text."""

    letters: Continuations
    texts: Continuations

    @property
    def n_tokens(self) -> int:
        """Tokens of the prompt with its longest choice."""
        return max(len(sequence) for sequence in self.sequences)

    @property
    def sequences(self) -> tuple[Tokens, ...]:
        """All sequences, letters first."""
        return self.letters.sequences + self.texts.sequences

    @property
    def shared(self) -> int:
        """Tokens that come before anything scored, the same in every sequence."""
        return min(self.letters.start, self.texts.start)

    @cached_property
    def rows(self) -> tuple[Tokens, ...]:
        """What a model must read: the sequences without their last tokens, and without those that begin another one.

        So labels that are single tokens need no row of their own.
        """
        rows: list[Tokens] = []
        for row in sorted({sequence[:-1] for sequence in self.sequences}, key=lambda row: (-len(row), row)):
            if not any(longer[: len(row)] == row for longer in rows):
                rows.append(row)
        return tuple(rows)

    def row_of(self, sequence: Tokens) -> int:
        """Return the place of the first row that holds what comes before a sequence's last token."""
        return next(i for i, row in enumerate(self.rows) if row[: len(sequence) - 1] == sequence[:-1])


def prompts(questions: Sequence[Question]) -> list[str]:
    """Return the ARC_MCQ_V1 prompt of each question, which holds its labels and choices as well."""
    return [arc_mcq_v1(question.text, question.labels, question.choices) for question in questions]


def encode(questions: Sequence[Question], tokenizer: Any) -> list[EncodedQuestion]:
    """Return the questions as tokens: ARC_MCQ_V1 prompts, continued by a space and a label, or a space and a choice.

    Prompt and continuation are tokenised together; what is scored begins at the first token in which a continuation
    differs from the prompt's own tokens, so that a token across the seam is scored and not cut.
    """
    texts: list[str] = []
    for question, prompt in zip(questions, prompts(questions), strict=True):
        texts += [prompt, f"{prompt} ", *(f"{prompt} {end}" for end in (*question.labels, *question.choices))]
    opening = opening_tokens(tokenizer)
    ids = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    whole = iter([(*opening, *each) for each in ids])
    return [_encoded([next(whole), next(whole)], [next(whole) for _ in range(2 * len(q.labels))]) for q in questions]


def _encoded(bare: list[Tokens], sequences: list[Tokens]) -> EncodedQuestion:
    """Return a question from the tokens of its prompt, without and with a space, and from those of its continuations."""
    half = len(sequences) // 2
    kinds = (tuple(sequences[:half]), tuple(sequences[half:]))
    return EncodedQuestion(
        *(
            Continuations(each, _start([bare[0], *each]), told_apart=len({*bare, *each}) == len({*bare}) + len(each))
            for each in kinds
        )
    )


def _start(sequences: Sequence[Tokens]) -> int:
    """Return how many leading tokens are shared, at least the first and never all of a sequence."""
    together = zip(*sequences, strict=False)
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, together))
    return max(1, min(shared, *(len(sequence) - 1 for sequence in sequences[1:])))


@dataclass(frozen=True, eq=False)
class ChoiceScores:
    """Sums of log-probabilities (nats) of each choice's label and of its text, float64 [Q, K], NaN beyond its choices."""

    letter: Floats
    text: Floats


@dataclass(frozen=True)
class Reuse:
    """Whether a model's cache may stand for a shared prompt, and how that was found."""

    allowed: bool
    reason: str


class ChoiceScorer:
    """Scores encoded questions; ``batch_tokens`` bounds rows times tokens of a pass, read or cached."""

    def __init__(self, model: LanguageModel, *, batch_tokens: int, reuse: bool = True) -> None:
        self.model = model
        self.reuse = reuse
        self._batch_tokens = batch_tokens

    @torch.inference_mode()
    def score(self, questions: Sequence[EncodedQuestion], gain: float, on_batch: OnBatch = unreported) -> ChoiceScores:
        """Return the scores [Q, K] under a gain on all MLPs; ``on_batch(n)`` is called when n more questions are finished.

        Raises ModelError where a token has no embedding, and NonFiniteError where a log-probability is not finite.
        """
        for question in questions:
            self.model.require_known([max(sequence) for sequence in question.sequences])
        most = max((len(question.letters.sequences) for question in questions), default=1)
        letter, text = (np.full((len(questions), most), np.nan) for _ in range(2))
        with gain_applied(self.model.taps, Intervention.MLP_GLOBAL, gain):
            for places in self._batches(questions):
                found = self._score_batch([questions[place] for place in places])
                for place, scores in zip(places, found, strict=True):
                    n = len(scores) // 2
                    letter[place, :n], text[place, :n] = scores[:n], scores[n:]
                    if not np.isfinite(scores).all():
                        raise NonFiniteError(
                            f"log-probabilities of choices are not finite at {Intervention.MLP_GLOBAL} gain {gain:g}; "
                            "take that gain out of gain.grid or use compute.dtype float32"
                        )
                on_batch(len(places))
        return ChoiceScores(letter, text)

    def _batches(self, questions: Sequence[EncodedQuestion]) -> Iterator[list[int]]:
        """Yield places of questions by length of prompt, as many together as a pass may hold."""
        batch: list[int] = []
        for place in sorted(range(len(questions)), key=lambda place: (questions[place].shared, place)):
            if batch and not self._fits([questions[other] for other in (*batch, place)]):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _fits(self, questions: Sequence[EncodedQuestion]) -> bool:
        rows = sum(len(question.rows) for question in questions)
        longest = max(question.n_tokens for question in questions)
        logits = rows * (longest - self._cached(questions)) * int(self.model.causal.config.vocab_size)
        return rows * longest <= self._batch_tokens and logits <= _MOST_LOGITS

    def _cached(self, questions: Sequence[EncodedQuestion]) -> int:
        """Return how many tokens of every question are cached: all shared ones but the last, which gives a first logit."""
        return min(question.shared for question in questions) - 1 if self.reuse else 0

    def _score_batch(self, questions: Sequence[EncodedQuestion]) -> list[Floats]:
        cached = self._cached(questions)
        logits = self._logits(questions, cached)
        at_row: list[int] = []
        at_token: list[int] = []
        target: list[int] = []
        first: list[int] = []
        above = 0
        for question in questions:
            for kind in (question.letters, question.texts):
                for sequence in kind.sequences:
                    first.append(len(target))
                    target += sequence[kind.start :]
                    at_row += [above + question.row_of(sequence)] * (len(sequence) - kind.start)
                    at_token += range(kind.start - 1 - cached, len(sequence) - 1 - cached)
            above += len(question.rows)
        picked = logits[self._ids(at_row), self._ids(at_token)].float()
        logprobs = torch.log_softmax(picked, dim=-1).gather(1, self._ids(target)[:, None])[:, 0]
        sums = np.add.reduceat(logprobs.cpu().numpy().astype(np.float64), first)
        return np.split(sums, np.cumsum([len(question.sequences) for question in questions])[:-1])

    def _logits(self, questions: Sequence[EncodedQuestion], cached: int) -> Tensor:
        """Return the logits [R, S, V] of all questions' rows, from the token after the first ``cached`` on."""
        rows = [row for question in questions for row in question.rows]
        longest = max(len(row) for row in rows)
        # any token may fill up a row: no token before it sees it, and no logit of it is read
        padded = self._ids([row[cached:] + row[-1:] * (longest - len(row)) for row in rows])
        past: dict[str, Any] = {"use_cache": False}
        if cached:
            prompts = self._ids([question.sequences[0][:cached] for question in questions])
            cache = self.model.body(input_ids=prompts, use_cache=True).past_key_values
            cache.batch_select_indices(self._ids([i for i, each in enumerate(questions) for _ in each.rows]))
            past = {"past_key_values": cache, "use_cache": True}
        logits: Tensor = self.model.causal(input_ids=padded, **past).logits
        return logits

    def _ids(self, values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self.model.device)


@dataclass(frozen=True, eq=False)
class Answered:
    """The scores of questions under a gain, on whatever worker: float64 [Q, K] by name."""

    questions: Sequence[EncodedQuestion]
    batch_tokens: int
    reuse: bool

    def __call__(self, passes: ForwardPasses, gain: float) -> dict[str, Floats]:
        """Return the scores; the passes report each question."""
        scorer = ChoiceScorer(passes.model, batch_tokens=self.batch_tokens, reuse=self.reuse)
        scores = scorer.score(self.questions, gain, passes.report)
        return {"letter": scores.letter, "text": scores.text}


@dataclass(frozen=True, eq=False)
class ReuseTried:
    """``prompt_reuse`` of some questions, on whatever worker."""

    questions: Sequence[EncodedQuestion]

    def __call__(self, passes: ForwardPasses, _shard: None) -> Reuse:
        """Return what was found."""
        return prompt_reuse(passes.model, self.questions)


def prompt_reuse(model: LanguageModel, questions: Sequence[EncodedQuestion]) -> Reuse:
    """Try the cache on the shortest and the longest question: allowed where it gives the scores of plain passes.

    Scores may differ by the square root of the dtype's eps, relative to the largest: a cache that is not the prompt's
    is off by far more, the order of sums by far less.
    """
    ends = sorted(questions, key=lambda question: question.n_tokens)
    tried = [ends[0], ends[-1]] if ends else []
    budget = sum(len(question.rows) for question in tried) * max((question.n_tokens for question in tried), default=0)
    plain, cached = (ChoiceScorer(model, batch_tokens=budget, reuse=reuse) for reuse in (False, True))
    expected = plain.score(tried, CANON.CONST.GAIN_BASELINE)
    try:
        found = cached.score(tried, CANON.CONST.GAIN_BASELINE)
    except (MemoryError, torch.OutOfMemoryError):
        # another machine would find that the cache serves
        raise
    except Exception as error:
        # caches of many classes fail in many ways, and each means that prompts are read anew for every choice
        return Reuse(False, f"the model takes no cache: {type(error).__name__}")
    off = [_largest(a - b) for a, b in ((expected.letter, found.letter), (expected.text, found.text))]
    allowed = max(off) <= torch.finfo(model.dtype).eps ** 0.5 * _largest(expected.text)
    return Reuse(allowed, f"scores from the cache are within {max(off):.1e} nats of those of plain passes")


def _largest(values: Floats) -> float:
    return float(np.nanmax(np.abs(values), initial=0.0))
