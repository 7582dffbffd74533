"""Which architecture a model of ours is for others, and what is refused."""

import pytest
import yaml

from common.errors import InputError
from exchange.architectures import architecture_for
from model import GPTConfig
from tests.helpers.choices import CHOICES, combinations


@pytest.mark.parametrize(
    ("options", "target", "name", "centred"),
    [
        ({}, "transformers", "apertus", True),
        ({}, "gguf", "apertus", True),
        ({"norm": "rmsnorm"}, "gguf", "apertus", False),
        ({"activation": "swiglu"}, "gguf", "qwen3", True),
        ({"activation": "swiglu", "qk_norm": False}, "transformers", "llama", True),
        ({"norm": "rmsnorm", "activation": "gelu", "qk_norm": False, "bias": True}, "transformers", "arcee", False),
        ({"qk_norm": False, "bias": True}, "transformers", "starcoder2", False),
        ({"qk_norm": False, "bias": True}, "gguf", "jais2", False),
        ({"qk_norm": False, "activation": "gelu", "bias": True}, "gguf", "starcoder2", False),
        ({"position": "sinusoidal", "activation": "gelu", "qk_norm": False}, "gguf", "gpt2", False),
    ],
)
def test_each_kind_of_model_has_its_architecture(options, target, name, centred):
    found = architecture_for(GPTConfig(**options), target)
    assert (found.name, found.centred) == (name, centred)


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ({"ngram": 3}, "transformers", "with model.ngram 1 (not 3)"),
        ({"causal": False}, "gguf", "with model.causal true (not false)"),
        ({"bias": True}, "transformers", "with model.qk_norm false (not true), or with model.bias false (not true)"),
        ({"position": "learned", "norm": "rmsnorm"}, "transformers", "with model.position rope (not learned)"),
        (
            {"position": "learned", "activation": "gelu", "qk_norm": False, "attn_ratio": 2.0},
            "transformers",
            "with model.attn_ratio 1.0 (not 2.0)",
        ),
        # in heads of 64 channels the base of 4 channels' angles is 10000 ** 16, which float32 does not hold
        ({"n_embd": 256, "attn_ratio": 0.0625}, "transformers", "with model.attn_ratio 1.0 (not 0.0625)"),
        ({"rope_theta": 1e39}, "gguf", "with model.rope_theta 10000.0 (not 1e+39)"),
        ({"rope_theta": 1e300, "attn_ratio": 0.5}, "gguf", "model.rope_theta 10000.0 (not 1e+300)"),
        # in llama.cpp a Starcoder2 has one width of a head, and an Arcee no biases
        ({"qk_norm": False, "bias": True, "activation": "gelu", "attn_ratio": 2.0}, "gguf", "model.attn_ratio 1.0 ("),
        ({"norm": "rmsnorm", "qk_norm": False, "bias": True}, "gguf", "with model.bias false (not true)"),
        ({"activation": "gelu"}, "gguf", "it can be exported with --to transformers"),
    ],
)
def test_what_has_no_home_is_refused_by_the_option_that_is_in_the_way(options, target, said):
    with pytest.raises(InputError) as error:
        architecture_for(GPTConfig(**options), target)
    assert said in str(error.value)


@pytest.mark.parametrize("target", ["transformers", "gguf"])
def test_what_a_refusal_advises_has_a_home(target):
    refused = 0
    for given in combinations(CHOICES | {"attn_ratio": (1.0, 2.0)}):
        try:
            architecture_for(GPTConfig(**given), target)
        except InputError as error:
            refused += 1
            way = str(error).partition("one would with ")[2].partition(", or with ")[0].partition(". ")[0]
            advised = {
                name.removeprefix("model."): yaml.safe_load(value)
                for name, value, *_ in map(str.split, way.split(" and "))
            }
            architecture_for(GPTConfig(**given | advised), target)
    assert refused > 20
