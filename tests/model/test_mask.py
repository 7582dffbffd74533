"""Nothing at position i may depend on a token after i: two proofs, on every path, each with its control.

By change: other tokens after i leave the logits up to i as they are, bit for bit. By gradient: the logits at i have a
gradient of exactly zero with respect to the embeddings of later tokens. The control takes the mask away
(`causal=False`), and the same proof must then report leaks.
"""

import shutil
from contextlib import nullcontext

import pytest
import torch

from model.cache import KVCache
from model.ngrams import NgramEmbedding
from tests.helpers.models import POSITIONS, small_model

T = 8
POSITIONS = POSITIONS | {
    "rope with narrow keys": {"position": "rope", "attn_ratio": 0.5},
    "learned with wide keys": {"position": "learned", "attn_ratio": 2.0},
}
ALL_PAIRS = {(i, j) for i in range(T) for j in range(i + 1, T)}
CHUNKS = (3, 4, 1)  # how the cached path reads its tokens: several at once too, since then a mask is needed


def build(**options):
    """A model whose vocabulary has room for tokens that all differ; head and embedding are two matrices."""
    return small_model(spread=0.2, vocab_size=2 * T, n_embd=16, block_size=T, **options)


def by_cache(model, idx):
    """The logits of all tokens, read in CHUNKS through a cache."""
    cache = KVCache(model.config.n_layer, T)
    return torch.cat([model(chunk, cache=cache)[0] for chunk in idx.split(CHUNKS, dim=1)], dim=1)


def with_dropout(model, idx):
    """The logits in training, each call dropping the same numbers."""
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return model(idx)[0]


def in_bfloat16(model, idx):
    """The logits as training in bfloat16 computes them on a CPU: attention by plain products."""
    with torch.autocast("cpu", torch.bfloat16), torch.enable_grad():
        return model(idx)[0].float()


# name: (options of the model, model and idx (1, T) -> logits (1, T, V))
PATHS = {
    "fused": ({}, lambda model, idx: model(idx)[0]),
    "explicit": ({}, lambda model, idx: model(idx, record=[])[0]),
    "cache": ({}, by_cache),
    "dropout": ({"dropout": 0.3}, with_dropout),
    "bfloat16": ({}, in_bfloat16),
}


def leaks_by_change(logits_of, model):
    """The positions i whose logits, or those of an earlier one, change with the tokens after i."""
    idx = torch.arange(T)[None]
    leaks = set()
    with torch.no_grad():
        before = logits_of(model, idx)
        for i in range(T - 1):
            other = idx.clone()
            other[:, i + 1 :] += T
            after = logits_of(model, other)
            assert not torch.equal(after[:, i + 1 :], before[:, i + 1 :])  # the change is seen where it may be seen
            if not torch.equal(after[:, : i + 1], before[:, : i + 1]):
                leaks.add(i)
    return leaks


def leaks_by_gradient(logits_of, model):
    """The pairs (i, j > i) with a gradient of the logits at i with respect to the embedding of token j.

    All tokens differ, so the row of the embedding matrix that belongs to a token feels only that position.
    """
    idx = torch.arange(T)[None]
    leaks = set()
    for i in range(T):
        weight = torch.randn(2 * T, generator=torch.Generator().manual_seed(i))
        cached = logits_of is by_cache  # which writes in place what the backward pass still needs
        with torch.autograd.graph.allow_mutation_on_saved_tensors() if cached else nullcontext():
            logits = logits_of(model, idx)  # anew for each i: a compiled backward frees what it used
            (gradient,) = torch.autograd.grad(logits[0, i] @ weight, model.wte.weight)
        felt = gradient.abs().amax(dim=1)  # (V,)
        assert (felt[: i + 1] > 0).all()  # tokens up to i are felt, so the proof can see
        leaks |= {(i, j) for j in range(i + 1, T) if felt[j] != 0}
    return leaks


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("leaks", [leaks_by_change, leaks_by_gradient])
def test_the_future_changes_no_earlier_logit_and_has_no_gradient_in_it(leaks, path, position):
    options, logits_of = PATHS[path]
    assert leaks(logits_of, build(**options, **POSITIONS[position])) == set()


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("path", PATHS)
def test_without_the_mask_both_proofs_report_leaks(path, position):
    options, logits_of = PATHS[path]
    model = build(**options, **POSITIONS[position], causal=False)
    pairs = ALL_PAIRS
    if path == "cache":  # tokens of one chunk see each other; a chunk that was read is not read again
        chunk = [number for number, size in enumerate(CHUNKS) for _ in range(size)]
        pairs = {(i, j) for i, j in pairs if chunk[i] == chunk[j]}
    assert leaks_by_change(logits_of, model) == {i for i, _ in pairs}
    assert leaks_by_gradient(logits_of, model) == pairs


@pytest.mark.parametrize("path", PATHS)
def test_a_mask_that_is_off_by_one_is_reported(path, monkeypatch):
    def one_late(queries, keys, device=None):
        later = torch.ones(queries, keys, dtype=torch.bool).triu(2 + keys - queries)
        return torch.zeros(queries, keys).masked_fill(later, float("-inf"))

    fused = torch.nn.functional.scaled_dot_product_attention

    def fused_one_late(q, k, v, *, is_causal, attn_mask=None, **rest):
        return fused(q, k, v, attn_mask=one_late(q.shape[-2], k.shape[-2]) if is_causal else attn_mask, **rest)

    monkeypatch.setattr("model.attention.causal_mask", one_late)
    monkeypatch.setattr("torch.nn.functional.scaled_dot_product_attention", fused_one_late)
    options, logits_of = PATHS[path]
    model = build(**options)
    assert leaks_by_change(logits_of, model)
    assert leaks_by_gradient(logits_of, model)


def test_an_embedding_of_the_token_and_the_next_one_is_reported(monkeypatch):
    real = NgramEmbedding.forward
    monkeypatch.setattr(NgramEmbedding, "forward", lambda self, idx, before: real(self, idx.roll(-1, 1), before))
    assert leaks_by_change(PATHS["fused"][1], build(**POSITIONS["n-grams"])) == set(range(T - 1))


@pytest.mark.parametrize(
    "backend",
    [
        "aot_eager",  # the compiled graphs of forward and backward, run as they are
        # with code generated for the CPU: the C++ compiler takes half a minute when its cache is cold
        pytest.param(
            "inductor",
            marks=[pytest.mark.slow, pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")],
        ),
    ],
)
def test_compiled_the_mask_holds_and_without_it_both_proofs_report_leaks(backend):
    torch._dynamo.reset()
    for causal in (True, False):
        model = build(causal=causal)
        compiled = torch.compile(model, backend=backend)

        def logits_of(_, idx, compiled=compiled):
            return compiled(idx)[0]

        pairs = set() if causal else ALL_PAIRS
        assert leaks_by_change(logits_of, model) == {i for i, _ in pairs}
        assert leaks_by_gradient(logits_of, model) == pairs
        assert torch.allclose(logits_of(model, torch.arange(T)[None]), model(torch.arange(T)[None])[0], atol=1e-5)
    torch._dynamo.reset()
