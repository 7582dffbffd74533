"""One more token: what `GPT.forward` computes for the newest token of each sequence, written out without its modules.

In a small model the calls of modules cost more than their arithmetic: at 4 layers of 128 channels a token takes 0.5 ms
through them and 0.21 ms here. In a large one reading the weights is all there is, and every core has to take part.
Shapes as in attention.py and gpt.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.attention import MultiHeadAttention
from model.cpu import product
from model.gpt import GPT, MLP, Block
from model.ngrams import NgramEmbedding

PARTS = {
    GPT,
    Block,
    MultiHeadAttention,
    MLP,
    NgramEmbedding,
    nn.ModuleList,
    nn.Linear,
    nn.Embedding,
    nn.LayerNorm,
    nn.RMSNorm,
}


def is_plain(model: nn.Module) -> bool:
    """Whether `model` has the parts of a GPT and no others in their place."""
    return {type(part) for part in model.modules()} <= PARTS


class Decoder:
    """Reads one token of each of `batch` sequences, as a plain GPT `model` would in eval mode, up to rounding."""

    def __init__(self, model: GPT, batch: int):
        self.config = config = model.config
        self.embedding = model.wte.weight
        # bfloat16 queries and keys are normalised and turned in float32 and rounded once
        self.exact = torch.promote_types(self.embedding.dtype, torch.float32)
        if config.position == "rope":
            cos, sin = model.rope_cos, model.rope_sin
            turns = torch.stack((torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)))
            self.turns = turns.to(self.exact)  # (2, T, K)
        else:
            self.places = model.wpe.weight if config.position == "learned" else model.pe  # (T, C)
        # |x| is at least this in x / |x|, as the epsilon of F.rms_norm has it
        self.least = torch.tensor((config.key_dim * torch.finfo(self.exact).eps) ** 0.5, device=self.embedding.device)
        self.ngrams = getattr(model, "ngrams", None)
        self.norm = rms_norm if config.norm == "rmsnorm" else layer_norm
        self.layers = [Layer.of(block, batch, self.exact) for block in model.blocks]
        self.ln_f = norm_of(model.ln_f)
        self.head = product(model.lm_head, batch)
        self.scale = model.blocks[0].attn.scale
        self.hooks = [hooks for part in model.modules() for hooks in (part._forward_pre_hooks, part._forward_hooks)]

    def hooked(self) -> bool:
        """Whether something was hooked into the model, which then computes more than is written here."""
        return any(self.hooks)

    @torch.inference_mode()
    def __call__(self, ids: Tensor, cache) -> Tensor:
        """ids (B,), which follow the tokens in `cache` (a KVCache) and are added to it. Returns logits (B, V)."""
        config, norm, at = self.config, self.norm, cache.length
        B, C, H, K = len(ids), config.n_embd, config.n_head, config.key_dim
        x = F.embedding(ids, self.embedding)  # (B, C)
        if config.ngram > 1:
            idx = ids[:, None]
            x = x + self.ngrams(idx, cache.ids_before(idx, config.ngram - 1))[:, 0]
        if config.position == "rope":
            cos, sin = self.turns[:, at].unbind()  # (K,) each
        else:
            x = x + self.places[at]
        # of each layer, the new token's place (B, H, 1, K or D) and all tokens up to it (B, H, at + 1, K or D)
        new = cache.k[..., at : at + 1, :].unbind(), cache.v[..., at : at + 1, :].unbind()
        held = cache.k[..., : at + 1, :].unbind(), cache.v[..., : at + 1, :].unbind()
        for layer, new_k, new_v, k, v in zip(self.layers, *new, *held, strict=True):
            qk, value = layer.qkv(norm(x, *layer.ln_1)).split_with_sizes((2 * H * K, C), -1)
            qk = qk.view(B, 2, H, 1, K)
            if x.dtype != self.exact:
                qk = qk.to(self.exact)
            if layer.gains is not None:
                qk /= torch.linalg.vector_norm(qk, dim=-1, keepdim=True).hypot_(self.least)
                qk *= layer.gains
            if config.position == "rope":  # channel i is paired with i + K/2
                other = qk.roll(K // 2, -1)
                qk.mul_(cos).addcmul_(other, sin)
            q, key = qk.unbind(1)  # (B, H, 1, K)
            new_k.copy_(key)
            new_v.copy_(value.view(B, H, 1, -1))
            if x.dtype != self.exact:
                q = q.to(x.dtype)
            z = F.scaled_dot_product_attention(q, k, v, scale=self.scale)  # (B, H, 1, D)
            x += layer.attn_proj(z.reshape(B, C))
            x += layer.mlp_proj(self.bend(layer, norm(x, *layer.ln_2)))
        cache.length += 1
        return self.head(norm(x, *self.ln_f))

    def bend(self, layer: "Layer", x: Tensor) -> Tensor:
        """The MLP up to its projection."""
        if self.config.activation == "swiglu":
            return F.silu(layer.gate(x)) * layer.fc(x)
        if self.config.activation == "relu2":
            return layer.fc(x).relu_().square_()
        return F.gelu(layer.fc(x), approximate="tanh")


class Layer(NamedTuple):
    """What a block computes with: norms as (weight, bias, eps), products as functions."""

    ln_1: tuple
    qkv: Callable
    gains: Tensor | None  # (2, 1, 1, K): of queries and of keys, times sqrt(K)
    attn_proj: Callable
    ln_2: tuple
    fc: Callable
    gate: Callable | None
    mlp_proj: Callable

    @classmethod
    def of(cls, block: Block, batch: int, exact: torch.dtype) -> "Layer":
        attn, mlp, gains, gate = block.attn, block.mlp, None, None
        if attn.qk_norm:
            gains = torch.stack((attn.q_gain, attn.k_gain))[:, None, None].detach().to(exact) * attn.key_dim**0.5
        if mlp.activation == "swiglu":
            gate = product(mlp.gate, batch)
        qkv, attn_proj, fc, mlp_proj = (product(one, batch) for one in (attn.qkv, attn.proj, mlp.fc, mlp.proj))
        return cls(norm_of(block.ln_1), qkv, gains, attn_proj, norm_of(block.ln_2), fc, gate, mlp_proj)


def norm_of(norm: nn.Module) -> tuple:
    return norm.weight, getattr(norm, "bias", None), norm.eps


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    return torch.layer_norm(x, weight.shape, weight, bias, eps)


def rms_norm(x: Tensor, weight: Tensor, bias: None, eps: float) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, eps)
