"""A short text, its tokenizer and its prompts, and a model that can read them."""

from types import SimpleNamespace

import numpy as np

from data.tokenizer import char_tokenizer
from lens.prompts import make_prompts
from tests.helpers.models import small_model

TEXT = "The owl slept. The old fox lost a red kite by the mill! Where is it? He ran far. " * 20
TOKENIZER = char_tokenizer(set(TEXT))
IDS = TOKENIZER.encode(TEXT)


def make_model(seed=0, **options):
    """A model of three heads a layer, whose maps are not flat."""
    sizes = {"n_head": 3, "n_embd": 24, "block_size": 64, "vocab_size": TOKENIZER.vocab_size}
    return small_model(seed=seed, **sizes | options)


def hooks_of(model):
    return [hook for module in model.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]


def shapes_of_effects(length, layers, heads, vocab_size):
    """The shapes that are promised of what is computed of a prompt, by name."""
    T, L, parts, top = length, layers, (layers, heads + 1), min(5, vocab_size)
    return {
        "loss": (T - 1,),
        "top.ids": (T, top),
        "top.probabilities": (T, top),
        "lens.ids": (L + 1, T),
        "lens.probabilities": (L + 1, T),
        "lens.next": (L + 1, T - 1),
        "attribution.target": (T,),
        "attribution.against": (T,),
        "attribution.embedding": (T,),
        "attribution.parts": (T, *parts),
        "attribution.bias": (T,),
        "ablation": (T - 1, *parts),
    }


def prompts(texts=(), block_size=64, several=False):
    return make_prompts(list(texts), corpus_of(several=several), block_size)


def corpus_of(tokenizer=TOKENIZER, ids=IDS, several=True, stories=None):
    """What make_prompts reads of a Corpus."""
    return SimpleNamespace(
        tokenizer=tokenizer,
        val=SimpleNamespace(ids=np.array(ids)),
        start=[tokenizer.end_of_text] if several else [0],
        stories=stories,
    )
