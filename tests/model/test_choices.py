"""Scores of choices: against one plain pass a choice with SciPy's log-softmax, against closed forms, in any batch."""

from __future__ import annotations

import json
import pickle
import platform
from functools import cache
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import ROWS_AND_VARIANTS, byte_tokenizer, loaded_from, tiny_loaded
from scipy.special import log_softmax
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from critnb.canon import Intervention, ModelRole
from critnb.data.embedded import weights_directory
from critnb.data.questions import Question, read
from critnb.errors import NonFiniteError
from critnb.model.choices import Answered, ChoiceScorer, EncodedQuestion, ReuseTried, encode, prompt_reuse
from critnb.model.forward import ForwardPasses
from critnb.model.language_model import LanguageModel
from critnb.model.taps import Taps, gain_applied
from critnb.params import Loaded, validate

CLOSE = {"rtol": 2e-5, "atol": 2e-5}


def question(name: str, text: str, choices: list[str], labels: str = "ABCDE", answer: int = 0) -> Question:
    return Question(name, text, tuple(labels[: len(choices)]), tuple(choices), answer)


QUESTIONS = [
    question("four", "1+1", ["2", "3", "11", "0"]),
    question("three", "a", ["b", "c", "d e"], labels="1234", answer=2),
    question("five", "", ["x", "y", "z", "xy", "x"]),
    question("unicode", "é?", ["ü", "𝄞", "a"], labels="123"),
    question("again", "1+1", ["2", "3", "11", "0"]),
]


def short(questions: list[Question] = QUESTIONS) -> list[EncodedQuestion]:
    """The questions as byte tokens, their prompts cut at the left to fit the tiny models' contexts."""
    return [cut(each, keep=12 + 3 * i) for i, each in enumerate(encode(questions, byte_tokenizer()))]


def cut(whole: EncodedQuestion, keep: int) -> EncodedQuestion:
    off = whole.shared - keep
    kinds = [
        type(kind)(tuple(s[off:] for s in kind.sequences), kind.start - off) for kind in (whole.letters, whole.texts)
    ]
    return EncodedQuestion(*kinds)


@torch.inference_mode()
def one_by_one(model: LanguageModel, questions: list[EncodedQuestion], gain: float) -> list[list[float]]:
    """One pass per sequence, no cache, no padding; log-softmax and sum in float64 by SciPy and NumPy."""
    found = []
    with gain_applied(model.taps, Intervention.MLP_GLOBAL, gain):
        for each in questions:
            scores = []
            for kind in (each.letters, each.texts):
                for sequence in kind.sequences:
                    logits = model.causal(input_ids=torch.tensor([sequence]), use_cache=False).logits[0]
                    logprobs = log_softmax(logits.double().numpy(), axis=-1)
                    scores.append(sum(logprobs[i - 1, sequence[i]] for i in range(kind.start, len(sequence))))
            found.append(scores)
    return found


def flat(model: LanguageModel, questions: list[EncodedQuestion], gain: float, **options: Any) -> list[list[float]]:
    scores = ChoiceScorer(model, **{"batch_tokens": 4096, **options}).score(questions, gain)
    rows = np.concatenate([scores.letter, scores.text], axis=1)
    return [row[~np.isnan(row)].tolist() for row in rows]


def assert_close(found: list[list[float]], expected: list[list[float]]) -> None:
    assert [len(row) for row in found] == [len(row) for row in expected]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), **CLOSE)


@cache
def expected_of_llama(gain: float) -> list[list[float]]:
    return one_by_one(tiny_loaded("llama"), short(), gain)


@pytest.mark.parametrize("gain", [1.0, 0.6, 1.7])
@pytest.mark.parametrize("reuse", [True, False])
def test_scores_are_those_of_one_plain_pass_a_choice(gain, reuse):
    assert_close(flat(tiny_loaded("llama"), short(), gain, reuse=reuse), expected_of_llama(gain))


