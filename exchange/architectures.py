"""Which architecture that others know computes exactly what a model of ours does, and what it calls its tensors."""

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import Literal

from common.errors import InputError
from common.options import as_typed
from model import GPTConfig

Target = Literal["transformers", "gguf"]
Names = dict[str, tuple[str, ...]]
LARGEST = 3e38  # in float32, in which others compute rope's base


@dataclass(frozen=True)
class Architecture:
    """What others call one kind of model, and which of ours it can be.

    name: model_type of a config.json, general.architecture of a GGUF. class_name: transformers' class.
    options: the values of our options that it can have; options that are not named here may have any.
    norm: the one that it has. RMSNorm can be LayerNorm without biases as well: see `centred`.
    names: a tensor's name in model.safetensors, `{}` standing for the layer's number -> the fields of Folded, or with a
    `{}` of FoldedLayer, whose rows it holds one after the other. A field that is None has no tensor.
    transposed: the matrices of its layers are stored as (in, out), not as (out, in).
    always_biased: it has biases everywhere, if only of zeros. fixed_width: a head has n_embd / n_head channels.
    centred: LayerNorm is to become RMSNorm: the mean over the channels is taken out of all that goes to the stream.
    """

    name: str
    class_name: str
    options: dict[str, tuple]
    norm: Literal["layernorm", "rmsnorm"]
    names: Names = field(repr=False)
    transposed: bool = False
    always_biased: bool = False
    fixed_width: bool = False
    centred: bool = False

    def fits(self, config: GPTConfig) -> bool:
        """Whether it can compute what a model of this configuration does."""
        return (
            all(getattr(config, option) in values for option, values in self.options.items())
            and (config.norm == self.norm or (self.norm == "rmsnorm" and not config.bias))
            and not (self.fixed_width and head_width(config) != config.n_embd // config.n_head)
            and not (config.position == "rope" and rope_base(config) > LARGEST)
        )


def head_width(config: GPTConfig) -> int:
    """Channels of a head where keys and values are to have equally many: of the wider of the two."""
    width = max(config.key_dim, config.n_embd // config.n_head)
    return width + width % 2 if config.position == "rope" else width  # rope turns channels in pairs


def rope_base(config: GPTConfig) -> float:
    """Base of the angles in heads of `head_width` channels whose first pairs turn as those of key_dim channels do."""
    exponent = head_width(config) / config.key_dim
    return config.rope_theta**exponent if exponent * math.log10(config.rope_theta) < 300 else math.inf


def _linear(module: str, *fields: str) -> Names:
    return {f"{module}.weight": fields, f"{module}.bias": tuple(f"{name}_bias" for name in fields)}


def _norm(module: str, gain: str, bias: str) -> Names:
    return {f"{module}.weight": (gain,), f"{module}.bias": (bias,)}


def _names(*, norms: tuple[str, str], mlp: dict[str, str], qk_norm: bool = False) -> Names:
    """Those of the many that are laid out as Llama is. mlp: our name of a matrix -> theirs."""
    layer = "model.layers.{}"
    names = _norm("model.norm", "final_gain", "final_bias")
    names |= {"model.embed_tokens.weight": ("embedding",), "lm_head.weight": ("head",)}
    names |= _norm(f"{layer}.{norms[0]}", "gain_1", "bias_1") | _norm(f"{layer}.{norms[1]}", "gain_2", "bias_2")
    for matrix in "qkvo":
        names |= _linear(f"{layer}.self_attn.{matrix}_proj", matrix)
    for matrix, theirs in mlp.items():
        names |= _linear(f"{layer}.mlp.{theirs}", matrix)
    if qk_norm:
        names |= {f"{layer}.self_attn.{matrix}_norm.weight": (f"{matrix}_gain",) for matrix in "qk"}
    return names


EVERYWHERE: dict[str, tuple] = {"ngram": (1,), "causal": (True,)}
LLAMA_NORMS = ("input_layernorm", "post_attention_layernorm")
GATED = {"gate": "gate_proj", "fc": "up_proj", "proj": "down_proj"}
PLAIN = {"fc": "up_proj", "proj": "down_proj"}
UNGATED = ("relu2", "gelu")
GPT2_NAMES: Names = {
    "transformer.wte.weight": ("embedding",),
    "transformer.wpe.weight": ("positions",),
    "lm_head.weight": ("head",),
    **_norm("transformer.ln_f", "final_gain", "final_bias"),
    **_norm("transformer.h.{}.ln_1", "gain_1", "bias_1"),
    **_linear("transformer.h.{}.attn.c_attn", "q", "k", "v"),
    **_linear("transformer.h.{}.attn.c_proj", "o"),
    **_norm("transformer.h.{}.ln_2", "gain_2", "bias_2"),
    **_linear("transformer.h.{}.mlp.c_fc", "fc"),
    **_linear("transformer.h.{}.mlp.c_proj", "proj"),
}

GPT2 = Architecture(
    "gpt2",
    "GPT2LMHeadModel",
    EVERYWHERE | {"position": ("learned", "sinusoidal"), "activation": UNGATED, "qk_norm": (False,)},
    "layernorm",
    GPT2_NAMES,
    transposed=True,
    always_biased=True,
    fixed_width=True,
)
QWEN3 = Architecture(
    "qwen3",
    "Qwen3ForCausalLM",
    EVERYWHERE | {"position": ("rope",), "activation": ("swiglu",), "qk_norm": (True,), "bias": (False,)},
    "rmsnorm",
    _names(norms=LLAMA_NORMS, mlp=GATED, qk_norm=True),
)
APERTUS = Architecture(
    "apertus",
    "ApertusForCausalLM",
    EVERYWHERE | {"position": ("rope",), "activation": UNGATED, "qk_norm": (True,), "bias": (False,)},
    "rmsnorm",
    _names(norms=("attention_layernorm", "feedforward_layernorm"), mlp=PLAIN, qk_norm=True),
)
LLAMA = Architecture(
    "llama",
    "LlamaForCausalLM",
    EVERYWHERE | {"position": ("rope",), "activation": ("swiglu",), "qk_norm": (False,)},
    "rmsnorm",
    _names(norms=LLAMA_NORMS, mlp=GATED),
)
ARCEE = Architecture(
    "arcee",
    "ArceeForCausalLM",
    EVERYWHERE | {"position": ("rope",), "activation": UNGATED, "qk_norm": (False,)},
    "rmsnorm",
    _names(norms=LLAMA_NORMS, mlp=PLAIN),
)
STARCODER2 = Architecture(
    "starcoder2",
    "Starcoder2ForCausalLM",
    EVERYWHERE | {"position": ("rope",), "activation": UNGATED, "qk_norm": (False,), "bias": (True,)},
    "layernorm",
    _names(norms=LLAMA_NORMS, mlp={"fc": "c_fc", "proj": "c_proj"}),
)


def _only(architecture: Architecture, **options: tuple) -> Architecture:
    return replace(architecture, options={**architecture.options, **options})


# The first that fits is taken. In llama.cpp (of October 2026) an architecture has one activation, whatever a file says,
# Arcee has no biases, and Starcoder2 one width of a head.
TABLES: dict[Target, tuple[Architecture, ...]] = {
    "transformers": (GPT2, QWEN3, APERTUS, LLAMA, ARCEE, STARCODER2),
    "gguf": (
        _only(GPT2, activation=("gelu",)),
        QWEN3,
        _only(APERTUS, activation=("relu2",)),
        LLAMA,
        _only(ARCEE, activation=("relu2",), bias=(False,)),
        replace(_only(STARCODER2, activation=("gelu",)), fixed_width=True),
        replace(_only(STARCODER2, activation=("relu2",)), name="jais2"),
    ),
}
PROGRAMS: dict[Target, str] = {"transformers": "transformers", "gguf": "llama.cpp"}
# What could be otherwise for a model to have an architecture, and how.
CHOICES: dict[str, tuple] = {
    "bias": (False, True),
    "norm": ("layernorm", "rmsnorm"),
    "activation": ("relu2", "gelu", "swiglu"),
    "qk_norm": (False, True),
    "position": ("rope", "learned"),
    "attn_ratio": (1.0,),
    "rope_theta": (10000.0,),
    "ngram": (1,),
    "causal": (True,),
}


def architecture_for(config: GPTConfig, target: Target) -> Architecture:
    """The architecture of `target` that computes what a model of this configuration does.

    Raises InputError where there is none: it names the options that are in the way and values that would have one.
    """
    found = _fitting(config, target)
    if found is not None:
        return found
    ways = [
        " and ".join(
            f"model.{option} {as_typed(value)} (not {as_typed(getattr(config, option))})" for option, value in way
        )
        for way in _nearest(config, target)
    ]
    message = (
        f"no architecture of {PROGRAMS[target]} computes what this model does; one would with {', or with '.join(ways)}"
    )
    if target == "gguf" and _fitting(config, "transformers") is not None:
        message += ". As it is, it can be exported with --to transformers"
    raise InputError(message)


def _fitting(config: GPTConfig, target: Target) -> Architecture | None:
    found = next((architecture for architecture in TABLES[target] if architecture.fits(config)), None)
    return found and replace(found, centred=config.norm != found.norm)


def _nearest(config: GPTConfig, target: Target) -> list[list[tuple[str, object]]]:
    """All ways to have an architecture that change the fewest options, each as (option, its other value)."""
    choices = [dict.fromkeys((getattr(config, option), *values)) for option, values in CHOICES.items()]
    ways = []
    for values in itertools.product(*choices):
        changes = [(o, v) for o, v in zip(CHOICES, values, strict=True) if v != getattr(config, o)]
        try:
            fits = _fitting(replace(config, **dict(changes)), target) is not None
        except ValueError:  # rope turns channels in pairs, and a head may have an odd number of them
            fits = False
        if fits:
            ways.append(changes)
    return [way for way in ways if len(way) == min(map(len, ways))]
