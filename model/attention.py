"""Attention: the dot products of queries and keys decide how much of each value is mixed in.

`attend` is the whole idea in one function; `MultiHeadAttention` gives it queries, keys and values.
Shapes: B batch, T tokens, C channels (`dim`), H heads (`num_heads`), K `key_dim`, D `head_dim`.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cpu import Heads, drop, products_are_faster, trained_on_a_cpu

NORM_EPS = 1e-5  # of every norm, as in GPT-2: added to the mean square before the root

Angles = tuple[Tensor, Tensor]  # cosines and sines of the rotary embedding, each (T, K/2)
LayerCache = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # new k and v of a layer -> those of all tokens so far


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """What is added to the scores so that no query sees a later key: 0 where j <= i, -inf where j > i.

    Returns float32 (queries, keys). With fewer queries than keys, as with a cache, they are those of the last tokens.
    """
    later = torch.ones(queries, keys, dtype=torch.bool, device=device).triu(1 + keys - queries)
    return torch.zeros(queries, keys, device=device).masked_fill(later, float("-inf"))


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool,
    scale: float | None = None,
    dropout: float = 0.0,
    record: dict | None = None,
    fused: bool | None = None,
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1): softmax(q kᵀ · scale + mask) v.

    q: (..., Tq, K); k: (..., Tk, K); v: (..., Tk, D). Returns (..., Tq, D).
    `scale=None` is K ** -0.5; 1.0 leaves the scores as they are. `causal` adds `causal_mask`.
    With `record` (a dict) takes the explicit path and fills in `scores` (before scale and mask) and `weights`, both
    (..., Tq, Tk). `fused` takes PyTorch's kernel, or else the same products, equal up to rounding; None the faster one.
    Raises ValueError when the shapes of q, k and v do not match.
    """
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must have the same key_dim: q is {tuple(q.shape)}, k is {tuple(k.shape)}")
    if k.shape[-2] != v.shape[-2]:
        raise ValueError(f"each key needs one value: k is {tuple(k.shape)}, v is {tuple(v.shape)}")
    queries, keys = q.shape[-2], k.shape[-2]
    if causal and queries > keys:
        raise ValueError(f"a causal mask needs a key for every query: {queries} queries, {keys} keys")
    if scale is None:
        scale = q.shape[-1] ** -0.5

    if record is None and (not products_are_faster(q, queries * keys, dropout) if fused is None else fused):
        # The kernel's own mask lines up the first query with the first key, so it only serves square scores.
        # A single query, that of the newest token, may see every key.
        square = queries == keys
        mask = causal_mask(queries, keys, q.device).to(q.dtype) if causal and not square and queries > 1 else None
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal and square, dropout_p=dropout, scale=scale
        )

    if record is None:
        scaled = (q * scale) @ k.transpose(-2, -1)  # (..., Tq, Tk)
    else:
        record["scores"] = q @ k.transpose(-2, -1)  # (..., Tq, Tk)
        scaled = record["scores"].to(torch.promote_types(q.dtype, torch.float32)) * scale
    if causal:
        scaled = scaled + causal_mask(queries, keys, q.device).to(scaled.dtype)
    weights = scaled.softmax(dim=-1)  # each row sums to 1
    if record is not None:
        record["weights"] = weights
    return drop(weights.to(v.dtype), dropout) @ v  # (..., Tq, D)


def rotate(x: Tensor, angles: Angles) -> Tensor:
    """Rotary position embedding (Su et al. 2021), channel i paired with channel i + K/2.

    x: (B, H, T, K). Returns (B, H, T, K): the dot product of two rotated vectors depends only on their contents and on
    the distance between their positions.
    """
    cos, sin = angles
    first, second = x.chunk(2, dim=-1)  # (B, H, T, K/2) each
    # the angles are float32, so bfloat16 channels are rotated in float32 and rounded once
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).type_as(x)


