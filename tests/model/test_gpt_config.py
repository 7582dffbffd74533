"""What GPTConfig refuses."""

import math

import pytest

from model import GPTConfig
from tests.helpers.models import SIZES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layer": 0}, "n_layer: 0 given, at least 1"),
        ({"n_head": 0}, "n_head: 0 given, at least 1"),
        ({"block_size": -1}, "block_size: -1 given, at least 1"),
        ({"vocab_size": -5}, "vocab_size: -5 given"),
        ({"n_embd": 9}, r"n_embd: 9 given, a multiple of n_head \(2\)"),
        ({"attn_ratio": 0.0}, "attn_ratio: 0.0 given"),
        ({"attn_ratio": math.nan}, "attn_ratio: nan given"),
        ({"dropout": 1.0}, "dropout: 1.0 given"),
        ({"dropout": -0.1}, "dropout: -0.1 given"),
        ({"n_embd": 6, "position": "rope"}, "position: rope turns channels in pairs, but key_dim is 3"),
        ({"ngram": 0}, "ngram: 0 given, at least 1"),
        ({"ngram_rows": 0}, "ngram_rows: 0 given, at least 1"),
        ({"n_head": 1, "n_embd": 7, "position": "sinusoidal"}, "position: sinusoidal .* n_embd 7 is odd"),
    ],
)
def test_what_cannot_be_built_is_refused_by_the_name_of_its_key(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        GPTConfig(**SIZES | options)
