"""Small models and what they read."""

import itertools

import torch
from torch import Tensor

from model import GPT, GPTConfig

SIZES = {"vocab_size": 11, "n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 6}
# How a model can know the order of its tokens.
POSITIONS = {
    "learned": {"position": "learned"},
    "sinusoidal": {"position": "sinusoidal"},
    "rope": {"position": "rope"},
    "n-grams": {"ngram": 4, "ngram_rows": 50},
}
# What makes our model a GPT-2, with the layernorm that it has by default.
GPT2 = {
    "position": "learned",
    "norm": "layernorm",
    "activation": "gelu",
    "qk_norm": False,
    "bias": True,
    "tie_embeddings": True,
}
OPTIONS = {
    "qk_norm": (False, True),
    "bias": (False, True),
    "attn_ratio": (1.0, 0.5, 2.0),
    "tie_embeddings": (False, True),
    "scale": (False, True),
    "causal": (False, True),
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]


def small_model(*, spread: float = 0.3, dtype: torch.dtype = torch.float32, seed: int = 0, **options) -> GPT:
    """A GPT with every parameter moved away from its initial value by a normal number of deviation `spread`.

    Where gains are 1 and biases 0, a test does not see one that is left out or in the wrong place.
    """
    torch.manual_seed(seed)
    model = GPT(GPTConfig(**SIZES | options)).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return model


def random_ids(batch: int = 2, length: int = 6, *, seed: int = 1, vocab_size: int = SIZES["vocab_size"]) -> Tensor:
    """int64 (batch, length), each below vocab_size."""
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))
