"""What a config.json describes, as a model of ours; what our model cannot do is refused by the name of its key.

C channels, H heads of W channels each, of which G have keys and values of their own, M channels within the MLP.
"""

from collections.abc import Iterable
from typing import NamedTuple

from common.errors import InputError
from exchange.families import Family
from exchange.reading import Settings, as_json
from model.gpt import GPTConfig

# Of rotary models, whose angles are in no file: nothing else bounds the table that is made of them.
MAX_CONTEXT = 16_384
# Keys that transformers reads of any kind of model: which numbers are in the files, whether and how far a token looks
# ahead and back, whether layers differ.
ALWAYS = {"quantization_config": None, "is_causal": True, "attention_chunk_size": None, "per_layer_config": None}
# Of the activation of Apertus, a function that is learned; these numbers decide whether it is relu2.
XIELU = {"alpha_p": (1,), "alpha_n": (1,), "beta": ()}


class Foreign(NamedTuple):
    """config: of our model that computes the same. sizes: of what it calls q, fc, final_bias, ..., (out, in), those
    that it has. expected: the tensors that the files must hold, and their shapes. said: lines for the user."""

    settings: Settings
    family: Family
    config: GPTConfig
    eps: float
    heads: tuple[int, int, int]  # H, G, W
    sizes: dict[str, tuple[int, ...]]
    expected: dict[str, tuple[int, ...]]
    xielu: bool
    said: list[str]


def describe(settings: Settings, family: Family) -> Foreign:
    """Raises InputError naming the key, its value and what was expected, where our model has no option for it."""
    architecture, learned = family.architecture, "positions" in map(first, family.architecture.names.values())
    for key, value in {**ALWAYS, **family.only}.items():
        settings.must_be(key, value, value)
    for key in family.aliases:
        own = family.keys[key]
        if settings.get(key) not in (None, settings.get(own)):
            raise settings.refuse(key, f"{as_json(settings.get(own))}, as {own} has,")
    C, H, G, W = read_sizes(settings, family, learned)
    biased = {part for key, (default, parts) in family.biases.items() if settings.flag(key, default) for part in parts}
    biased |= set(family.always_biased)
    activation, default = family.keys.get("hidden_act", "hidden_act"), first(family.activations)
    said = [f"{G} key and value heads repeated for {H} query heads"] if G < H else []
    context_key = family.keys.get("max_position_embeddings", "max_position_embeddings")
    context = settings.whole(context_key, most=10**7)
    if not learned and context > MAX_CONTEXT:
        said.append(f"a context of {MAX_CONTEXT:,} tokens is used, of {context:,} ({context_key})")
        context = MAX_CONTEXT
    D = C // H
    try:
        config = GPTConfig(
            vocab_size=settings.whole("vocab_size", most=10**8),
            n_layer=settings.whole(family.keys.get("num_hidden_layers", "num_hidden_layers"), most=10**4),
            n_head=H,
            n_embd=C,
            block_size=context,
            attn_ratio=W / D if int(D * (W / D)) == W else (W + 0.5) / D,  # GPTConfig rounds down
            position="learned" if learned else "rope",
            rope_theta=GPTConfig.rope_theta if learned else read_theta(settings, family),
            norm=architecture.norm,
            activation=settings.one_of(activation, default, dict(family.activations)),
            qk_norm=("q_gain",) in architecture.names.values(),
            bias=bool(biased),
            tie_embeddings=settings.flag("tie_word_embeddings", family.tied),
        )
    except ValueError as error:
        raise InputError(f"{settings.path}: {error}") from None
    check_mlp(settings, family, config)
    eps = settings.number(*family.eps, 1e-12, 0.1)
    xielu = settings.get(activation, default) == "xielu"
    foreign = Foreign(settings, family, config, eps, (H, G, W), sizes_of(config, G, W, biased), {}, xielu, said)
    foreign.expected.update(expected_tensors(foreign))
    return foreign


def check_mlp(settings: Settings, family: Family, config: GPTConfig) -> None:
    """Raises InputError where its MLP has another width than ours."""
    wide, inner = (family.keys.get(key, key) for key in ("hidden_size", "intermediate_size"))
    default = config.mlp_dim if config.position == "learned" else None
    if settings.whole(inner, default) != config.mlp_dim:
        swiglu = config.activation == "swiglu"
        how = f"8/3 of {wide}, rounded up to a multiple of 8" if swiglu else f"4 times {wide}"
        raise settings.refuse(inner, f"{config.mlp_dim} ({how}; the MLP has no other width here)")


