"""Optimizers without torch's compiler, which those of torch import to keep it out of what they do: a second, in which
nothing else of a run needs it."""

import inspect

import torch
from torch.optim import Optimizer


class EagerOptimizer(Optimizer):
    """An Optimizer whose own methods are as torch wrote them, without what it puts around them for its compiler."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class AdamW(EagerOptimizer, torch.optim.AdamW):
    """The rule of torch.optim.AdamW, bit for bit."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