def test_a_gain_changes_scores_and_is_gone_afterwards():
    assert not np.allclose(np.concatenate(expected_of_llama(1.7)), np.concatenate(expected_of_llama(1.0)))
    flat(tiny_loaded("llama"), short(), 1.7)
    assert one_by_one(tiny_loaded("llama"), short(), 1.0) == expected_of_llama(1.0)


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(len(QUESTIONS))),
    taken=st.integers(1, len(QUESTIONS)),
    batch_tokens=st.sampled_from([1, 60, 100, 200, 4096]),
    reuse=st.booleans(),
)
def test_neither_batch_nor_order_nor_company_changes_a_score(order, taken, batch_tokens, reuse):
    places, questions = order[:taken], short()
    found = flat(
        tiny_loaded("llama"), [questions[place] for place in places], 1.2, batch_tokens=batch_tokens, reuse=reuse
    )
    assert_close(found, [expected_of_llama(1.2)[place] for place in places])


@pytest.mark.parametrize("name", ROWS_AND_VARIANTS)
def test_every_architecture_gives_the_scores_of_plain_passes(name):
    model, questions = tiny_loaded(name), short()
    reuse = prompt_reuse(model, questions)
    assert_close(flat(model, questions, 1.3, reuse=reuse.allowed), one_by_one(model, questions, 1.3))


def test_every_architecture_of_the_table_reads_a_prompt_once():
    refused = [name for name in ROWS_AND_VARIANTS if not prompt_reuse(tiny_loaded(name), short()).allowed]
    assert refused == []


def test_batches_hold_what_they_may_and_every_question_once():
    questions = short()
    for budget in (1, 200, 300, 100_000):
        batches = list(ChoiceScorer(tiny_loaded("llama"), batch_tokens=budget)._batches(questions))
        assert sorted(place for batch in batches for place in batch) == list(range(len(questions)))
        for batch in batches:
            rows = sum(len(questions[place].rows) for place in batch)
            assert len(batch) == 1 or rows * max(questions[place].n_tokens for place in batch) <= budget
    assert len(batches) == 1


def test_progress_counts_every_question():
    done: list[int] = []
    ChoiceScorer(tiny_loaded("llama"), batch_tokens=150).score(short(), 1.0, done.append)
    assert sum(done) == len(QUESTIONS)
    assert len(done) > 1


def test_questions_answered_elsewhere_have_the_same_scores():
    passes, seen = ForwardPasses(tiny_loaded("llama"), batch_tokens=150), []
    work, tried = Answered(short(), 150, reuse=True), ReuseTried(short())
    with passes.reporting(seen.append):
        found = pickle.loads(pickle.dumps(work))(passes, 1.2)
    expected = ChoiceScorer(passes.model, batch_tokens=150).score(short(), 1.2)
    np.testing.assert_array_equal(found["letter"], expected.letter)
    np.testing.assert_array_equal(found["text"], expected.text)
    assert sum(seen) == len(short())
    assert pickle.loads(pickle.dumps(tried))(passes, None) == prompt_reuse(passes.model, short())


def test_nothing_to_score():
    assert prompt_reuse(tiny_loaded("llama"), []).allowed
    assert ChoiceScorer(tiny_loaded("llama"), batch_tokens=100).score([], 1.0).letter.shape == (0, 1)


# a model that is a table: the next token's logits depend on the last token alone


