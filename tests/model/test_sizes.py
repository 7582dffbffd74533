"""What a model says of its own size: FLOPs, parameters, bytes of its cache."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from model import GPT, GPTConfig
from model.cache import KVCache
from model.sizes import flops_per_token, kv_cache_bytes, parameter_table
from tests.helpers.models import COMBINATIONS, GPT2, random_ids, small_model


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"position": "learned", "tie_embeddings": True, "bias": True},
        {"activation": "swiglu", "attn_ratio": 0.5},
        {"ngram": 3},
        {"activation": "gelu", "attn_ratio": 2.0, "position": "sinusoidal"},
    ],
)
def test_flops_per_token_are_those_that_torch_counts(options):
    model = small_model(**options)
    with FlopCounterMode(display=False) as counter:  # the explicit path: every product forward and backward, no more
        model(random_ids(), random_ids(seed=3), record=[])[1].backward()
    assert flops_per_token(model) * 2 * 6 == counter.get_total_flops()


def test_parameter_table_counts_every_parameter_once():
    assert dict(parameter_table(small_model(ngram=3, ngram_rows=7)))["n-gram embedding"] == 2 * 7 * 8
    for options in COMBINATIONS:
        for position, activation in (("learned", "swiglu"), ("rope", "gelu")):
            model = small_model(position=position, activation=activation, **options)
            assert sum(count for _, count in parameter_table(model)) == sum(p.numel() for p in model.parameters())
            assert dict(parameter_table(model)).get("head", 0) == (0 if options["tie_embeddings"] else 11 * 8)


def test_parameter_table_of_gpt2_is_the_published_one():
    shape = {"vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 1024}
    with torch.device("meta"):
        table = dict(parameter_table(GPT(GPTConfig(**shape, **GPT2))))
    assert sum(table.values()) == 124_439_808
    assert table == {
        "token embedding": 50257 * 768,
        "position embedding": 1024 * 768,
        "attention": 12 * (768 * 4 * 768 + 4 * 768),
        "mlp": 12 * (768 * 8 * 768 + 5 * 768),
        "norms": 25 * 2 * 768,
    }


@pytest.mark.parametrize("attn_ratio", [0.5, 1.0, 2.0])
def test_kv_cache_bytes_are_those_a_cache_holds(attn_ratio):
    for dtype, capacity in ((torch.float32, 6), (torch.float64, 5)):
        model = small_model(attn_ratio=attn_ratio).to(dtype)
        cache = KVCache(2, capacity)
        with torch.no_grad():
            model(random_ids(batch=3, length=2), cache=cache)
        held = sum(tensor.nbytes for tensor in (cache.k, cache.v))
        assert kv_cache_bytes(model, 3, capacity) == held
    assert kv_cache_bytes(model) == kv_cache_bytes(model, 1, 6)
