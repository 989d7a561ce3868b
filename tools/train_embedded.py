"""Train the two embedded models: ``python tools/train_embedded.py [--role BASE|INSTRUCT|all] [--device cuda]``.

BASE learns the sources of the standard library. INSTRUCT is BASE tuned on questions about docstrings, mixed half and
half with BASE's own text. The evaluation text of ``corpora`` and the held-out names of ``questions`` are never seen.
Both are written in the hub's directory layout, each with a card that holds what was measured on held-out text.

``--keep 0,100,500`` also writes the model as it was after so many steps, to ``ROLE-step-000100`` and so on beside the last, as
a sweep over checkpoints takes them (docs/SWEEPS.md).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ngram import WittenBell
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from tqdm.auto import tqdm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from critnb.canon import ModelRole
from critnb.data.embedded import WEIGHTS, corpora, questions
from critnb.data.questions import arc_mcq_v1

BOUNDARY = "<|endoftext|>"
_NGRAM_ORDER = 6

Tokens = NDArray[np.uint16]
Sampler = Callable[[np.random.Generator, int, int], NDArray[np.int64]]


@dataclass(frozen=True)
class Recipe:
    """What one training run does; a step sees ``batch`` windows of ``context`` tokens."""

    steps: int
    learning_rate: float
    batch: int = 8
    context: int = 512
    warmup: int = 100
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    seed: int = 1337

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, then linear decay to zero."""
        return self.learning_rate * min((step + 1) / self.warmup, (self.steps - step) / (self.steps - self.warmup))


RECIPES = {
    ModelRole.BASE: Recipe(steps=2800, learning_rate=3e-3),
    ModelRole.INSTRUCT: Recipe(steps=900, learning_rate=1e-3, seed=1338),
}


def architecture(vocab_size: int) -> LlamaConfig:
    """Return the configuration shared by both models: 8 layers, width 128, 384 MLP units, context 512."""
    return LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


def train_tokenizer(documents: list[str], vocab_size: int = 1280) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer of ``vocab_size`` pieces whose piece 0 separates documents."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[BOUNDARY], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOUNDARY, eos_token=BOUNDARY, model_max_length=512
    )


def encode(tokenizer: PreTrainedTokenizerFast, documents: list[str]) -> Tokens:
    """Return the documents as one token stream, each document opened by the boundary token."""
    pieces: list[int] = []
    for ids in tokenizer(documents, add_special_tokens=False)["input_ids"]:
        pieces += [tokenizer.bos_token_id, *ids]
    return np.array(pieces, dtype=np.uint16)


def text_sampler(stream: Tokens) -> Sampler:
    """Return a sampler of windows at random places of a token stream."""

    def sample(rng: np.random.Generator, batch: int, length: int) -> NDArray[np.int64]:
        starts = rng.integers(0, len(stream) - length, size=batch)
        return np.stack([stream[start : start + length] for start in starts]).astype(np.int64)

    return sample


def question_sampler(tokenizer: PreTrainedTokenizerFast) -> Sampler:
    """Return a sampler of windows packed with fresh questions about objects that are not held out."""
    builtin = [entry for entry in questions.builtin_descriptions() if not entry.held_out]
    library = [entry for entry in questions.python_descriptions() if not entry.held_out]
    pool = builtin + library

    def sample(rng: np.random.Generator, batch: int, length: int) -> NDArray[np.int64]:
        choose = random.Random(int(rng.integers(2**63)))
        rows = []
        for _ in range(batch):
            row: list[int] = []
            while len(row) < length:
                row += encode(tokenizer, [_answered(choose.choice(pool), pool, choose)]).tolist()
            rows.append(row[:length])
        return np.array(rows, dtype=np.int64)

    return sample


def _answered(entry: questions.Described, pool: list[questions.Described], rng: random.Random) -> str:
    question = questions.question_about(entry, pool, rng)
    if rng.random() < 0.3:
        return f"Question: {question['question']}\nAnswer: {entry.line}\n"
    choices = question["choices"]
    return f"{arc_mcq_v1(question['question'], choices['label'], choices['text'])} {question['answerKey']}\n"


def mixed(first: Sampler, second: Sampler) -> Sampler:
    """Return a sampler that takes half of each batch from either."""

    def sample(rng: np.random.Generator, batch: int, length: int) -> NDArray[np.int64]:
        half = batch // 2
        return np.concatenate([first(rng, half, length), second(rng, batch - half, length)])

    return sample


def fit(
    model: LlamaForCausalLM,
    sample: Sampler,
    recipe: Recipe,
    device: torch.device,
    after: Callable[[int], object] = lambda _: None,
) -> None:
    """Train ``model`` in place; ``after`` is called with the number of steps done before each step."""
    rng = np.random.default_rng(recipe.seed)
    model.to(device).train()
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)
    for step in (bar := tqdm(range(recipe.steps), unit="step", mininterval=5)):
        after(step)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        ids = torch.from_numpy(sample(rng, recipe.batch, recipe.context)).to(device)
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 20 == 0:
            bar.set_postfix(nats_per_token=f"{loss.item():.3f}")
    model.eval()


@torch.inference_mode()
def bits_per_byte(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, text: str) -> float:
    """Return the model's cross-entropy in bits a byte; every token but the first ones has at least 256 of context."""
    stream = torch.from_numpy(encode(tokenizer, [text]).astype(np.int64)).to(model.device)
    context, stride = 512, 256
    nats = 0.0
    for scored in range(1, len(stream), stride):
        end = min(scored + stride, len(stream))
        begin = max(0, end - context)
        logits = model(input_ids=stream[None, begin:end]).logits[0, scored - 1 - begin : end - 1 - begin].double()
        nats += float(torch.nn.functional.cross_entropy(logits, stream[scored:end], reduction="sum"))
    return nats / math.log(2) / len(text.encode())


