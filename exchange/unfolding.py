"""The tensors of a foreign model as those of ours: heads side by side in one matrix, one epsilon for all norms.

C channels, H heads of W channels each, of which G have keys and values of their own, D = C / H.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from exchange.foreign import XIELU, Foreign
from exchange.reading import Weights
from model.attention import NORM_EPS
from model.gpt import GPTConfig


def unfold(foreign: Foreign, weights: Weights) -> tuple[GPTConfig, dict[str, Tensor]]:
    """Our configuration, and the tensors of its GPT.state_dict().

    Where all biases of the foreign model are 0, ours has none. Raises InputError for a value that has no place here.
    """
    config = foreign.config
    whole = read_parts(foreign, weights, None)
    tensors = {"wte.weight": whole["embedding"], "ln_f.weight": whole["final_gain"]}
    if "positions" in whole:
        tensors["wpe.weight"] = whole["positions"]
    biases = {"ln_f.bias": whole["final_bias"]} if "final_bias" in whole else {}
    for layer in range(config.n_layer):
        parts = read_parts(foreign, weights, layer)
        if foreign.xielu:
            check_xielu(foreign, weights, layer)
        of_layer, biases_of_layer = unfold_layer(foreign, parts)
        tensors |= {f"blocks.{layer}.{name}": tensor for name, tensor in of_layer.items()}
        biases |= {f"blocks.{layer}.{name}.bias": tensor for name, tensor in biases_of_layer.items()}
    tensors["lm_head.weight"] = whole.get("head", tensors["wte.weight"])
    if any(bias.any() for bias in biases.values()):
        tensors |= biases
    elif biases:
        config = replace(config, bias=False)
        foreign.said.append("its biases, all 0, are left out")
    adapt_eps(foreign, tensors)
    return config, {name: tensor.contiguous() for name, tensor in tensors.items()}


def read_parts(foreign: Foreign, weights: Weights, layer: int | None) -> dict[str, Tensor]:
    """What a layer holds, or what stands outside of them all, each matrix (out, in)."""
    parts: dict[str, Tensor] = {}
    architecture = foreign.family.architecture
    for name, fields in architecture.names.items():
        if ("{}" in name) == (layer is not None) and foreign.sizes.keys() >= set(fields):
            tensor = weights[name.format(layer).removeprefix(foreign.family.prefix)]
            if architecture.transposed and layer is not None and tensor.ndim == 2:
                tensor = tensor.T
            parts |= zip(fields, tensor.split([foreign.sizes[field][0] for field in fields]), strict=True)
    return parts


def unfold_layer(foreign: Foreign, parts: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights and the biases of a block of ours; a bias that the other model has not is 0."""
    config, (H, G, W) = foreign.config, foreign.heads
    C, D = config.n_embd, config.n_embd // H

    def by_head(name: str, groups: int) -> Tensor:
        """The rows of a part, (H, W, C), or of its bias, (H, W)."""
        rows = parts[name] if name in parts else torch.zeros(groups * W)
        return rows.reshape(groups, W, *rows.shape[1:]).repeat_interleave(H // groups, 0)

    def bias_of(part: str) -> Tensor:
        return parts[f"{part}_bias"] if f"{part}_bias" in parts else torch.zeros(foreign.sizes[part][0])

    v, v_bias, o = by_head("v", G), by_head("v_bias", G), parts["o"].reshape(C, H, W)
    if W > D and o[:, :, D:].any() and (v[:, D:].any() or v_bias[:, D:].any()):
        raise foreign.settings.refuse("head_dim", f"hidden_size / num_attention_heads ({D}) or less (here {W})")
    qkv = [by_head("q", H), by_head("k", G), resize(v, 1, D)]
    qkv_bias = [by_head("q_bias", H), by_head("k_bias", G), resize(v_bias, 1, D)]
    weights = {
        "attn.qkv": torch.cat([rows.flatten(0, 1) for rows in qkv]),
        "attn.proj": resize(o, 2, D).flatten(1),
        **{f"mlp.{part}": parts[part] for part in ("fc", "gate", "proj") if part in parts},
    }
    weights |= {f"ln_{number}": parts[f"gain_{number}"] for number in (1, 2)}
    tensors = {f"{name}.weight": tensor for name, tensor in weights.items()}
    if config.qk_norm:
        tensors |= {"attn.q_gain": parts["q_gain"], "attn.k_gain": parts["k_gain"]}
    if not config.bias:
        return tensors, {}
    biases = {"attn.qkv": torch.cat([rows.flatten() for rows in qkv_bias]), "attn.proj": bias_of("o")}
    biases |= {f"mlp.{part}": bias_of(part) for part in ("fc", "gate", "proj") if part in parts}
    if config.norm == "layernorm":
        biases |= {f"ln_{number}": parts[f"bias_{number}"] for number in (1, 2)}
    return tensors, biases


def resize(x: Tensor, dim: int, size: int) -> Tensor:
    """The first `size` of a dimension, with zeros after them where there are fewer."""
    missing = size - x.shape[dim]
    if missing <= 0:
        return x.narrow(dim, 0, size)
    return torch.cat([x, x.new_zeros(*x.shape[:dim], missing, *x.shape[dim + 1 :])], dim)


def adapt_eps(foreign: Foreign, tensors: dict[str, Tensor]) -> None:
    """Makes the tensors of a model whose norms have another epsilon give the same with ours.

    With all that is on the stream multiplied by s, a norm gives the same with s² times the epsilon: rms(s x, s² e) =
    rms(x, e). So do the norms of queries and keys. A tied head reads the embedding that is s times as large, so the
    last norm, whose answer it multiplies, has a smaller gain and bias.
    """
    if foreign.eps == NORM_EPS:
        return
    s = math.sqrt(NORM_EPS / foreign.eps)
    qk_rows = 2 * foreign.heads[0] * foreign.heads[2]
    for name, tensor in tensors.items():
        if name.startswith(("wte.", "wpe.")) or ".proj." in name:
            tensors[name] = tensor * s
        elif foreign.config.qk_norm and ".qkv." in name:
            tensors[name] = torch.cat([tensor[:qk_rows] * s, tensor[qk_rows:]])
        elif foreign.config.tie_embeddings and name.startswith("ln_f."):
            tensors[name] = tensor / s
    if foreign.config.tie_embeddings:
        tensors["lm_head.weight"] = tensors["wte.weight"]
    key = foreign.family.eps[0]
    foreign.said.append(
        f"{key} {foreign.eps:g} is {NORM_EPS:g} here, what the norms read {s:.3g} times as large for it"
    )


def check_xielu(foreign: Foreign, weights: Weights, layer: int) -> None:
    """Raises InputError where a learned activation is not relu2, as it was written by an exporter: alpha_p x² above 0,
    where alpha_p is softplus(its number), and nothing below (Huang and Schlag 2024, eq. 9)."""
    number = {name: weights[f"layers.{layer}.mlp.act_fn.{name}"] for name in XIELU}
    positive, negative = softplus(number["alpha_p"]), softplus(number["alpha_n"])
    if abs(positive - 1).max() > 1e-6 or negative.max() > 1e-9 or number["beta"].any():
        raise foreign.settings.refuse("hidden_act", "relu2, or xielu with the numbers that make it relu2,")
