"""Attention: the dot product of queries and keys decides how much of each value is mixed in.

`attend` is the whole idea in one function; `MultiHeadAttention` gives it queries, keys and values.
Shapes: B batch, T tokens, C channels (`dim`), H heads (`num_heads`), K `key_dim`, D `head_dim`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.cpu import drop, products_are_faster


def causal_mask(queries: int, keys: int, device=None) -> Tensor:
    """What is added to the scores so that no query sees a later key: 0 where j <= i, -inf where j > i.

    Returns float32 (queries, keys). With fewer queries than keys, the queries are the last ones of the sequence,
    as they are when a cache holds the keys of earlier tokens.
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
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, eq. 1): softmax(q kᵀ · scale + mask) v.

    q: (..., Tq, K); k: (..., Tk, K); v: (..., Tk, D). Returns (..., Tq, D).
    `scale=None` is K ** -0.5; 1.0 leaves the scores as they are. `causal` adds `causal_mask`.
    With `record` (a dict) the explicit path is taken and fills in `scores` (before scale and mask) and `weights`,
    both (..., Tq, Tk); without it, PyTorch's fused kernel or the same products, whichever is faster,
    equal up to rounding.
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

    if record is None and not products_are_faster(q, queries * keys, dropout):
        # The kernel's own mask lines up the first query with the first key, so it serves square scores alone;
        # a single query, the newest token's, may see every key.
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


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al. 2021), channel i paired with channel i + K/2.

    x: (B, H, T, K); angles: cosines and sines, each (T, K/2). Returns (B, H, T, K): the dot product of two rotated
    vectors depends on their contents and on the distance between their positions alone.
    """
    cos, sin = angles
    first, second = x.chunk(2, dim=-1)  # (B, H, T, K/2) each
    # the angles are float32, so bfloat16 channels are turned in float32 and rounded once
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).type_as(x)


def rotary_angles(positions: int, key_dim: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of position * 10000 ** (-2i / key_dim), each (positions, key_dim / 2), float32."""
    frequency = 10000.0 ** (-torch.arange(0, key_dim, 2, dtype=torch.float64) / key_dim)
    angle = torch.arange(positions, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float(), angle.sin().float()


class MultiHeadAttention(nn.Module):
    """Many heads side by side: each asks with its own q, k and v; their answers are concatenated and projected.

    head_dim = dim // num_heads channels of value a head, key_dim = int(head_dim * attn_ratio) of query and key:
    q and k only make the weights, v carries the content, so they may be narrower.
    The rows of `qkv` are all heads' queries, then all keys, then all values.
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
    ):
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
        self.scale = self.key_dim**-0.5 if scale else 1.0

    def forward(self, x: Tensor, *, angles=None, cache=None, record: dict | None = None) -> Tensor:
        """x: (B, T, C). Returns (B, T, C).

        `angles`: cosines and sines of the rotary embedding for these T positions, or None.
        `cache`: takes this layer's new keys and values, and hands back those of all tokens so far (see generate.py).
        `record`: a dict to fill with x, q, k, v, scores, weights, z (the heads' answers) and out.
        """
        B, T, C = x.shape
        widths = [self.num_heads * self.key_dim, self.num_heads * self.key_dim, C]
        q, k, v = self.qkv(x).split(widths, dim=-1)  # (B, T, H*K), (B, T, H*K), (B, T, C)
        q = q.view(B, T, self.num_heads, self.key_dim).transpose(1, 2)  # (B, H, T, K)
        k = k.view(B, T, self.num_heads, self.key_dim).transpose(1, 2)  # (B, H, T, K)
        v = v.view(B, T, self.num_heads, self.head_dim).transpose(1, 2)  # (B, H, T, D)
        if self.qk_norm:  # steadies the scores (Henry et al. 2020); the gains let a head be as sharp as it needs to be
            q = F.rms_norm(q, (self.key_dim,), self.q_gain.to(q.dtype))
            k = F.rms_norm(k, (self.key_dim,), self.k_gain.to(k.dtype))
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        if cache is not None:
            k, v = cache(k, v)  # (B, H, all tokens so far, K or D)
        dropout = self.dropout if self.training else 0.0
        z = attend(q, k, v, causal=self.causal, scale=self.scale, dropout=dropout, record=record)  # (B, H, T, D)
        out = self.proj(z.transpose(1, 2).reshape(B, T, C))
        if record is not None:
            record.update(x=x, q=q, k=k, v=v, z=z, out=out)
        return drop(out, dropout)
