"""Dropout at a fraction of the price that a CPU pays for PyTorch's own."""

import torch
import torch.nn.functional as F
from torch import Tensor


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
