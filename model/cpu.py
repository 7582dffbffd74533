"""Where a CPU has a faster way than PyTorch's own: dropout, attention in training, products of a few rows.

What a training step computes between its products is computed in pieces that stay in the cache, forward and backward:
to fetch a number from memory, which PyTorch does for each operation anew, takes longer than to compute with it. Each
function equals the plain formula of the model up to rounding: all is in float32 here and rounded once.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Multiplications from which a float32 product goes to oneDNN. F.linear gives it to MKL, which takes only one core for
# a single row (17 GB/s of weights; oneDNN on two cores 35) and twice as long for 64 rows, measured on a Zen 5.
# Below, the 10 us that oneDNN takes to begin are more than it gains.
ONEDNN_FROM = 2**18
PIECE = 2**16  # numbers of which a few copies in float32 stay in a core's cache
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
    return SquaredReLU.apply(x) if trained_on_a_cpu(x) else F.relu(x).square()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean of -ln p(target) in nats: logits (N, V), targets int64 (N,), of which -1 is left out."""
    if logits.numel() > MANY_LOGITS and trained_on_a_cpu(logits):
        return CrossEntropy.apply(logits, targets)
    return F.cross_entropy(logits.float(), targets, ignore_index=-1)


def at_once(numbers: int) -> int:
    """How many of the rows that have so many `numbers` are a piece: at least one."""
    return max(1, PIECE // max(1, numbers))


class SquaredReLU(torch.autograd.Function):
    """As squared_relu; kept for the backward pass is one tensor, which is multiplied once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    @once_differentiable
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
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient if upstream == 1 else gradient.mul_(upstream), None  # in place: nothing else has it


class Heads(torch.autograd.Function):
    """Queries and keys of all heads, normalised with their gains and rotated, and the values.

    qkv: (B, T, 2 H K + H D); gains: (2, K), of q and of k; cos, sin: (T, K/2). Returns q and k, (B, H, T, K), and
    v, (B, H, T, D). Time runs innermost while they are computed: a head has few channels, a vector of the CPU's many.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, gains: Tensor, cos: Tensor, sin: Tensor, heads: int, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        (B, T, C), K = qkv.shape, gains.shape[-1]
        qk, v = qkv.split((2 * heads * K, C - 2 * heads * K), dim=-1)
        qk = qk.view(B, T, 2, heads, K).permute(0, 2, 3, 4, 1)  # (B, 2, H, K, T)
        result = torch.empty(2, B, heads, K, T, dtype=qkv.dtype)
        first_gain, second_gain = gains.view(2, 1, K, 1).chunk(2, dim=-2)  # (2, 1, K/2, 1) each
        cos, sin = cos.t(), sin.t()  # (K/2, T)
        cosines = (first_gain * cos, second_gain * cos)
        sines = (second_gain * sin, first_gain * sin)
        at_a_time = at_once(qk[0].numel())
        for into, piece in zip(result.split(at_a_time, dim=1), qk.split(at_a_time), strict=True):
            normal, _ = normalised(piece, epsilon)
            first, second = normal.chunk(2, dim=-2)  # (b, 2, H, K/2, T) each
            one, two = into.transpose(0, 1).chunk(2, dim=-2)
            one.copy_((first * cosines[0]).addcmul_(second, sines[0], value=-1))
            two.copy_((second * cosines[1]).addcmul_(first, sines[1]))
        ctx.save_for_backward(qkv, gains, cos, sin)
        ctx.heads, ctx.epsilon = heads, epsilon
        q, k = result.mT.unbind()
        if qkv.dtype == torch.float32:  # PyTorch's kernel is for channels side by side, and else keeps every map
            q, k = q.contiguous(), k.contiguous()
        return q, k, v.view(B, T, heads, -1).transpose(1, 2).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (qkv, gains, cos, sin), heads = ctx.saved_tensors, ctx.heads
        (B, T, _), K = qkv.shape, gains.shape[-1]
        result, of_gains = torch.empty_like(qkv), torch.zeros_like(gains)
        width = 2 * heads * K
        result[..., width:].view(B, T, heads, -1).copy_(gradients[2].transpose(1, 2))
        qk, into = (x[..., :width].view(B, T, 2, heads, K).permute(0, 2, 3, 4, 1) for x in (qkv, result))
        at_a_time = at_once(qk[0].numel())
        for at in range(0, B, at_a_time):
            pieces = slice(at, at + at_a_time)
            normal, inverse = normalised(qk[pieces], ctx.epsilon)  # (b, 2, H, K, T), (b, 2, H, 1, T)
            turned = torch.empty_like(normal)
            for part in (0, 1):
                turned[:, part] = gradients[part][pieces].mT
            first, second = turned.chunk(2, dim=-2)
            back = torch.empty_like(normal)
            one, two = back.chunk(2, dim=-2)
            torch.mul(first, cos, out=one).addcmul_(second, sin)
            torch.mul(second, cos, out=two).addcmul_(first, sin, value=-1)
            products = torch.mul(back, normal, out=turned)
            of_gains += products.sum(dim=-1).sum(dim=(0, 2))
            back *= gains.view(2, 1, K, 1)
            along = (products.mul_(gains.view(2, 1, K, 1))).mean(dim=-2, keepdim=True)
            into[pieces] = back.addcmul_(normal, along, value=-1).mul_(inverse)
        return result, of_gains, None, None, None, None


def normalised(x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """x (..., K, T) divided by its root mean square over K, in float32, and what it was multiplied by (..., 1, T)."""
    normal = torch.empty(x.shape).copy_(x)
    inverse = normal.square().mean(dim=-2, keepdim=True).add_(epsilon).rsqrt_()
    return normal.mul_(inverse), inverse
