"""Dropout at a fraction of the price that a CPU pays for PyTorch's own."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Multiplications from which a float32 product goes to oneDNN. F.linear gives it to MKL, which takes one core alone for
# a single row (17 GB/s of weights; oneDNN on two cores 35) and needs twice as long for 64 rows, measured on a Zen 5.
# Below, the 10 us that oneDNN takes to begin are more than it gains.
ONEDNN_FROM = 2**18


def drop(x: Tensor, p: float) -> Tensor:
    """x, any shape, with a share `p` of its elements zeroed and the others scaled by 1 / (1 - p).

    On a CPU random bits are drawn one after the other, and PyTorch draws 32 or more for an element: that took a third
    of a training step. Here four elements share 64, so `p` is met to the nearest 1 / 65536.
    """
    if p == 0 or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    drawn = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),))
    kept = drawn.view(torch.int16)[: x.numel()].view(x.shape) >= round(p * 2**16) - 2**15
    return x * (kept * (1 / (1 - p))).to(x.dtype)


def products_are_faster(q: Tensor, scores: int, dropout: float) -> bool:
    """True where the plain products of the explicit path train faster than the fused kernel.

    That is so on a CPU in bfloat16, where the kernel's backward pass takes three to eight times as long, and with
    dropout, which the kernel does not do there. The explicit path holds all `scores` of a head, so it is for contexts
    where they are few.
    """
    slow = q.dtype == torch.bfloat16 or dropout > 0
    return slow and q.device.type == "cpu" and q.requires_grad and scores <= 512**2


def product(linear: nn.Linear, rows: int) -> Callable[[Tensor], Tensor]:
    """What `linear` does to x (rows, in): (rows, out)."""
    weight, bias = linear.weight, linear.bias
    small = rows * weight.numel() < ONEDNN_FROM
    if (
        small
        or weight.dtype != torch.float32
        or weight.device.type != "cpu"
        or not torch.backends.mkldnn.is_available()
    ):
        return lambda x: F.linear(x, weight, bias)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
