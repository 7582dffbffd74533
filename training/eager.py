"""Optimizers without torch's compiler, which those of torch import to keep it out of what they do: a second, in which
nothing else of a run needs it."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

plain_step = inspect.unwrap(torch.optim.AdamW.step)


class EagerOptimizer(Optimizer):
    """An Optimizer whose own methods are as torch wrote them, without what it puts around them for its compiler."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class AdamW(EagerOptimizer, torch.optim.AdamW):
    """The rule of torch.optim.AdamW, bit for bit."""

    found_inf: Tensor | None = None  # 1.0 where this step is to change nothing

    @torch.no_grad()
    def step(self, closure: Callable | None = None) -> Any:
        # a kernel for Apple's GPUs did not look at found_inf (pytorch/pytorch, pull request 186360 of June 2026)
        if self.found_inf is not None and self.found_inf.device.type == "mps" and self.found_inf.item():
            return None
        return plain_step(self, closure)
