"""Texts for the tests of tokenizers and corpora, and how a split pattern cuts them."""

import random

import numpy as np
import pytest

from data.tokenizer import Tokenizer

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "naps", "near"]
WORDS += ["its", "warm", "den"]


def prose(n_words, seed=0):
    """Random words."""
    return " ".join(np.random.default_rng(seed).choice(WORDS, n_words))


PROSE = (
    "It was the best of times, it was the worst of times; it wasn't 1789 yet.\r\n\r\n"
    "Trời ơi, con mèo đen ngủ trên mái nhà, rồi con mèo lại ngủ.  Đẹp lắm!\n"  # precomposed
    "Con me\u0300o \u0111en.\n"  # decomposed: marks beside their letters
    "他们说：“今天天气很好。”我们明天再去，好吗？天气很好。\n"
    "שלום עולם, مرحبا بالعالم. नमस्ते दुनिया 👩‍👩‍👧‍👦 👍🏽 x² + ½ = ①\t\tend\n"
) * 3

ODD = [
    "'s",
    "'RE",
    "'ſ",
    "’s",
    "\r\n",
    "\n\n",
    "  ",
    "\t",
    "\0",
    "½",
    "²",
    "Ⅳ",
    "٣",
    "e\u0301",
    "👩\u200d👧",
    "<|endoftext|>",
]
RANGES = [(0, 0x20), (0x20, 0x7F), (0x20, 0x7F), (0x80, 0x300), (0x300, 0x370), (0x370, 0x2000), (0x900, 0xE80)]
RANGES += [
    (0x2000, 0x2070),
    (0x3000, 0x3100),
    (0x3040, 0xA000),
    (0xE000, 0x10000),
    (0x1F300, 0x1FB00),
    (0x10000, 0x110000),
]


def random_strings(count, seed=0):
    """Short texts of characters from a few parts of Unicode each, of digits, words, and what is cut in odd ways."""
    rng = random.Random(seed)
    pools = [lambda low=low, high=high: chr(rng.randrange(low, high)) for low, high in RANGES]
    pools += [lambda: rng.choice(ODD), lambda: rng.choice("0123456789"), lambda: f" {rng.choice(WORDS)}"]
    chosen = (rng.sample(pools, rng.randrange(1, 6)) for _ in range(count))
    return ["".join(rng.choice(some)() for _ in range(rng.randrange(60))) for some in chosen]


# The split of Qwen3.5, as its tokenizer.json has it: PATTERN without its group.
ALTERNATIVES = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def published_patterns():
    """The split patterns of the encodings that tiktoken publishes, without their vocabularies."""
    from tiktoken_ext import openai_public

    with pytest.MonkeyPatch.context() as patch:
        for download in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
            patch.setattr(openai_public, download, lambda *args, **kwargs: {})
        return {name: getattr(openai_public, name)()["pat_str"] for name in ("gpt2", "cl100k_base", "o200k_base")}


def words_of(text, pattern):
    """How a pattern splits a text."""
    return words_of_parts([text], pattern)[0]


def words_of_parts(parts, pattern):
    """How a pattern splits each of several texts, seen through a vocabulary with all that is in them as one token."""
    inside = {part[i:j].encode() for part in parts for i in range(len(part)) for j in range(i + 1, len(part) + 1)}
    longer = sorted((word for word in inside if len(word) > 1), key=lambda word: (len(word), word))
    tokenizer = Tokenizer("bpe", [*(bytes([i]) for i in range(256)), *longer, b""], 256 + len(longer), pattern)
    return [[tokenizer.tokens[i] for i in tokenizer.encode(part)] for part in parts]
