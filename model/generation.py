"""Generation, token by token: the cache of keys and values, the choice of the next token, the loop that yields ids."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from model.cache import KVCache
from model.decode import Decoder, is_plain


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
    if top_k is not None and top_k < logits.shape[-1]:
        edge = logits.topk(top_k).values[:, -1:]
        at_edge = logits == edge
        room = top_k - (logits > edge).sum(dim=-1, keepdim=True)
        logits = logits.masked_fill((logits < edge) | (at_edge & (at_edge.cumsum(dim=-1) > room)), float("-inf"))
    p = logits.softmax(dim=-1)
    if top_p is not None:
        ranked, order = p.sort(dim=-1, descending=True, stable=True)
        before = ranked.cumsum(dim=-1) - ranked  # what the likelier ones already sum to
        ranked = ranked.masked_fill(before >= top_p, 0.0)
        p = torch.zeros_like(p).scatter(-1, order, ranked / ranked.sum(dim=-1, keepdim=True))
    return p


def draw(p: Tensor, generator: torch.Generator | None) -> Tensor:
    """Ids (B,) drawn from probabilities p (B, V), with one random number a row: the first at which they sum to it.

    (torch.multinomial draws V numbers a row, which at 50,000 tokens takes a millisecond.)
    """
    sums = p.cumsum(dim=-1)
    # above 0, so that nothing of probability 0 is drawn, and at most the last sum, whatever that was rounded to
    share = 1 - torch.rand(len(p), 1, generator=generator, device=p.device)
    # of probabilities that are no numbers, such as a model that overflows gives, the last id
    return torch.searchsorted(sums, share * sums[:, -1:]).squeeze(-1).clamp(max=p.shape[-1] - 1)


def choose(logits: Tensor, *, temperature: float, top_k: int | None, top_p: float | None, generator) -> Tensor:
    """The next token of each row: logits (B, V) -> ids (B,). Temperature 0 takes the likeliest."""
    if temperature < 1e-8:  # dividing by less overflows float32, and would choose the likeliest all the same
        return logits.argmax(dim=-1)
    return draw(probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p), generator)


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
    block_size = model.config.block_size
    cache = KVCache(model.config.n_layer, block_size) if use_cache else None
    decoder = Decoder(model, len(idx)) if use_cache and is_plain(model) else None
    written = []  # since idx was last read
    for _ in range(max_new_tokens):
        if cache and 0 < cache.length < block_size:
            logits = read_one(model, decoder, written[-1], cache)
        else:
            idx = torch.cat((idx, *(ids[:, None] for ids in written)), dim=1)
            written = []
            if idx.shape[1] > block_size:
                idx = idx[:, -max(1, block_size // 2) :]
            if cache:
                cache.length = 0
            with evaluating(model):
                logits = model(idx, cache=cache, last_only=True)[0][:, -1]
        ids = choose(logits, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)  # (B,)
        yield ids
        written.append(ids)


def continuation(model, ids: list[int], max_new_tokens: int, end_of_text: int | None, **options) -> list[int]:
    """The ids that the model writes after `ids`, up to an end of text, which is left out; `options` of `generate`."""
    written = []
    idx = torch.tensor([ids], device=next(model.parameters()).device)  # (1, T)
    for (id,) in generate(model, idx, max_new_tokens, **options):
        if id == end_of_text:
            break
        written.append(int(id))
    return written


def read_one(model, decoder: Decoder | None, ids: Tensor, cache: KVCache) -> Tensor:
    """The logits (B, V) after one more token of each sequence, ids (B,)."""
    if decoder and not decoder.hooked():
        return decoder(ids, cache)
    with evaluating(model):
        return model(ids[:, None], cache=cache)[0][:, -1]
