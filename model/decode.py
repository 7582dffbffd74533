"""One more token: what `GPT.forward` computes for the newest token of each sequence, written out without its modules.

In a small model the calls of modules cost more than their arithmetic: at 4 layers of 128 channels a token takes 0.5 ms
through them and 0.21 ms here. In a large one the time goes into reading the weights, which takes every core.
Shapes as in attention.py and gpt.py.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
import torch.nn.modules.module as torch_modules
from torch import Tensor, nn

from model.attention import NORM_EPS, MultiHeadAttention
from model.cache import KVCache
from model.cpu import fast_linear
from model.gpt import GPT, MLP, Block
from model.ngrams import NgramEmbedding


def is_plain(model: nn.Module) -> bool:
    """Whether `model` has only the parts of a GPT, none of which was replaced by another, and its kernel is trusted."""
    ours = {GPT, Block, MultiHeadAttention, MLP, NgramEmbedding}
    torchs = {nn.ModuleList, nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm}
    trusted = all(part.fused is not False for part in model.modules() if isinstance(part, MultiHeadAttention))
    return trusted and {type(part) for part in model.modules()} <= ours | torchs


class Decoder:
    """Reads one token of each of `batch` sequences, as a plain GPT `model` would in eval mode, up to rounding."""

    def __init__(self, model: GPT, batch: int) -> None:
        self.config = config = model.config
        self.embedding = model.wte.weight
        # bfloat16 queries and keys are normalised and rotated in float32 and rounded once
        self.qk_dtype = torch.promote_types(self.embedding.dtype, torch.float32)
        if config.position == "rope":
            cos, sin = model.rope.view(torch.float32).unbind()
            angles = torch.stack((torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)))
            self.angles = angles.to(self.qk_dtype)  # (2, T, K)
        else:
            self.positions = model.wpe.weight if config.position == "learned" else model.pe  # (T, C)
        # |x| is at least this in x / |x|, as the epsilon of F.rms_norm has it
        min_length = (config.key_dim * NORM_EPS) ** 0.5
        self.min_length = torch.tensor(min_length, dtype=self.qk_dtype, device=self.embedding.device)
        self.ngrams = model.ngrams
        self.layers = [Layer.of(cast(Block, block), batch, self.qk_dtype) for block in model.blocks]
        self.ln_f = plain_norm(model.ln_f)
        self.head = fast_linear(model.lm_head, batch)
        parts = list(model.modules())
        self.hooks = [hooks for part in parts for hooks in (part._forward_pre_hooks, part._forward_hooks)]
        self.hooks += [torch_modules._global_forward_pre_hooks, torch_modules._global_forward_hooks]
        self.attributes = [vars(part) for part in parts]

    def has_hooks(self) -> bool:
        """Whether a part of the model has hooks, or a `forward` of its own: they may compute other than is here."""
        return any(self.hooks) or any("forward" in attributes for attributes in self.attributes)

    @torch.inference_mode()
    def __call__(self, ids: Tensor, cache: KVCache) -> Tensor:
        """ids (B,), which follow the tokens in `cache` and are added to it. Returns logits (B, V)."""
        config, at = self.config, cache.length
        B, C, H, K = len(ids), config.n_embd, config.n_head, config.key_dim
        x = F.embedding(ids, self.embedding)  # (B, C)
        if self.ngrams is not None:
            idx = ids[:, None]
            x = x + self.ngrams(idx, cache.ids_before(idx, config.ngram - 1))[:, 0]
        if config.position == "rope":
            cos, sin = self.angles[:, at].unbind()  # (K,) each
        else:
            x = x + self.positions[at]
        # in the cache of each layer, the new token (B, H, 1, K or D) and all tokens up to it (B, H, at + 1, K or D)
        new = cache.k[..., at : at + 1, :].unbind(), cache.v[..., at : at + 1, :].unbind()
        all_so_far = cache.k[..., : at + 1, :].unbind(), cache.v[..., : at + 1, :].unbind()
        for layer, new_k, new_v, k, v in zip(self.layers, *new, *all_so_far, strict=True):
            qk, value = layer.qkv(layer.ln_1(x)).split_with_sizes((2 * H * K, C), -1)
            qk = qk.view(B, 2, H, 1, K)
            if x.dtype != self.qk_dtype:
                qk = qk.to(self.qk_dtype)
            if layer.gains is not None:
                qk /= torch.linalg.vector_norm(qk, dim=-1, keepdim=True).hypot_(self.min_length)
                qk *= layer.gains
            if config.position == "rope":  # channel i is paired with i + K/2
                partners = qk.roll(K // 2, -1)
                qk.mul_(cos).addcmul_(partners, sin)
            q, key = qk.unbind(1)  # (B, H, 1, K)
            new_k.copy_(key)
            new_v.copy_(value.view(B, H, 1, -1))
            if x.dtype != self.qk_dtype:
                q = q.to(x.dtype)
            z = F.scaled_dot_product_attention(q, k, v, scale=layer.scale)  # (B, H, 1, D)
            x += layer.attn_proj(z.reshape(B, C))
            x += layer.mlp_proj(self.mlp_hidden(layer, layer.ln_2(x)))
        cache.length += 1
        return self.head(self.ln_f(x))

    def mlp_hidden(self, layer: "Layer", x: Tensor) -> Tensor:
        """The MLP up to its projection: x (B, C) -> (B, hidden)."""
        if layer.gate is not None:
            return F.silu(layer.gate(x)) * layer.fc(x)
        if self.config.activation == "relu2":
            return layer.fc(x).relu_().square_()
        return F.gelu(layer.fc(x), approximate="tanh")


class Layer(NamedTuple):
    """What a block computes with: norms and linear layers as functions."""

    ln_1: Callable
    qkv: Callable
    gains: Tensor | None  # (2, 1, 1, K): of queries and of keys, times sqrt(K)
    scale: float  # of the scores
    attn_proj: Callable
    ln_2: Callable
    fc: Callable
    gate: Callable | None
    mlp_proj: Callable

    @classmethod
    def of(cls, block: Block, batch: int, qk_dtype: torch.dtype) -> "Layer":
        attn, mlp, gains = block.attn, block.mlp, None
        if attn.qk_norm:
            gains = torch.stack((attn.q_gain, attn.k_gain))[:, None, None].detach().to(qk_dtype) * attn.key_dim**0.5
        return cls(
            ln_1=plain_norm(block.ln_1),
            qkv=fast_linear(attn.qkv, batch),
            gains=gains,
            scale=attn.scale,
            attn_proj=fast_linear(attn.proj, batch),
            ln_2=plain_norm(block.ln_2),
            fc=fast_linear(mlp.fc, batch),
            gate=fast_linear(mlp.gate, batch) if mlp.activation == "swiglu" else None,
            mlp_proj=fast_linear(mlp.proj, batch),
        )


def plain_norm(norm: nn.LayerNorm | nn.RMSNorm) -> Callable[[Tensor], Tensor]:
    """A function that does to x what `norm` does."""
    weight, shape = norm.weight, norm.weight.shape
    if isinstance(norm, nn.RMSNorm):
        return lambda x: F.rms_norm(x, shape, weight, norm.eps)
    bias = norm.bias
    return lambda x: torch.layer_norm(x, shape, weight, bias, norm.eps)
