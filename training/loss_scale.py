"""The loss scale of a run in float16: what of a gradient is below 6e-8 is zero there, so all of it is made larger."""

from collections.abc import Iterable

import torch
from torch import Tensor

from config import TrainConfig
from training.distributed import own

START = 12.0  # log2 of the first scale: gradients up to 16 fit, and a scale too small grows
GOOD_STEPS = 2048  # that double it


class LossScale:
    """2 ** floor(log2), by which the gradient is scaled while it is computed; of a run in float16 only.

    As torch.amp.GradScaler has it (Micikevicius et al. 2018, "Mixed precision training", 3.2), and without a wait for
    the device: a gradient that is not finite halves it, and its step is left out; so many good steps double it.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.used = config.dtype == "float16"
        self.log2 = torch.full((), START, device=config.device)

    def factor(self) -> Tensor | None:
        """What `backward` begins with: a number without dimensions, or None for 1."""
        return self.log2.floor().exp2() if self.used else None

    def unscale(self, parameters: Iterable[Tensor]) -> list[Tensor]:
        """The parameters, after their gradients, in place, have become those without the scale."""
        parameters = list(parameters)
        if (factor := self.factor()) is not None:
            torch._foreach_mul_([own(p.grad) for p in parameters if p.grad is not None], 1 / factor)
        return parameters

    def learn(self, found_inf: Tensor) -> Tensor:
        """Takes note of a step and returns found_inf, which is 1.0 where the step is left out, else 0.0."""
        if self.used:
            self.log2 = (self.log2 + (1 - found_inf) / GOOD_STEPS - found_inf).clamp(min=0)
        return found_inf
