"""Characters that a tokenizer drops or does not know: counted as a reader with a pencil would, whatever the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import byte_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from critnb.errors import ModelError
from critnb.model.token_coverage import TextReader

LETTERS = "abcde "


def fast(
    model: Any, normalizer: Any = None, cut: Any = None, after: Any = None, **words: str
) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if cut:
        tokenizer.pre_tokenizer = cut
    if after:
        tokenizer.post_processor = after
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **words)


def of_characters(letters: str = LETTERS, *, unknown: bool = False, **more: Any) -> PreTrainedTokenizerFast:
    """A vocabulary of single characters, which drops all others, or maps them to <unk>."""
    words = ["<unk>", *letters] if unknown else [*letters]
    model = models.BPE(
        vocab={word: n for n, word in enumerate(words)}, merges=[], unk_token="<unk>" if unknown else None
    )
    return fast(model, **more, **({"unk_token": "<unk>"} if unknown else {}))


def read(tokenizer: Any, *texts: str) -> dict[str, Any]:
    reader = TextReader(tokenizer)
    for text in texts:
        reader.ids(text)
    return reader.facts()


def test_a_vocabulary_of_characters_drops_all_others():
    found = read(of_characters(), "a bad cab!\n", "ünder @@")
    # of the first: "!" and the newline; of the second: ü n r @ @
    assert found["dropped_most"] == [["@", 2], ["\n", 1], ["!", 1], ["n", 1], ["r", 1], ["ü", 1]]
    assert (found["n_dropped"], found["n_chars"], found["n_tokens"], found["n_unk"]) == (7, 19, 12, 0)


@given(st.lists(st.text(alphabet=LETTERS + "xyz\n\t✓é𝄞", max_size=30), max_size=5))
def test_what_is_dropped_is_what_the_vocabulary_lacks(texts):
    found = read(of_characters(), *texts)
    assert found["n_dropped"] == sum(letter not in LETTERS for text in texts for letter in text)
    assert found["n_dropped"] + found["n_tokens"] == found["n_chars"] == sum(map(len, texts))


def test_unknown_tokens_are_counted_and_their_characters_are_not_dropped():
    found = read(of_characters(unknown=True), "a✓b✓✓", "<unk>")
    # the last is the token itself, spelled out: the model reads it as unknown, too
    assert (found["n_unk"], found["n_tokens"], found["n_dropped"]) == (4, 6, 0)
    assert found["unk_token"] == "<unk>"


def test_a_token_that_ends_texts_is_not_unknown():
    tokenizer = byte_tokenizer()
    tokenizer.unk_token = tokenizer.eos_token
    assert read(tokenizer, "one<s>two<s>") | {"unk_token": None, "n_unk": 0} == read(tokenizer, "one<s>two<s>")


@given(st.text(max_size=40))
def test_a_byte_level_vocabulary_drops_nothing(text):
    assert read(byte_tokenizer(), text)["n_dropped"] == 0


def without_bytes(*gone: int, trim: bool = False) -> PreTrainedTokenizerFast:
    # bytes from 0xA1 on are named by the character of that number
    alphabet = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - {chr(byte) for byte in gone})
    model = models.BPE(vocab={letter: n for n, letter in enumerate(alphabet)}, merges=[])
    cut = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = fast(model, cut=cut, after=processors.ByteLevel(trim_offsets=trim))
    tokenizer.backend_tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def test_a_character_of_which_one_byte_is_missing_is_dropped():
    assert "é".encode() == b"\xc3\xa9"
    assert read(without_bytes(0xA9), "é è é")["dropped_most"] == [["é", 2]]
    assert read(without_bytes(0xC3), "é è é ñ a")["n_dropped"] == 4


def test_spaces_that_tokens_hold_are_not_dropped_where_offsets_leave_them_out():
    assert read(without_bytes(trim=True), " a  b c\n\nd ")["n_dropped"] == 0


def test_words_apart_need_no_token_for_the_space():
    words = {"[UNK]": 0, "a": 1, "##a": 2, "b": 3, "##b": 4}
    tokenizer = fast(
        models.WordPiece(vocab=words, unk_token="[UNK]"), cut=pre_tokenizers.BertPreTokenizer(), unk_token="[UNK]"
    )
    assert read(tokenizer, "ab a b ba")["n_dropped"] == 0
    # as single letters, words apart and one word are the same tokens
    assert read(of_characters("ab", cut=pre_tokenizers.WhitespaceSplit()), "ab a b ba")["dropped_most"] == [[" ", 3]]


def test_what_a_normaliser_takes_out_is_dropped_and_what_it_writes_otherwise_is_not():
    gone = of_characters(normalizer=normalizers.Replace("c", ""))
    assert read(gone, "abcabc")["dropped_most"] == [["c", 2]]
    assert read(of_characters(normalizer=normalizers.Lowercase()), "ABC abc")["n_dropped"] == 0
    plain = of_characters("e", normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]))
    assert read(plain, "éèe")["n_dropped"] == 0


def test_byte_fallback_drops_nothing_and_knows_all():
    words = ["<unk>", "▁", "a", *(f"<0x{byte:02X}>" for byte in range(256))]
    model = models.BPE(vocab={w: n for n, w in enumerate(words)}, merges=[], unk_token="<unk>", byte_fallback=True)
    steps = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    found = read(fast(model, normalizer=steps, unk_token="<unk>"), "a 字 a\n", "  ✓")
    assert (found["n_dropped"], found["n_unk"]) == (0, 0)


class InPython:
    """A tokenizer without the fast one's means: one token a known letter."""

    is_fast = False
    bos_token_id = eos_token_id = None

    def __call__(self, text: str, **_: Any) -> dict[str, Sequence[int]]:
        kept = "".join(letter for letter in text if letter in LETTERS)
        return {"input_ids": [LETTERS.index(letter) for letter in kept]}

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return "".join(LETTERS[number] for number in ids)


def test_a_tokenizer_in_plain_python_is_counted_in_the_same_way():
    assert read(InPython(), "a bad cab!\n")["dropped_most"] == [["\n", 1], ["!", 1]]


def test_a_tokenizer_that_refuses_a_text_is_named():
    strict = fast(models.WordLevel(vocab={"я": 0}), cut=pre_tokenizers.Split("", "isolated"))
    assert read(strict, "яя")["n_dropped"] == 0
    with pytest.raises(ModelError, match=r"^tokenizer: text 1 cannot be turned into tokens: .*\[UNK\]"):
        read(strict, "яb")


def test_token_ids_are_those_of_the_tokenizer():
    tokenizer = of_characters()
    assert TextReader(tokenizer).ids("a cab✓ e") == tokenizer("a cab✓ e", add_special_tokens=False)["input_ids"]
