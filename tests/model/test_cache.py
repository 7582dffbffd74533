import pytest
import torch

from model.cache import KVCache
from tests.helpers.models import POSITIONS, random_ids, small_model

BLOCK = 8


@pytest.mark.parametrize("position", POSITIONS)
def test_a_cache_changes_the_logits_by_rounding_alone(position):
    model, idx, cache = (
        small_model(n_embd=16, block_size=BLOCK, **POSITIONS[position]),
        random_ids(length=BLOCK),
        KVCache(2, BLOCK),
    )
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
