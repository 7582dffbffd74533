"""From the tensors of a model of ours to those that compute the same in another architecture: by arithmetic alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from exchange.architectures import Architecture, head_width, rope_base
from model import GPTConfig
from model.attention import rotary_angles


@dataclass
class FoldedLayer:
    """A layer's tensors, float32. H heads of W channels each for queries, keys and values alike, F hidden channels.

    q, k, v: (H * W, C), all channels of a head one after the other. o: (C, H * W). fc, gate: (F, C). proj: (C, F).
    A bias has as many numbers as its matrix has rows. gain_1, bias_1: of the norm before attention, (C,); gain_2,
    bias_2: of that before the MLP. q_gain, k_gain: (W,). None where there is none.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    o: Tensor
    fc: Tensor
    proj: Tensor
    gain_1: Tensor
    gain_2: Tensor
    gate: Tensor | None = None
    q_gain: Tensor | None = None
    k_gain: Tensor | None = None
    q_bias: Tensor | None = None
    k_bias: Tensor | None = None
    v_bias: Tensor | None = None
    o_bias: Tensor | None = None
    fc_bias: Tensor | None = None
    gate_bias: Tensor | None = None
    proj_bias: Tensor | None = None
    bias_1: Tensor | None = None
    bias_2: Tensor | None = None


@dataclass
class Folded:
    """A model's tensors, float32.

    embedding: (V, C). positions: (block_size, C), None with rope. head: (V, C), None where it is the embedding.
    final_gain, final_bias: (C,). head_width: W, channels of a head. theta: base of rope's angles, 0 without rope.
    """

    embedding: Tensor
    positions: Tensor | None
    head: Tensor | None
    final_gain: Tensor
    final_bias: Tensor | None
    layers: list[FoldedLayer]
    head_width: int
    theta: float


def fold(config: GPTConfig, tensors: dict[str, Tensor], architecture: Architecture) -> Folded:
    """The tensors of a model of ours (those of GPT.state_dict) as `architecture` is to have them.

    All heads become W channels wide, the wider of keys and values, the others filled up with zeros. The architecture
    divides scores by sqrt(W): what we divide by instead goes into the queries. Computed in float64; a tensor that needs
    no change keeps its bits.
    """
    width = head_width(config)
    positions = tensors.get("wpe.weight")
    if config.position == "sinusoidal":
        positions = rotary_angles(config.block_size, config.n_embd).transpose(0, 1).flatten(1)
    embedding, head = tensors["wte.weight"], tensors.get("lm_head.weight")
    folded = Folded(
        embedding=_centred(embedding, 1) if architecture.centred else embedding.float(),
        positions=positions,
        # a head does not write to the stream: where the embedding is centred, it is another matrix
        head=None if config.tie_embeddings and not architecture.centred else (embedding if head is None else head),
        final_gain=tensors["ln_f.weight"],
        final_bias=tensors.get("ln_f.bias"),
        layers=[_layer(config, tensors, number, width, architecture.centred) for number in range(config.n_layer)],
        head_width=width,
        theta=rope_base(config) if config.position == "rope" else 0.0,
    )
    if architecture.always_biased:
        _add_zero_biases(folded)
    return folded


def _layer(config: GPTConfig, tensors: dict[str, Tensor], number: int, width: int, centred: bool) -> FoldedLayer:
    prefix = f"blocks.{number}."
    ours = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if centred:
        ours |= {name: _centred(tensor, 0) for name, tensor in ours.items() if ".proj." in name}
    return FoldedLayer(
        **_attention(config, ours, width),
        o=_wider(ours["attn.proj.weight"].T, config.n_head, width).T,
        o_bias=ours.get("attn.proj.bias"),
        proj=ours["mlp.proj.weight"],
        proj_bias=ours.get("mlp.proj.bias"),
        fc=ours["mlp.fc.weight"],
        fc_bias=ours.get("mlp.fc.bias"),
        gate=ours.get("mlp.gate.weight"),
        gate_bias=ours.get("mlp.gate.bias"),
        gain_1=ours["ln_1.weight"],
        bias_1=ours.get("ln_1.bias"),
        gain_2=ours["ln_2.weight"],
        bias_2=ours.get("ln_2.bias"),
    )


