"""Generation, token by token: the cache of keys and values, the choice of the next token, the loop that yields ids."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class LayerCache:
    """One layer's keys (B, H, T, K) and values (B, H, T, D) of the tokens so far, in room for `capacity` tokens."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.length = 0
        self.k = self.v = None

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the new tokens' k (B, H, t, K) and v (B, H, t, D), returns those of all tokens so far."""
        if self.k is None:
            B, H, _, K = k.shape
            self.k = k.new_empty(B, H, self.capacity, K)
            self.v = v.new_empty(B, H, self.capacity, v.shape[-1])
        end = self.length + k.shape[2]
        self.k[:, :, self.length : end] = k
        self.v[:, :, self.length : end] = v
        self.length = end
        return self.k[:, :, :end], self.v[:, :, :end]


class KVCache:
    """The keys and values of every layer, so that each new token costs one token's work.

    `length`: tokens so far. `before`: the last ones (B, ngram - 1), where n-grams have an embedding.
    """

    def __init__(self, n_layer: int, capacity: int):
        self.layers = [LayerCache(capacity) for _ in range(n_layer)]
        self.length = 0
        self.before = None


@contextmanager
def evaluating(model):
    """The model in eval mode and without gradients, and back in the mode it was found in."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            model.train()


def probabilities(logits: Tensor, *, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """logits (B, V) -> what to draw the next token from, (B, V), rows sum to 1.

    Divides by the temperature, keeps the `top_k` likeliest, then of those the smallest set whose probabilities sum to
    at least `top_p` (nucleus sampling, Holtzman et al. 2020). Ties at the edge go to the smaller id.
    """
    logits = logits.float() / temperature
    ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ranked[:, top_k:] = float("-inf")
    p = ranked.softmax(dim=-1)
    if top_p is not None:
        before = p.cumsum(dim=-1) - p  # what the likelier ones already sum to
        p = p.masked_fill(before >= top_p, 0.0)
        p = p / p.sum(dim=-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


def choose(logits: Tensor, *, temperature: float, top_k: int | None, top_p: float | None, generator) -> Tensor:
    """The next token of each row: logits (B, V) -> ids (B,). Temperature 0 takes the likeliest."""
    if temperature < 1e-8:  # dividing by less overflows float32, and would choose the likeliest all the same
        return logits.argmax(dim=-1)
    p = probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    return torch.multinomial(p, 1, generator=generator).squeeze(-1)


def generate(
    model,
    idx: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
) -> Iterator[Tensor]:
    """Yields the ids (B,) that follow idx (B, T >= 1), step by step.

    `temperature` 0 is greedy; `top_k` and `top_p` narrow the choice. With `generator` the model's own random state is
    not touched. When the context is full its last half is kept and read again, with a cache or without, so both give
    the same tokens however long the text grows (in fp32).
    Raises ValueError for an empty idx and for options out of range.
    """
    if idx.ndim != 2 or idx.shape[1] < 1:
        raise ValueError(f"idx: (B, T) with at least one token expected, {tuple(idx.shape)} given")
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature: {temperature} given, 0 or more expected")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: {top_k} given, at least 1 expected")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p: {top_p} given, a number above 0 and at most 1 expected")
    return _generate(model, idx, max_new_tokens, temperature, top_k, top_p, generator, use_cache)


def _generate(model, idx, max_new_tokens, temperature, top_k, top_p, generator, use_cache):
    block_size, n_layer = model.config.block_size, model.config.n_layer
    cache = None
    for _ in range(max_new_tokens):
        if idx.shape[1] > block_size:
            idx = idx[:, -max(1, block_size // 2) :]
            cache = None
        new = idx
        if use_cache:
            if cache is None:
                cache = KVCache(n_layer, block_size)
            else:
                new = idx[:, -1:]
        with evaluating(model):
            logits, _ = model(new, cache=cache)
        ids = choose(logits[:, -1], temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)  # (B,)
        yield ids
        idx = torch.cat((idx, ids[:, None]), dim=1)
