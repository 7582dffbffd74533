"""Texts for the tests of tokenizers and corpora, and how a split pattern cuts them."""

import numpy as np

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

# PATTERN without its group.
ALTERNATIVES = r"'(?:s|t|re|ve|m|ll|d)| ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"


def words_of(text, pattern):
    """How a pattern splits a text."""
    return words_of_parts([text], pattern)[0]


def words_of_parts(parts, pattern):
    """How a pattern splits each of several texts, seen through a vocabulary with all that is in them as one token."""
    inside = {part[i:j].encode() for part in parts for i in range(len(part)) for j in range(i + 1, len(part) + 1)}
    longer = sorted((word for word in inside if len(word) > 1), key=lambda word: (len(word), word))
    tokenizer = Tokenizer("bpe", [*(bytes([i]) for i in range(256)), *longer, b""], 256 + len(longer), pattern)
    return [[tokenizer.tokens[i] for i in tokenizer.encode(part)] for part in parts]