def _attention(config: GPTConfig, ours: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """Queries, keys and values of heads of `width` channels, with their biases and gains."""
    heads, keys = config.n_head, config.key_dim
    parts: dict[str, Tensor] = {}
    for ending in ("weight", "bias"):
        if f"attn.qkv.{ending}" in ours:
            rows = ours[f"attn.qkv.{ending}"].split([heads * keys, heads * keys, config.n_embd])
            parts |= dict(zip("qkv" if ending == "weight" else ("q_bias", "k_bias", "v_bias"), rows, strict=True))
    sharper = width**0.5 * (keys**-0.5 if config.scale else 1.0)  # as the scores will be divided by sqrt(width)
    if config.qk_norm:
        # The mean square of a wider head, whose further channels are 0, is less by keys / width. Rows that are larger
        # by its root make it what it was, so that epsilon weighs as much; the gains take that back.
        larger = (width / keys) ** 0.5
        parts = {name: part if name[0] == "v" else _times(part, larger) for name, part in parts.items()}
        parts["q_gain"] = _times(ours["attn.q_gain"], sharper / larger)
        parts["k_gain"] = _times(ours["attn.k_gain"], 1 / larger)
    else:
        parts |= {name: _times(part, sharper) for name, part in parts.items() if name[0] == "q"}
    rope = config.position == "rope"
    return {
        name: _wider(part, 1 if name.endswith("gain") else heads, width, in_pairs=rope and name[0] != "v")
        for name, part in parts.items()
    }


def _times(tensor: Tensor, factor: float) -> Tensor:
    return (tensor.double() * factor).float()


def _centred(tensor: Tensor, dim: int) -> Tensor:
    """Without its mean over the channels of the stream, which are its dimension `dim`."""
    exact = tensor.double()
    return (exact - exact.mean(dim, keepdim=True)).float()


def _wider(rows: Tensor, heads: int, width: int, *, in_pairs: bool = False) -> Tensor:
    """The rows of each head, followed by rows of zeros: (heads * n, ...) -> (heads * width, ...).

    in_pairs: rope turns row i with row i + n/2, so that the second half stays as far from the first as it has to.
    """
    parts = rows.unflatten(0, (heads, 2, -1) if in_pairs else (heads, 1, -1))
    wide = parts.new_zeros(*parts.shape[:2], width // parts.shape[1], *parts.shape[3:])
    wide[:, :, : parts.shape[2]] = parts
    return wide.flatten(0, 2)


def _add_zero_biases(folded: Folded) -> None:
    if folded.final_bias is None:
        folded.final_bias = torch.zeros_like(folded.final_gain)
    for layer in folded.layers:
        for name in ("q_bias", "k_bias", "v_bias", "o_bias", "fc_bias", "proj_bias", "bias_1", "bias_2"):
            if getattr(layer, name) is None:
                rows = getattr(layer, name.replace("bias_", "gain_") if name[0] == "b" else name.removesuffix("_bias"))
                setattr(layer, name, torch.zeros(rows.shape[0]))


def named(folded: Folded, architecture: Architecture) -> dict[str, Tensor]:
    """The tensors of `folded` under their names in model.safetensors, in the order and layout of the architecture."""
    tensors = {}
    for name, parts in architecture.names.items():
        for number, layer in enumerate(folded.layers) if "{}" in name else [(0, folded)]:
            rows = [getattr(layer, part) for part in parts]
            if rows[0] is not None:
                tensor = torch.cat(rows)
                turned = architecture.transposed and "{}" in name and tensor.ndim == 2
                tensors[name.format(number)] = (tensor.T if turned else tensor).contiguous()
    return tensors


def unnamed(
    tensors: dict[str, Tensor], architecture: Architecture, *, layers: int, head_width: int, theta: float
) -> Folded:
    """The inverse of `named`: the tensors of a model.safetensors that it gave as a Folded."""
    whole: dict[str, Tensor] = {}
    parts: list[dict[str, Tensor]] = [{} for _ in range(layers)]
    for name, fields in architecture.names.items():
        for number, place in enumerate(parts if "{}" in name else [whole]):
            tensor = tensors.get(name.format(number))
            if tensor is not None:
                turned = architecture.transposed and "{}" in name and tensor.ndim == 2
                place |= dict(zip(fields, (tensor.T if turned else tensor).chunk(len(fields)), strict=True))
    return Folded(
        embedding=whole["embedding"],
        positions=whole.get("positions"),
        head=whole.get("head"),
        final_gain=whole["final_gain"],
        final_bias=whole.get("final_bias"),
        layers=[FoldedLayer(**part) for part in parts],
        head_width=head_width,
        theta=theta,
    )