class Bigrams:
    """A causal model whose logits are ``table[last token]``; as a cache it gives nothing but the length."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = torch.tensor(table, dtype=torch.float32)
        self.config = SimpleNamespace(vocab_size=len(table))
        self.base_model = self

    def __call__(self, input_ids: torch.Tensor, use_cache: bool, past_key_values: Any = None) -> Any:
        past = SimpleNamespace(batch_select_indices=lambda indices: None)
        return SimpleNamespace(logits=self.table[input_ids], past_key_values=past)


def bigrams(table: np.ndarray) -> LanguageModel:
    return LanguageModel(Bigrams(table), byte_tokenizer(), Taps((), 1), torch.device("cpu"), torch.float32, None)


def token(letter: str) -> int:
    (found,) = byte_tokenizer()(letter, add_special_tokens=False)["input_ids"]
    return found


def test_scores_of_a_table_are_sums_of_its_log_probabilities():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(257, 257))
    logprobs = log_softmax(table, axis=1)
    scores = ChoiceScorer(bigrams(table), batch_tokens=500).score(encode(QUESTIONS, byte_tokenizer()), 1.0)
    for row, each in enumerate(QUESTIONS):
        for place, (label, choice) in enumerate(zip(each.labels, each.choices, strict=True)):
            for found, end in ((scores.letter, label), (scores.text, choice)):
                chain = byte_tokenizer()(f": {end}", add_special_tokens=False)["input_ids"]
                expected = sum(logprobs[a, b] for a, b in pairwise(chain))
                assert found[row, place] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(scores.letter[1, 3:]).all()
    assert scores.letter.shape == (5, 5)


def test_a_model_that_knows_the_answer_and_one_that_knows_nothing():
    table = np.zeros((257, 257))
    uniform = ChoiceScorer(bigrams(table), batch_tokens=500).score(encode(QUESTIONS, byte_tokenizer()), 1.0)
    # a label is a space and a letter here, so two tokens of equal probability
    assert np.nanmax(np.abs(uniform.letter + 2 * np.log(257))) < 1e-4
    assert np.nanargmax(uniform.letter, axis=1).tolist() == [0] * 5
    table[token(" "), token("C")] = 9.0
    knowing = ChoiceScorer(bigrams(table), batch_tokens=500).score(encode(QUESTIONS[:1], byte_tokenizer()), 1.0)
    assert np.nanargmax(knowing.letter, axis=1).tolist() == [2]


def merging(*merges: tuple[str, str]) -> PreTrainedTokenizerFast:
    """The byte tokenizer with some pairs made one token, also across what a pre-tokenizer would cut."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<s>", *alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>")


def scored(tokenizer: Any, each: EncodedQuestion) -> tuple[list[str], list[str]]:
    letters, texts = (
        [tokenizer.decode(s[kind.start :]) for s in kind.sequences] for kind in (each.letters, each.texts)
    )
    return letters, texts


def test_what_is_scored_is_the_continuation_and_nothing_else():
    tokenizer = byte_tokenizer()
    for each, tokens in zip(QUESTIONS, encode(QUESTIONS, tokenizer), strict=True):
        # labels that share their first token, the space, are scored from there on all the same
        assert scored(tokenizer, tokens) == ([f" {label}" for label in each.labels], [f" {c}" for c in each.choices])
        assert tokens.sequences[0][0] == tokenizer.bos_token_id
        prompt = tokenizer.decode(tokens.sequences[0][1 : tokens.shared])
        assert prompt.startswith(f"Question: {each.text}\nChoices:\n{each.labels[0]}. {each.choices[0]}\n")
        assert prompt.endswith("\nAnswer:")


def test_labels_of_one_token_need_no_rows_of_their_own():
    tokenizer = merging(("Ġ", "A"), ("Ġ", "B"), ("Ġ", "C"), ("Ġ", "D"))
    (each,) = encode([question("q", "?", ["ab", "cd", "ef", "gh"])], tokenizer)
    assert [len(s) - each.letters.start for s in each.letters.sequences] == [1] * 4
    assert set(each.rows) == {s[:-1] for s in each.texts.sequences}


def test_a_token_across_the_seam_is_scored_and_not_cut():
    tokenizer = merging((":", "Ġ"))
    (each,) = encode(QUESTIONS[:1], tokenizer)
    assert scored(tokenizer, each)[0] == [": A", ": B", ": C", ": D"]


def of_letters(letters: str, unknown: str | None = None) -> PreTrainedTokenizerFast:
    """A vocabulary of single characters that drops all others, or maps them to the unknown one."""
    words = [*([unknown] if unknown else []), *sorted(set(letters))]
    model = models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[], unk_token=unknown)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), unk_token=unknown)


def told_apart(each: Question, tokenizer: Any) -> tuple[bool, bool]:
    (encoded,) = encode([each], tokenizer)
    return encoded.letters.told_apart, encoded.texts.told_apart


