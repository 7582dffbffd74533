"""Generation, token by token: from logits to probabilities, the choice of the next token, the loop that yields ids."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

from model.cache import KVCache
from model.decode import Decoder, is_plain
from model.gpt import GPT


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Within it the model is in eval mode and no gradients are kept; afterwards it is in the mode it was in before."""
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
    """logits (B, V) -> float32 probabilities to draw the next token from, (B, V), rows sum to 1.

    Divides by the temperature, keeps the `top_k` likeliest, then of those the smallest set whose probabilities sum to
    at least `top_p` (nucleus sampling, Holtzman et al. 2020). Ties at the edge go to the smaller id.
    """
    logits = logits.float() / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        edge = logits.topk(top_k).values[:, -1:]
        at_edge = logits == edge
        room = top_k - (logits > edge).sum(dim=-1, keepdim=True)
        logits = logits.masked_fill((logits < edge) | (at_edge & (at_edge.cumsum(dim=-1) > room)), float("-inf"))
    p = logits.softmax(dim=-1)
    if top_p is not None:
        ranked, order = p.sort(dim=-1, descending=True, stable=True)
        before = ranked.cumsum(dim=-1) - ranked  # the sum of the likelier ones
        ranked = ranked.masked_fill((before >= top_p) & (before > 0), 0.0)  # top_p may be too small for float32
        p = torch.zeros_like(p).scatter(-1, order, ranked / ranked.sum(dim=-1, keepdim=True))
    return p


def draw(p: Tensor, generator: Generator | None) -> Tensor:
    """Draws ids (B,) from probabilities p (B, V): in each row the first id up to which they sum to a random number.

    (torch.multinomial draws V random numbers a row, which takes a millisecond at 50,000 tokens.)
    """
    sums = p.cumsum(dim=-1)
    # above 0, so that nothing of probability 0 is drawn, and at most the last sum, whatever that was rounded to
    share = 1 - torch.rand(len(p), 1, generator=generator, device=p.device)
    # clamped for probabilities that are NaN, such as a model gives whose numbers overflow
    return torch.searchsorted(sums, share * sums[:, -1:]).squeeze(-1).clamp(max=p.shape[-1] - 1)


def choose(
    logits: Tensor, *, temperature: float, top_k: int | None, top_p: float | None, generator: Generator | None
) -> Tensor:
    """The next token of each row: logits (B, V) -> ids (B,). Temperature 0 takes the likeliest."""
    if temperature < 1e-8:  # dividing by less overflows float32, and would choose the likeliest all the same
        return logits.argmax(dim=-1)
    return draw(probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p), generator)


def generate(
    model: GPT,
    idx: Tensor,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
    wrap: Callable[[Callable], Callable] | None = None,
    use_cache: bool = True,
) -> Iterator[Tensor]:
    """Yields the ids (B,) that follow idx (B, T >= 1), step by step.

    `temperature` 0 is greedy; `top_k` and `top_p` narrow the choice. wrap: makes another of the function that chooses,
    logits (B, V) -> ids (B,). With `generator` the global random state is not touched. When the context is full, its
    last half is kept and read again, with a cache or without, so both give the same tokens however long the text grows
    (in float32).
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
    next_ids = partial(choose, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)
    return _generate(model, idx, max_new_tokens, wrap(next_ids) if wrap else next_ids, use_cache)


def _generate(
    model: GPT, idx: Tensor, max_new_tokens: int, next_ids: Callable[[Tensor], Tensor], use_cache: bool
) -> Iterator[Tensor]:
    block_size = model.config.block_size
    cache = KVCache(model.config.n_layer, block_size) if use_cache else None
    decoder = Decoder(model, len(idx)) if use_cache and is_plain(model) else None
    written: list[Tensor] = []  # (B,) each, since idx was last read
    for _ in range(max_new_tokens):
        if cache and 0 < cache.length < block_size:
            logits = read_one(model, decoder, written[-1], cache)  # (B, V)
        else:
            idx = torch.cat((idx, *(ids[:, None] for ids in written)), dim=1)  # (B, T)
            written = []
            if idx.shape[1] > block_size:
                idx = idx[:, -max(1, block_size // 2) :]
            if cache:
                cache.length = 0
            with eval_mode(model):
                logits = model(idx, cache=cache, last_only=True)[0][:, -1]  # (B, V)
        ids = next_ids(logits)  # (B,)
        yield ids
        written.append(ids)


def read_one(model: GPT, decoder: Decoder | None, ids: Tensor, cache: KVCache) -> Tensor:
    """Reads one more token of each sequence, ids (B,). Returns the logits after it, (B, V)."""
    if decoder and not decoder.has_hooks():
        return decoder(ids, cache)
    with eval_mode(model):
        return model(ids[:, None], cache=cache)[0][:, -1]


def continuation(model: GPT, ids: list[int], max_new_tokens: int, end_of_text: int | None, **options: Any) -> list[int]:
    """The ids that the model writes after `ids`, up to but without an end of text; `options` as in `generate`."""
    written = []
    idx = torch.tensor([ids], device=next(model.parameters()).device)  # (1, T)
    for new in generate(model, idx, max_new_tokens, **options):
        if (id := int(new)) == end_of_text:
            break
        written.append(id)
    return written