def rotary_angles(positions: int, key_dim: int, theta: float = 10000.0) -> Tensor:
    """Cosines and sines of position * theta ** (-2i / key_dim): (2, positions, key_dim / 2), float32."""
    # not by torch: in one process of thirty, of those with two threads on an Intel processor, the half of its float64
    # cosines that the second thread computes was wrong by up to 7e-9, and the losses were others in their last digits
    frequencies = [theta ** (-channel / key_dim) for channel in range(0, key_dim, 2)]
    angles = [[position * frequency for frequency in frequencies] for position in range(positions)]
    both = [[[function(angle) for angle in row] for row in angles] for function in (math.cos, math.sin)]
    return torch.tensor(both, dtype=torch.float32)


class MultiHeadAttention(nn.Module):
    """Many heads side by side: each asks with its own q, k and v; their answers are concatenated and projected.

    A value has head_dim = dim // num_heads channels, a query and a key have key_dim = int(head_dim * attn_ratio): they
    only make the weights, so they may be narrower than the values, which carry the content.
    The rows of `qkv` are the queries of all heads, then all keys, then all values.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        attn_ratio: float = 1.0,
        bias: bool = False,
        qk_norm: bool = False,
        dropout: float = 0.0,
        causal: bool = True,
        scale: bool = True,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim must be divisible by num_heads: {dim} channels, {num_heads} heads")
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.key_dim = max(1, int(self.head_dim * attn_ratio))
        self.qkv = nn.Linear(dim, dim + 2 * self.key_dim * num_heads, bias=bias)
        self.proj = nn.Linear(dim, dim, bias=bias)
        self.qk_norm = qk_norm
        if qk_norm:
            self.q_gain = nn.Parameter(torch.ones(self.key_dim))
            self.k_gain = nn.Parameter(torch.ones(self.key_dim))
        self.dropout = dropout
        self.causal = causal
        self.fused: bool | None = None  # False where the fused kernel is not to be trusted (model/leaks.py)
        self.scale = self.key_dim**-0.5 if scale else 1.0

    def forward(
        self, x: Tensor, *, angles: Angles | None = None, cache: LayerCache | None = None, record: dict | None = None
    ) -> Tensor:
        """x: (B, T, C). Returns (B, T, C).

        `angles`: of these T positions, or None. `cache`: holds this layer's keys and values of earlier tokens.
        `record`: a dict to fill with x, q, k, v, scores, weights, z (the heads' answers) and out.
        """
        (B, T, C), H, K = x.shape, self.num_heads, self.key_dim
        qkv = self.qkv(x)  # (B, T, H*K + H*K + C): the queries, keys and values of all heads
        if self.qk_norm and angles is not None and record is None and trained_on_a_cpu(qkv):  # as below, and faster
            q, k, v = Heads.apply(qkv, torch.stack((self.q_gain, self.k_gain)), *angles, H, NORM_EPS)
        else:
            parts = qkv.split((H * K, H * K, C), dim=-1)
            q, k, v = (part.view(B, T, H, -1).transpose(1, 2) for part in parts)  # (B, H, T, K), twice; (B, H, T, D)
            if self.qk_norm:  # steadies the scores (Henry et al. 2020); the gains let a head be as sharp as need be
                q, k = (F.rms_norm(x.to(g.dtype), (K,), g, NORM_EPS) for x, g in ((q, self.q_gain), (k, self.k_gain)))
            if angles is not None:
                q, k = rotate(q, angles), rotate(k, angles)
            q, k = q.type_as(v), k.type_as(v)  # what autocast had in float32 is rounded once, on all devices
        if cache is not None:
            k, v = cache(k, v)  # (B, H, all tokens so far, K or D)
        p = self.dropout if self.training else 0.0
        z = attend(q, k, v, causal=self.causal, scale=self.scale, dropout=p, record=record, fused=self.fused)
        out = self.proj(z.transpose(1, 2).reshape(B, T, C))  # z: (B, H, T, D), the heads' answers
        if record is not None:
            record.update(x=x, q=q, k=k, v=v, z=z, out=out)
        return drop(out, p)
