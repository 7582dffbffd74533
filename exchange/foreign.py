"""Models of other projects as ours: from the keys of their config.json to a GPTConfig, and from their tensors to ours.

Whatever our model cannot do is refused by the name of its key. Shapes: C channels, H heads, V vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from exchange.reading import Settings, Weights
from model.gpt import GPTConfig

EPS = 1e-5  # of all norms of ours
Shapes = dict[str, tuple[int, ...]]


@dataclass
class Foreign:
    """config: of our model that computes the same. expected: the tensors that the files must hold, and their shapes.
    convert: from these to the tensors of our state_dict. said: what the user is to know of it."""

    config: GPTConfig
    expected: Shapes
    convert: Callable[[Weights], dict[str, Tensor]]
    said: list[str] = field(default_factory=list)


def read_gpt2(settings: Settings) -> Foreign:
    """GPT-2 (Radford et al. 2019) as transformers' GPT2LMHeadModel writes it."""
    C, layers = settings.whole("n_embd"), settings.whole("n_layer", most=10**4)
    hidden = settings.get("n_inner", 4 * C)
    if hidden != 4 * C:
        raise settings.refuse("n_inner", f"4 times n_embd, {4 * C}, or null")
    settings.must_be("scale_attn_weights", True, True)
    settings.must_be("scale_attn_by_inverse_layer_idx", False, False)
    settings.must_be("add_cross_attention", False, False)
    eps = settings.number("layer_norm_epsilon", 1e-5, 1e-12, 0.1)
    config = GPTConfig(
        vocab_size=settings.whole("vocab_size", most=10**8),
        n_layer=layers,
        n_head=heads(settings, "n_head", "n_embd"),
        n_embd=C,
        block_size=settings.whole("n_positions", most=10**7),
        position="learned",
        norm="layernorm",
        activation=settings.one_of(
            "activation_function", "gelu_new", {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu2": "relu2"}
        ),
        qk_norm=False,
        bias=True,
        tie_embeddings=settings.flag("tie_word_embeddings", True),
    )
    expected: Shapes = {"wte.weight": (config.vocab_size, C), "wpe.weight": (config.block_size, C)}
    if not config.tie_embeddings:
        expected["lm_head.weight"] = (config.vocab_size, C)
    names = {"wte.": "wte.", "wpe.": "wpe.", "ln_f.": "ln_f."}  # ours -> theirs
    expected |= {"ln_f.weight": (C,), "ln_f.bias": (C,)}
    parts = {"attn.qkv": ("attn.c_attn", C, 3 * C), "attn.proj": ("attn.c_proj", C, C)}
    parts |= {"mlp.fc": ("mlp.c_fc", C, hidden), "mlp.proj": ("mlp.c_proj", hidden, C)}
    turned = set()
    for layer in range(layers):
        for norm in ("ln_1", "ln_2"):
            names[f"blocks.{layer}.{norm}."] = f"h.{layer}.{norm}."
            expected |= {f"h.{layer}.{norm}.weight": (C,), f"h.{layer}.{norm}.bias": (C,)}
        for ours, (theirs, rows, columns) in parts.items():
            names[f"blocks.{layer}.{ours}."] = f"h.{layer}.{theirs}."
            expected |= {f"h.{layer}.{theirs}.weight": (rows, columns), f"h.{layer}.{theirs}.bias": (columns,)}
            turned.add(f"h.{layer}.{theirs}.weight")  # their Conv1D keeps (in, out), our Linear (out, in)

    def convert(weights: Weights) -> dict[str, Tensor]:
        tensors = {}
        for ours, theirs in names.items():
            for kind in ("weight", "bias"):
                if theirs + kind in expected:
                    tensor = weights[theirs + kind]
                    tensors[ours + kind] = tensor.T.contiguous() if theirs + kind in turned else tensor
        tensors["lm_head.weight"] = tensors["wte.weight"] if config.tie_embeddings else weights["lm_head.weight"]
        return with_eps(tensors, eps, config)

    return Foreign(config, expected, convert, said_of_eps("layer_norm_epsilon", eps))


def heads(settings: Settings, key: str, width: str) -> int:
    """The number of heads, which must divide the channels."""
    count, C = settings.whole(key, most=10**6), settings.whole(width)
    if C % count:
        raise settings.refuse(key, f"a divisor of {width} ({C})")
    return count


def with_eps(tensors: dict[str, Tensor], eps: float, config: GPTConfig) -> dict[str, Tensor]:
    """Our tensors of a model whose norms have another epsilon than ours: with all that is on the stream multiplied by s
    a norm gives the same with s² times the epsilon. A tied head reads the larger embedding, so the last norm, whose
    answer it multiplies, has a smaller gain and bias."""
    if eps == EPS:
        return tensors
    s = math.sqrt(EPS / eps)
    for name in tensors:
        writes = name.startswith(("wte.", "wpe.")) or ".proj." in name
        if writes:
            tensors[name] = tensors[name] * s
        elif config.tie_embeddings and name.startswith("ln_f."):
            tensors[name] = tensors[name] / s
    if config.tie_embeddings:
        tensors["lm_head.weight"] = tensors["wte.weight"]
    return tensors


def said_of_eps(key: str, eps: float) -> list[str]:
    if eps == EPS:
        return []
    return [f"{key} {eps:g} is {EPS:g} here: what is on the stream is {math.sqrt(EPS / eps):.3g} times as large for it"]


FAMILIES: dict[str, tuple[str, Callable[[Settings], Foreign]]] = {"gpt2": ("transformer.", read_gpt2)}
LEFT_OUT = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq")  # masks and angles of old files


def equal_head(weights: Weights, embedding: str) -> bool:
    """Whether a head that is stored although it is tied is the embedding."""
    shapes = weights.shapes
    return shapes["lm_head.weight"] == shapes.get(embedding) and torch.equal(
        weights["lm_head.weight"], weights[embedding]
    )
