"""A model of three tokens whose every probability is written down."""

import math
from types import SimpleNamespace

import torch

# What a model that knows only the last character holds likely: character: probabilities of what follows.
FOLLOWS = {
    "$": {"a": 0.5, "b": 0.25, "$": 0.25},  # $ stands for the end of text
    "a": {"b": 0.7, "a": 0.2, "$": 0.1},
    "b": {"a": 0.4, "b": 0.1, "$": 0.5},
}


class KnownModel(torch.nn.Module):
    """Gives the probabilities of FOLLOWS, and those of no other position."""

    def __init__(self, tokenizer, block_size=12):
        super().__init__()
        self.config = SimpleNamespace(block_size=block_size, n_layer=0)
        ids = {"$": tokenizer.end_of_text} | {letter: int(tokenizer.encode(letter)[0]) for letter in "ab"}
        self.table = torch.nn.Parameter(torch.zeros(3, 3), requires_grad=False)
        for letter, following in FOLLOWS.items():
            for other, p in following.items():
                self.table[ids[letter], ids[other]] = math.log(p) + 5  # logits may be shifted
        self.read = []

    def forward(self, idx, targets=None, **rest):
        self.read += idx.tolist()
        return self.table[idx], None
