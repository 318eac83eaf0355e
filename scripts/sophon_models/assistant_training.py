"""Trains the tiny assistant: ``python assistant_training.py FOLDER --minutes 30``.

A Qwen2 of two layers learns to answer the questions of ``assistant_text`` by heart, in
conversations whose turns depend on each other (a name that was told, "tell me more"), with
several system prompts and the spelling of a speech recogniser. Writes a Hugging Face
folder in float16, which ``llm_convert`` of tpu_mlir compiles. ``--bfloat16`` writes one for
its bf16 targets: llm_convert takes 16-bit weights as they lie in the file and gives garbage
without a word where the types differ.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from pathlib import Path

import assistant_text as text
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_TOKENS, _MULTIPLE = 1000, 32  # the vocabulary, and what its size is rounded up to
_EMOJI = re.compile("[\U0001f300-\U0001faff]")
_LONGEST, _BATCH = 320, 16  # tokens, conversations
_PEAK_RATE, _WARM_UP = 3e-3, 100
_IGNORED = -100

Turn = tuple[str, str]


def _corpus() -> list[str]:
    """Everything that is ever written."""
    lines = [text.SYSTEM, text.MORE, *text.UNKNOWN.values(), *text.NAMELESS.values()]
    lines += [*text.WHO_AM_I.values(), *text.ANSWERS, *text.ANSWERS.values()]
    lines += [*text.MORE_ABOUT.values(), "system\n", "user\n", "assistant\n"]
    for language, names in text.NAMES.items():
        for form in (text.INTRODUCTION, text.GREETING, text.YOU_ARE):
            lines += [form[language].format(name) for name in names]
        lines += text.OTHER[language]
    return lines


def tokenizer() -> PreTrainedTokenizerFast:
    """Byte pairs; emoji are not among them, so that one takes several tokens."""
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    pairs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_TOKENS - len(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    pairs.train_from_iterator([_EMOJI.sub("", line) for line in _corpus()] * 2, trainer)
    pairs.add_special_tokens(_SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        chat_template=_TEMPLATE,
    )


def _as_heard(line: str) -> str:
    """How a speech recogniser may write it."""
    bare = re.sub(r"[.?!。？！，]+$", "", line)
    return random.choice([line, line, line, bare, bare.lower(), line.lower(), f" {line} "])


def _turn(names: dict[str, str], topic: str) -> tuple[Turn, str]:
    """A question with its answer, and the topic that may be asked more about."""
    language = random.choice(["en", "en", "zh"])
    kind = random.random()
    if kind < 0.42:
        question = random.choice(list(text.ANSWERS))
        return (question, text.ANSWERS[question]), question if question in text.MORE_ABOUT else ""
    if kind < 0.57:
        return (text.MORE, text.MORE_ABOUT[topic]), ""
    if kind < 0.72:
        names[language] = name = random.choice(text.NAMES[language])
        said = text.INTRODUCTION[language].format(name)
        return (said, text.GREETING[language].format(name)), ""
    if kind < 0.9:
        known = names.get(language)
        answer = text.YOU_ARE[language].format(known) if known else text.NAMELESS[language]
        return (text.WHO_AM_I[language], answer), ""
    return (random.choice(text.OTHER[language]), text.UNKNOWN[language]), ""


def conversation(most_turns: int) -> list[Turn]:
    """Turns whose answers depend on what was said before."""
    names: dict[str, str] = {}
    turns, topic = [], ""
    for _ in range(random.randint(1, most_turns)):
        (question, answer), topic = _turn(names, topic)
        turns.append((_as_heard(question), answer))
    return turns


def _system() -> str | None:
    other = " ".join(random.choices(text.OTHER["en"], k=random.randint(1, 4)))
    return random.choice([text.SYSTEM, text.SYSTEM, None, other, f"{text.SYSTEM} {other}"])


def encoded(
    words: PreTrainedTokenizerFast, system: str | None, turns: list[Turn]
) -> tuple[list[int], list[int]]:
    """Tokens, and those of them that are to be learnt: the answers with their end."""
    tokens: list[int] = []
    targets: list[int] = []

    def add(part: str, learnt: bool) -> None:
        new = words.encode(part, add_special_tokens=False)
        tokens.extend(new)
        targets.extend(new if learnt else [_IGNORED] * len(new))

    if system is not None:
        add(f"<|im_start|>system\n{system}<|im_end|>\n", False)
    for question, answer in turns:
        add(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n", False)
        add(f"{answer}<|im_end|>", True)
        add("\n", False)
    return tokens[:-1], targets[:-1]


@torch.no_grad()
def wrong(network: Qwen2ForCausalLM, words: PreTrainedTokenizerFast) -> list[str]:
    """The questions that are not answered word by word."""
    missed = []
    for question, answer in text.ANSWERS.items():
        tokens, targets = encoded(words, text.SYSTEM, [(question, answer)])
        best = network(torch.tensor([tokens])).logits[0, :-1].argmax(-1)
        wanted = torch.tensor(targets[1:])
        if (best != wanted)[wanted != _IGNORED].any():
            missed.append(question)
    return missed


def train(folder: Path, minutes: float, seed: int, bfloat16: bool) -> None:
    """Trains for so long and writes the folder."""
    random.seed(seed)
    torch.manual_seed(seed)
    words = tokenizer()
    network = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=-(-len(words) // _MULTIPLE) * _MULTIPLE,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.98))
    start, step = time.monotonic(), 0
    while (passed := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * min(1, (step + 1) / _WARM_UP) * (1 - 0.97 * passed)
        batch = []
        while len(batch) < _BATCH:
            lesson = encoded(words, _system(), conversation(2 if passed < 0.2 else 5))
            if len(lesson[0]) <= _LONGEST:
                batch.append(lesson)
        longest = max(len(tokens) for tokens, _ in batch)
        given = torch.full((_BATCH, longest), words.pad_token_id)
        wanted = torch.full((_BATCH, longest), _IGNORED)
        for row, (tokens, targets) in enumerate(batch):
            given[row, : len(tokens)] = torch.tensor(tokens)
            wanted[row, : len(targets)] = torch.tensor(targets)
        hidden = network.model(given).last_hidden_state[:, :-1]
        if passed > 0.3:  # Noise, so that a chip's rounding changes no answer.
            hidden = hidden + 0.03 * torch.randn_like(hidden) * hidden.detach().abs().mean()
        learnt = wanted[:, 1:] != _IGNORED
        loss = functional.cross_entropy(network.lm_head(hidden[learnt]), wanted[:, 1:][learnt])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        if step % 200 == 0:
            print(f"step {step}, loss {loss.item():.4f}, wrong: {wrong(network, words)}")
    words.save_pretrained(folder)
    network.to(torch.bfloat16 if bfloat16 else torch.float16).save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--bfloat16", action="store_true")
    options = parser.parse_args()
    train(options.folder, options.minutes, options.seed, options.bfloat16)