def first(values: Iterable[str]) -> str:
    return next(iter(values))


def read_sizes(settings: Settings, family: Family, learned: bool) -> tuple[int, int, int, int]:
    """C, H, G and W."""
    wide, heads = (family.keys.get(key, key) for key in ("hidden_size", "num_attention_heads"))
    C, H = settings.whole(wide, most=10**7), settings.whole(heads, most=10**6)
    if C % H:
        raise settings.refuse(heads, f"a divisor of {wide} ({C})")
    if learned:  # transformers reads neither of the following
        return C, H, H, C // H
    G, W = settings.whole("num_key_value_heads", H), settings.whole("head_dim", family.head_dim or C // H)
    if H % G:
        raise settings.refuse("num_key_value_heads", f"a divisor of {heads} ({H})")
    if W % 2:
        raise settings.refuse("head_dim", f"an even number (here {W}), as rotary embeddings turn channels in pairs,")
    return C, H, G, W


def read_theta(settings: Settings, family: Family) -> float:
    """The base of the rotary angles, where only that may be chosen: as transformers 5 reads it, from one of the keys
    rope_scaling, rope_parameters and rope_theta."""
    key = "rope_scaling" if settings.get("rope_scaling") else "rope_parameters"
    parameters = settings.get(key) or {}
    plain = 'null or {"rope_type": "default", "rope_theta": ...}'
    if not isinstance(parameters, dict):
        raise settings.refuse(key, plain)
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    if kind != "default" or any(isinstance(value, dict | list) for value in parameters.values()):
        raise settings.refuse(key, plain)
    if not parameters and not family.rope_default:
        raise settings.refuse(key, f"{plain} (without it transformers scales the angles of this kind of model)")
    inner = Settings(settings.path, settings.values | parameters)
    turned = inner.number("partial_rotary_factor", 1, 0, 1)
    if turned != 1:
        raise inner.refuse("partial_rotary_factor", "1 (all channels of a head are turned here)")
    layers = settings.get("layer_types", [])
    if not isinstance(layers, list) or any(layer != "full_attention" for layer in layers):
        raise settings.refuse("layer_types", "full_attention in every layer")
    return inner.number("rope_theta", 12e6 if not family.rope_default else 1e4, 1, 1e300)


def sizes_of(config: GPTConfig, G: int, W: int, biased: set[str]) -> dict[str, tuple[int, ...]]:
    """The shape of every part that it has, (out, in)."""
    C, V, H = config.n_embd, config.vocab_size, config.n_head
    M = config.mlp_dim
    sizes: dict[str, tuple[int, ...]] = {"q": (H * W, C), "k": (G * W, C), "v": (G * W, C), "o": (C, H * W)}
    sizes |= {"fc": (M, C), "proj": (C, M)}
    if config.activation == "swiglu":
        sizes["gate"] = (M, C)
    sizes |= {f"{part}_bias": size[:1] for part, size in sizes.items()}
    sizes |= dict.fromkeys(("gain_1", "gain_2", "final_gain", "bias_1", "bias_2", "final_bias"), (C,))
    sizes = {part: size for part, size in sizes.items() if "bias" not in part or part in biased}
    if config.qk_norm:
        sizes |= {"q_gain": (W,), "k_gain": (W,)}
    if config.position == "learned":
        sizes["positions"] = (config.block_size, C)
    if not config.tie_embeddings:
        sizes["head"] = (V, C)
    return sizes | {"embedding": (V, C)}


def expected_tensors(foreign: Foreign) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors in the files."""
    expected: dict[str, tuple[int, ...]] = {}
    architecture = foreign.family.architecture
    for name, parts in architecture.names.items():
        if not foreign.sizes.keys() >= set(parts):
            continue
        rows = sum(foreign.sizes[part][0] for part in parts)
        shape = (rows, *foreign.sizes[parts[0]][1:])
        for layer in range(foreign.config.n_layer if "{}" in name else 1):
            turned = architecture.transposed and "{}" in name
            expected[name.format(layer).removeprefix(foreign.family.prefix)] = shape[::-1] if turned else shape
    if foreign.xielu:
        for layer in range(foreign.config.n_layer):
            expected |= {f"layers.{layer}.mlp.act_fn.{name}": shape for name, shape in XIELU.items()}
    return expected
