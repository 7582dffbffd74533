"""The cache against reading everything at once."""

import pytest
import torch

from model.cache import KVCache
from tests.helpers.models import POSITIONS, random_ids, small_model

BLOCK = 8


@pytest.mark.parametrize("position", POSITIONS)
def test_a_cache_changes_the_logits_only_by_rounding(position):
    model = small_model(n_embd=16, block_size=BLOCK, **POSITIONS[position])
    idx, cache = random_ids(length=BLOCK), KVCache(2, BLOCK)
    with torch.no_grad():
        whole = model(idx)[0]
        parts = torch.cat([model(part, cache=cache)[0] for part in idx.split((2, 3, 1, 1, 1), dim=1)], dim=1)
    assert (parts - whole).abs().max() < 1e-5
    assert whole.std() > 0.5
    with torch.no_grad():  # control: a cache that has forgotten a token
        cache = KVCache(2, BLOCK)
        model(idx[:, 1:4], cache=cache)
        assert (model(idx[:, 4:5], cache=cache)[0] - whole[:, 4:5]).abs().max() > 0.01


def test_more_tokens_than_block_size_are_refused_with_a_cache_too():
    model = small_model()
    with pytest.raises(ValueError, match="7 tokens given, block_size is 6"):
        model(random_ids(length=7))
    cache = KVCache(2, 6)
    model(random_ids(length=4), cache=cache)
    with pytest.raises(ValueError, match="7 tokens given, block_size is 6"):
        model(random_ids(length=3), cache=cache)


def test_a_cache_remembers_as_many_ids_as_n_grams_need():
    idx, cache = random_ids(length=6), KVCache(1, 6)
    before = []
    for part in idx.split((1, 2, 1, 2), dim=1):
        before.append(cache.ids_before(part, 2).tolist())
        cache.length += part.shape[1]
    assert before == [idx[:, :0].tolist(), idx[:, :1].tolist(), idx[:, 1:3].tolist(), idx[:, 2:4].tolist()]
    cache.length = 0  # the context is read again from its start
    assert cache.ids_before(idx, 2).shape == (2, 0)
