"""Models to measure the parts of ours against: blocks without one of their parts, and an LSTM."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from model import GPT, GPTConfig
from model.cpu import cross_entropy
from model.gpt import Block


class WithoutResiduals(Block):
    """A block whose parts replace the stream instead of adding to it."""

    def forward(self, x: Tensor, **options: Any) -> Tensor:
        return self.mlp(self.ln_2(self.attn(self.ln_1(x), **options)))


class Nothing(nn.Module):
    """Adds nothing to the stream."""

    def forward(self, x: Tensor, **options: Any) -> Tensor:
        return torch.zeros_like(x)


def without_residuals(model: GPT) -> None:
    for block in model.blocks:
        block.__class__ = WithoutResiduals


def without_norms(model: GPT) -> None:
    """Takes out all norms of the stream; those of queries and keys stay."""
    model.ln_f = nn.Identity()  # type: ignore[assignment]
    for block in model.blocks:
        block.ln_1, block.ln_2 = nn.Identity(), nn.Identity()


def without_mlp(model: GPT) -> None:
    for block in model.blocks:
        block.mlp = Nothing()


def without_attention(model: GPT) -> None:
    for block in model.blocks:
        block.attn = Nothing()


VARIANTS = {
    "whole": lambda model: None,
    "without residuals": without_residuals,
    "without layernorm": without_norms,
    "without MLP": without_mlp,
    "without attention": without_attention,
}


class LSTM(nn.Module):
    """A language model of one LSTM layer, called and trained as GPT is: embedding, LSTM, norm, head."""

    def __init__(self, config: GPTConfig, hidden: int) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        nn.init.normal_(self.wte.weight, std=0.02)
        self.blocks = nn.LSTM(config.n_embd, hidden, batch_first=True)
        self.ln_f = nn.LayerNorm(hidden, bias=False)
        self.lm_head = nn.Linear(hidden, config.vocab_size, bias=False)
        nn.init.normal_(self.lm_head.weight, std=0.02)

    @classmethod
    def of_size(cls, config: GPTConfig, parameters: int) -> "LSTM":
        """The widest one that has at most so many parameters."""
        V, C = config.vocab_size, config.n_embd
        linear = V + 4 * C + 9  # hidden units times this, and 4 times their square: head, input, biases and norm
        hidden = (math.sqrt(linear**2 + 16 * (parameters - V * C)) - linear) / 8
        return cls(config, int(hidden))

    def forward(self, idx: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As GPT.forward."""
        logits = self.lm_head(self.ln_f(self.blocks(self.wte(idx))[0]))  # (B, T, V)
        loss = None if targets is None else cross_entropy(logits.flatten(0, 1), targets.reshape(-1))
        return logits, loss
