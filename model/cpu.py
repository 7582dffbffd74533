"""Where a CPU has a faster way than PyTorch's own: dropout, attention in training, products of a few rows."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Multiplications from which a float32 product goes to oneDNN. F.linear gives it to MKL, which takes only one core for
# a single row (17 GB/s of weights; oneDNN on two cores 35) and twice as long for 64 rows, measured on a Zen 5.
# Below, the 10 us that oneDNN takes to begin are more than it gains.
ONEDNN_FROM = 2**18


def drop(x: Tensor, p: float) -> Tensor:
    """x, any shape, with a share `p` of its elements zeroed and the others scaled by 1 / (1 - p).

    On a CPU random bits are drawn one after the other, and PyTorch draws 32 or more for an element: that took a third
    of a training step. Here four elements share 64, so `p` is met to the nearest 1 / 65536.
    """
    of_65536 = round(p * 2**16)
    if of_65536 in (0, 2**16) or x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, p)
    bits = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),))
    kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= of_65536 - 2**15
    return x * (kept * (1 / (1 - p))).to(x.dtype)


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
