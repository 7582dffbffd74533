"""Where a CPU has a faster way than PyTorch's own: dropout, attention in training, products of a few rows.

What a training step computes between its products is computed in pieces that stay in the cache, forward and backward:
fetching a number from memory, which PyTorch does anew for each operation, takes longer than computing with it. Each
function equals the plain formula of the model up to rounding: sums are in float32 here, and results rounded once.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Multiplications from which a float32 product goes to oneDNN. F.linear gives it to MKL, which takes only one core for
# a single row (17 GB/s of weights; oneDNN on two cores 35) and twice as long for 64 rows, measured on a Zen 5.
# Below, the 10 us that oneDNN takes to begin are more than it gains.
ONEDNN_FROM = 2**18
PIECE = 2**17  # numbers for each thread, of which a few copies in float32 stay in its core's cache
MANY_LOGITS = 2**20  # below, as with characters, PyTorch's own loss takes no longer


def drop(x: Tensor, p: float) -> Tensor:
    """x, any shape, with a share `p` of its elements zeroed and the others scaled by 1 / (1 - p).

    On a CPU random bits are drawn one after the other, and PyTorch draws 32 or more for an element: that took a third
    of a training step. Here four elements share 64, so `p` is met to the nearest 1 / 32768.
    """
    of_32768 = round(p * 2**15)
    if of_32768 in (0, 2**15) or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    bits = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),))
    # no comparison and no product: on integers a vector of the CPU does in one step what takes those ten
    bits = bits.view(torch.int16)[: x.numel()].view(x.shape).bitwise_and_(2**15 - 1)
    kept = bits.sub_(of_32768).bitwise_right_shift_(15).bitwise_not_()
    return Drop.apply(x, kept, 1 / (1 - p))


class Drop(torch.autograd.Function):
    """x * scale where all bits of `kept`, int16, are set, and 0 where none is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        result = x * scale
        result.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]).bitwise_and_(kept)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return Drop.apply(gradient, *ctx.saved_tensors, ctx.scale), None, None


def products_are_faster(q: Tensor, scores: int, dropout: float) -> bool:
    """Whether attention trains faster by plain products than by the fused kernel.

    It does on a CPU in bfloat16, where the kernel's backward pass takes three to eight times as long, and with dropout,
    which the kernel does not do there. The products keep all `scores` (queries times keys) of a head in memory, so they
    are for contexts where these are few.
    """
    slow = q.dtype == torch.bfloat16 or dropout > 0
    return slow and q.device.type == "cpu" and q.requires_grad and scores <= 512**2


def fast_linear(linear: nn.Linear, rows: int) -> Callable[[Tensor], Tensor]:
    """A function that does to x (rows, in) what `linear` does, up to rounding: (rows, out)."""
    weight, bias = linear.weight, linear.bias
    on_cpu = weight.device.type == "cpu" and weight.dtype == torch.float32
    if on_cpu and rows * weight.numel() >= ONEDNN_FROM and torch.backends.mkldnn.is_available():
        return lambda x: torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return lambda x: F.linear(x, weight, bias)


def trained_on_a_cpu(x: Tensor) -> bool:
    """Whether what is computed from x is for a backward pass on a CPU by these functions: they cannot be compiled."""
    wanted = x.device.type == "cpu" and x.requires_grad and torch.is_grad_enabled()
    return wanted and x.dtype in (torch.float32, torch.bfloat16) and not torch.compiler.is_compiling()


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)² (So et al. 2021), x of any shape."""
    if trained_on_a_cpu(x):
        return SquaredReLU.apply(x)
    positive = F.relu(x)
    return positive * positive  # which CUDA's autocast leaves in x's precision; the square it would make float32


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -ln p(target) in nats: logits (N, V), targets int64 (N,), of which -1 is left out."""
    if logits.numel() > MANY_LOGITS and trained_on_a_cpu(logits):
        return CrossEntropy.apply(logits, targets)
    return F.cross_entropy(logits.float(), targets, ignore_index=-1)