def letter_accuracy(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> float:
    """Return the share of held-out docstring questions answered by the right letter."""
    asked = questions.evaluation_questions()
    return sum(_picks(model, tokenizer, question) == question["answerKey"] for question in asked) / len(asked)


@torch.inference_mode()
def _picks(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, question: questions.ArcRecord) -> str:
    choices = question["choices"]
    prompt = arc_mcq_v1(question["question"], choices["label"], choices["text"])
    ids = torch.from_numpy(encode(tokenizer, [prompt]).astype(np.int64))[None].to(model.device)
    scores: Tensor = model(input_ids=ids, logits_to_keep=1).logits[0, -1]
    letters = {label: int(tokenizer(f" {label}")["input_ids"][0]) for label in choices["label"]}
    return max(letters, key=lambda label: float(scores[letters[label]]))


def evaluate(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
    """Return what the card reports of a model."""
    measured = {f"bits_per_byte_{role}": bits_per_byte(model, tokenizer, text) for role, text in held_out().items()}
    return {**measured, "letter_accuracy": letter_accuracy(model, tokenizer)}


def baseline() -> dict[str, float]:
    """Return the best bits per byte of a byte n-gram model of orders 1..6 trained on the same text."""
    ngram = WittenBell("\n\n".join(corpora.training_documents()).encode(), _NGRAM_ORDER)
    return {f"bits_per_byte_{role}": min(ngram.bits_per_byte(text.encode())) for role, text in held_out().items()}


def held_out() -> dict[str, str]:
    """Return the two evaluation corpora as one text each."""
    return {
        "A": "\n\n".join(corpora.reference_documents()),
        "B": "\n\n".join(corpora.module_documents()),
    }


def save(folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Write the model with float16 weights and return it as anyone will load it: from that file, in float32."""
    model.to("cpu").half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write_card(
    folder: Path, role: ModelRole, recipe: Recipe, measured: dict[str, float], ngram: dict[str, float]
) -> None:
    """Write the model card, README.md, and the same numbers as card.json."""
    facts: dict[str, Any] = {
        "role": role,
        "recipe": vars(recipe),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "measured": measured,
        "byte_ngram_baseline": ngram,
    }
    (folder / "card.json").write_text(json.dumps(facts, indent=2) + "\n")
    trained_on = {
        ModelRole.BASE: "the sources of the Python standard library",
        ModelRole.INSTRUCT: "the same sources, then questions about library docstrings, starting from the BASE model",
    }[role]
    rows = "\n".join(
        f"| {name} | {measured[key]:.3f} | {ngram[key]:.3f} |"
        for name, key in (("A: language reference", "bits_per_byte_A"), ("B: held-out modules", "bits_per_byte_B"))
    )
    (folder / "README.md").write_text(
        f"# critnb embedded model, role {role}\n\n"
        f"A small Llama-architecture model trained from scratch on {trained_on} (CPython {facts['python']}).\n"
        f"It exists so that the pack runs anywhere with weights that were really trained; it is of no other use.\n\n"
        f"CPython's standard library is under the PSF License Agreement, the model under the "
        f"licence of the pack (see NOTICE there).\n\n"
        f"| held-out text | bits/byte | byte n-gram baseline |\n| --- | --- | --- |\n{rows}\n\n"
        f"Held-out four-choice docstring questions answered by letter: {measured['letter_accuracy']:.1%} (chance 25 %).\n\n"
        f"{recipe.steps} steps of {recipe.batch} x {recipe.context} tokens, AdamW, peak learning rate "
        f"{recipe.learning_rate:g}, seed {recipe.seed}.\n"
        f"The baseline is the best of orders 1 to {_NGRAM_ORDER} of an interpolated Witten-Bell byte model on the same text.\n"
    )


def train(role: ModelRole, weights: Path, device: torch.device, keep: Collection[int] = ()) -> dict[str, float]:
    """Train one role into ``weights``/role and return its measurements; the steps to ``keep`` are written beside it."""
    torch.manual_seed(RECIPES[role].seed)
    documents = corpora.training_documents()
    if role == ModelRole.BASE:
        tokenizer = train_tokenizer(documents)
        model = LlamaForCausalLM(architecture(len(tokenizer)))
    else:
        base = weights / "base"
        tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
        model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    sample = text_sampler(encode(tokenizer, documents))
    if role == ModelRole.INSTRUCT:
        sample = mixed(sample, question_sampler(tokenizer))
    folder = weights / role.lower()

    def after(step: int) -> None:
        if step in keep:
            save(folder.with_name(f"{folder.name}-step-{step:06d}"), copy.deepcopy(model), tokenizer)

    fit(model, sample, RECIPES[role], device, after)
    measured = evaluate(save(folder, model, tokenizer), tokenizer)
    write_card(folder, role, RECIPES[role], measured, baseline())
    return measured


def roles_to_train(choice: str) -> Iterator[ModelRole]:
    """Yield the roles in the order in which they must be trained."""
    yield from RECIPES if choice == "all" else (ModelRole(choice),)


def main() -> None:
    """Train what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--role", choices=[*map(str, RECIPES), "all"], default="all")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder that holds base/ and instruct/")
    parser.add_argument("--keep", default="", metavar="STEPS", help="steps whose model is kept, such as 0,100,500")
    arguments = parser.parse_args()
    keep = [int(step) for step in arguments.keep.split(",") if step]
    for role in roles_to_train(arguments.role):
        measured = train(role, arguments.weights, torch.device(arguments.device), keep)
        print(role, json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
