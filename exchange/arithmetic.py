"""What others compute from a model that was written for them, one formula after the other.

No part of our own model takes part, so that what was written can be compared with it where transformers is not
installed. T tokens, C channels, H heads of W channels, F hidden channels, V tokens in the vocabulary.
"""

import math

import torch
from torch import Tensor

from exchange.architectures import TABLES
from exchange.folding import Folded, FoldedLayer, unnamed


def logits(config: dict, tensors: dict[str, Tensor], ids: Tensor) -> Tensor:
    """The logits (T, V), float32, that transformers computes for `ids`, int64 (T,), from the content of a config.json
    that huggingface.settings gave and of its model.safetensors."""
    architecture = {row.name: row for row in TABLES["transformers"]}[config["model_type"]]
    old = architecture.name == "gpt2"
    heads = config["n_head" if old else "num_attention_heads"]
    folded = unnamed(
        {name: tensor.float() for name, tensor in tensors.items()},
        architecture,
        layers=config["n_layer" if old else "num_hidden_layers"],
        head_width=config["n_embd"] // heads if old else config["head_dim"],
        theta=0.0 if old else config["rope_parameters"]["rope_theta"],
    )
    return forward(
        folded,
        ids,
        heads=heads,
        activation=config["activation_function" if old else "hidden_act"],
        rms="rms_norm_eps" in config,
        epsilon=next(config[key] for key in ("layer_norm_epsilon", "norm_epsilon", "rms_norm_eps") if key in config),
    )


def forward(folded: Folded, ids: Tensor, *, heads: int, activation: str, rms: bool, epsilon: float) -> Tensor:
    """The logits (T, V) of `ids`, int64 (T,), by the tensors of `folded`.

    activation: "gelu_new", "relu2" or "silu", the last one of a gate. rms: whether norms leave the mean as it is.
    """
    x = folded.embedding[ids]  # (T, C)
    if folded.positions is not None:
        x = x + folded.positions[: len(ids)]

    def norm(x: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
        x = x if rms else x - x.mean(-1, keepdim=True)
        x = gain * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt()
        return x if bias is None else x + bias

    for layer in folded.layers:
        x = x + attention(folded, layer, norm(x, layer.gain_1, layer.bias_1), heads, epsilon)
        y = norm(x, layer.gain_2, layer.bias_2)
        hidden = linear(y, layer.fc, layer.fc_bias)  # (T, F)
        if layer.gate is not None:
            gate = linear(y, layer.gate, layer.gate_bias)
            hidden = hidden * gate * gate.sigmoid()
        elif activation == "relu2":
            hidden = hidden.clamp(min=0).square()
        else:
            hidden = hidden / 2 * (1 + (math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)).tanh())
        x = x + linear(hidden, layer.proj, layer.proj_bias)
    x = norm(x, folded.final_gain, folded.final_bias)
    return x @ (folded.embedding if folded.head is None else folded.head).T


def attention(folded: Folded, layer: FoldedLayer, x: Tensor, heads: int, epsilon: float) -> Tensor:
    """What attention adds to the stream: (T, C) -> (T, C)."""
    T, width = len(x), folded.head_width
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    q, k, v = (
        linear(x, rows, bias).view(T, heads, width).transpose(0, 1)  # (H, T, W)
        for rows, bias in ((layer.q, layer.q_bias), (layer.k, layer.k_bias), (layer.v, layer.v_bias))
    )
    if layer.q_gain is not None and layer.k_gain is not None:
        q = layer.q_gain * q / (q.square().mean(-1, keepdim=True) + epsilon).sqrt()
        k = layer.k_gain * k / (k.square().mean(-1, keepdim=True) + epsilon).sqrt()
    if folded.positions is None:
        q, k = rotate(q, folded.theta), rotate(k, folded.theta)
    scores = (q @ k.transpose(1, 2) / math.sqrt(width)).masked_fill(later, -math.inf)  # (H, T, T)
    z = scores.softmax(-1) @ v  # (H, T, W)
    return linear(z.transpose(0, 1).reshape(T, heads * width), layer.o, layer.o_bias)


def rotate(x: Tensor, theta: float) -> Tensor:
    """(H, T, W): at position t, channels i and i + W/2 turned by t * theta ** (-2i / W), as the parts of a number."""
    W = x.shape[-1]
    angles = torch.arange(x.shape[1]).double()[:, None] * theta ** (-torch.arange(0, W, 2).double() / W)  # (T, W/2)
    numbers = torch.complex(x[..., : W // 2].double(), x[..., W // 2 :].double()) * torch.polar(
        torch.ones(()).double(), angles
    )
    return torch.cat((numbers.real, numbers.imag), dim=-1).to(x.dtype)


def linear(x: Tensor, rows: Tensor, bias: Tensor | None) -> Tensor:
    y = x @ rows.T
    return y if bias is None else y + bias