def test_choices_are_told_apart_where_their_tokens_differ_and_are_some():
    asked = question("q", "which?", ["ab", "ba", "a"])
    numbered = question("q", "which?", ["ab", "ba", "a"], labels="123")
    known = "Question: which?\nCchoies.Aaswr ab"
    assert told_apart(asked, of_letters(known + "ABC")) == (True, True)
    # 1, 2 and 3 leave nothing, or the same unknown token
    assert told_apart(numbered, of_letters(known + "ABC")) == (False, True)
    assert told_apart(numbered, of_letters(known + "ABC", "<unk>")) == (False, True)
    # one label, or one choice, of which nothing is left but the space before it
    assert told_apart(numbered, of_letters(known + "12")) == (False, True)
    assert told_apart(question("q", "which?", ["ab", "é", "a"]), of_letters(known + "ABC")) == (True, False)
    assert told_apart(question("q", "which?", ["naïve a", "nave a", "b"]), of_letters(known + "ABCnv")) == (True, False)
    # an unknown token is some, as long as no other choice is the same
    assert told_apart(question("q", "which?", ["ab", "é", "a"]), of_letters(known + "ABC", "<unk>")) == (True, True)
    assert told_apart(question("q", "which?", ["ab", "é", "ü"]), of_letters(known + "ABC", "<unk>")) == (True, False)


def test_bytes_tell_all_but_equal_choices_apart():
    assert [told_apart(each, byte_tokenizer()) for each in QUESTIONS] == [
        *[(True, True)] * 2,
        (True, False),
        *[(True, True)] * 2,
    ]


def test_a_tokenizer_without_an_opening_token_opens_nothing():
    tokenizer = byte_tokenizer()
    tokenizer.bos_token = tokenizer.eos_token = None
    (each,) = encode(QUESTIONS[:1], tokenizer)
    assert tokenizer.decode(each.sequences[0]).startswith("Question")


def test_tokens_of_a_question_are_those_of_its_prompt_and_longest_choice():
    (each,) = encode(QUESTIONS[:1], byte_tokenizer())
    text = "Question: 1+1\nChoices:\nA. 2\nB. 3\nC. 11\nD. 0\nAnswer: 11"
    assert each.n_tokens == 1 + len(text)


def test_a_cache_that_is_not_the_prompt_s_is_found_out():
    class Forgetful(Bigrams):
        def __call__(self, input_ids: torch.Tensor, use_cache: bool, past_key_values: Any = None) -> Any:
            found = super().__call__(input_ids, use_cache)
            if past_key_values is not None:
                found.logits = found.logits.roll(1, dims=-1)
            return found

    class Cacheless(Bigrams):
        def __call__(self, input_ids: torch.Tensor, use_cache: bool, past_key_values: Any = None) -> Any:
            return SimpleNamespace(logits=self.table[input_ids], past_key_values=None)

    table = np.random.default_rng(1).normal(size=(257, 257))
    for kind, words in ((Bigrams, "within 0.0e"), (Forgetful, "within"), (Cacheless, "takes no cache: AttributeError")):
        model = LanguageModel(kind(table), byte_tokenizer(), Taps((), 1), torch.device("cpu"), torch.float32, None)
        reuse = prompt_reuse(model, encode(QUESTIONS, byte_tokenizer()))
        assert reuse.allowed == (kind is Bigrams)
        assert words in reuse.reason


def test_scores_that_are_not_finite_name_the_gain():
    table = np.zeros((257, 257))
    table[token(" ")] = np.nan
    with pytest.raises(NonFiniteError, match=r"MLP_GLOBAL gain 1\.5"):
        ChoiceScorer(bigrams(table), batch_tokens=500).score(encode(QUESTIONS, byte_tokenizer()), 1.5)


@pytest.mark.slow
def test_the_embedded_model_answers_as_often_right_as_its_card_says():
    directory = weights_directory(ModelRole.INSTRUCT)
    card = json.loads((directory / "card.json").read_text())
    if card["python"] != platform.python_version():
        pytest.skip(f"the card is of the questions of Python {card['python']}")
    model = loaded_from(directory)
    asked = read(Loaded(validate({}, origin="test"), "test", directory)).questions
    scores = ChoiceScorer(model, batch_tokens=4096).score(encode(asked, model.tokenizer), 1.0)
    right = np.nanargmax(scores.letter, axis=1) == [each.answer for each in asked]
    # by a loop over questions when the models were trained
    assert right.mean() == card["measured"]["letter_accuracy"]