def at_once(numbers: int) -> int:
    """How many of the rows that have so many `numbers` are a piece: at least one."""
    return max(1, PIECE * torch.get_num_threads() // max(1, numbers))


def first_derivative(backward: Callable) -> Callable:
    """`backward`, which raises RuntimeError where its result is to be differentiated in turn (`create_graph`).

    PyTorch's once_differentiable, where torch.autograd.grad asks, leaves these terms out without a word.
    """

    def checked(ctx: Any, *gradients: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "a second derivative was asked for, and the fast training on a CPU has only first ones: "
                "model.double() with record=[] has both"
            )
        return backward(ctx, *gradients)

    return checked


class SquaredReLU(torch.autograd.Function):
    """As squared_relu; kept for the backward pass is one tensor, which is multiplied once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    @first_derivative
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (gradient * positive).mul_(2)


class CrossEntropy(torch.autograd.Function):
    """As cross_entropy. Its gradient is computed on the way, so that it takes the place of the logits in memory."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        counted = (targets != -1).unsqueeze(-1)
        at, share = targets.unsqueeze(-1) * counted, counted.sum().float().reciprocal()
        weights, losses = counted * share, torch.empty(at.shape)  # (N, 1)
        gradient, rows = torch.empty_like(logits), at_once(logits.shape[-1])
        parts = (tensor.split(rows) for tensor in (logits, at, weights, losses, gradient))
        for piece, chosen, weight, loss, into in zip(*parts, strict=True):
            p = piece.float().log_softmax(-1)
            torch.gather(p, -1, chosen, out=loss)
            p.exp_().scatter_add_(-1, chosen, torch.full(chosen.shape, -1.0))
            into.copy_(p.mul_(weight))
        ctx.save_for_backward(gradient)
        return -losses.masked_fill_(~counted, 0).sum() * share

    @staticmethod
    @first_derivative
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient if upstream == 1 else gradient * upstream, None


class Heads(torch.autograd.Function):
    """Queries and keys of all heads, normalised with their gains and rotated, and the values.

    qkv: (B, T, 2 H K + H D); gains: (2, K), of q and of k; cos, sin: (T, K/2). Returns q and k, (B, H, T, K), and
    v, (B, H, T, D). The angles are repeated for every head, so that all of a token's numbers are multiplied in a row.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, gains: Tensor, cos: Tensor, sin: Tensor, heads: int, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        (B, T, _), K = qkv.shape, gains.shape[-1]
        qk, v = parts_of_heads(qkv, heads, K)  # (B, T, 2, H, K), (B, T, H, D)
        result, inverse = torch.empty(2, B, heads, T, K, dtype=qkv.dtype), torch.empty(*qk.shape[:-1], 1)
        cosines = for_all_heads(cos, cos, heads) * gains[:, None]
        sines = for_all_heads(-sin, sin, heads) * gains[:, None].roll(K // 2, dims=-1)
        for piece in slices(T, at_once(qk[:, 0].numel())):
            x = torch.empty(qk[:, piece].shape).copy_(qk[:, piece])
            inverse[:, piece] = x.square().mean(dim=-1, keepdim=True).add_(epsilon).rsqrt_()
            normal = x.mul_(inverse[:, piece])
            result[..., piece, :] = rotate_pairs(normal, cosines[piece], sines[piece]).permute(2, 0, 3, 1, 4)
        ctx.save_for_backward(qkv, gains, cos, sin, inverse)
        ctx.heads = heads
        q, k = result.unbind()
        return q, k, v.transpose(1, 2).contiguous()

    @staticmethod
    @first_derivative
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (qkv, gains, cos, sin, inverse), heads = ctx.saved_tensors, ctx.heads
        T, K = qkv.shape[1], gains.shape[-1]
        result, of_gains = torch.empty_like(qkv), torch.zeros(2 * heads * K)
        (qk, _), (of_qk, of_v) = (parts_of_heads(x, heads, K) for x in (qkv, result))
        of_v.copy_(gradients[2].transpose(1, 2))
        cosines, sines = for_all_heads(cos, cos, heads), for_all_heads(sin, -sin, heads)  # turned back
        all_gains = gains[:, None].expand(2, heads, K).contiguous()
        for piece in slices(T, at_once(qk[:, 0].numel())):
            normal = qk[:, piece] * inverse[:, piece]  # (B, t, 2, H, K)
            gradient = torch.empty_like(normal)
            for part in (0, 1):
                gradient[:, :, part] = gradients[part][:, :, piece].transpose(1, 2)
            back = rotate_pairs(gradient, cosines[piece], sines[piece])
            products = torch.mul(back, normal, out=gradient)
            of_gains += products.view(-1, len(of_gains)).sum(dim=0)
            along = products.mul_(all_gains).mean(dim=-1, keepdim=True)
            of_qk[:, piece] = back.mul_(all_gains).addcmul_(normal, along, value=-1).mul_(inverse[:, piece])
        return result, of_gains.view(2, heads, K).sum(dim=1), None, None, None, None


def parts_of_heads(qkv: Tensor, heads: int, key_dim: int) -> tuple[Tensor, Tensor]:
    """Views of qkv (B, T, 2 H K + H D): queries and keys (B, T, 2, H, K), values (B, T, H, D)."""
    qk, v = qkv.tensor_split((2 * heads * key_dim,), dim=-1)
    return qk.unflatten(-1, (2, heads, key_dim)), v.unflatten(-1, (heads, -1))


def slices(length: int, step: int) -> list[slice]:
    return [slice(start, start + step) for start in range(0, length, step)]


def for_all_heads(first: Tensor, second: Tensor, heads: int) -> Tensor:
    """(T, K/2) of a head's first channels and of its second ones, as (T, 2, H, K), of q and of k."""
    return torch.cat((first, second), dim=-1)[:, None, None].repeat(1, 2, heads, 1)


def rotate_pairs(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """x (..., K) with channels i and i + K/2 rotated; `sines` (..., K) multiply the other one of each pair."""
    half = x.shape[-1] // 2
    result = x * cosines
    result[..., :half].addcmul_(x[..., half:], sines[..., :half])
    result[..., half:].addcmul_(x[..., :half], sines[..., half:])
    return result
