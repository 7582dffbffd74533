"""One optimizer step: the gradient of a batch, clipped and applied. Nothing in it waits for the device."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from config import TrainConfig
from model import GPT
from training.device import autocast
from training.distributed import exchanging, mean, micro_batches, whole
from training.loss_scale import LossScale
from training.optimizer import Muon, make_optimizers
from training.schedule import learning_rate_factor, muon_momentum


class LastStep(NamedTuple):
    """The figures of the last optimizer step."""

    loss: float  # nats per token
    learning_rate: float  # AdamW's
    grad_norm: float  # before clipping
    bad_steps: int  # the longest run of consecutive skipped steps until now
    skipped_steps: int  # all of them

    def metrics(self, tokens_per_second: float) -> dict[str, float]:
        """What metrics.jsonl says of it."""
        line = {"train_loss": self.loss, "learning_rate": self.learning_rate, "grad_norm": self.grad_norm}
        return line | {"tokens_per_second": tokens_per_second, "skipped_steps": self.skipped_steps}


class Step:
    """What moves a model: its optimizers, and what is known of the last step, kept on the device until it is read.

    A step whose loss or gradient is not finite changes no weight and no optimizer state. That is decided on the device,
    as a gradient scaler does it: by `found_inf`, which torch's fused optimizers and our Muon obey.
    """

    def __init__(self, model: GPT, config: TrainConfig, compiled: bool = False) -> None:
        self.config, self.model, self.scale = config, model, LossScale(config)
        self.forward = torch.compile(model) if compiled else model
        self.optimizers = make_optimizers(model, config)
        self.loss = self.grad_norm = torch.zeros((), device=config.device)
        # skipped steps: in a row until now, the longest such run, all; exact in float32 up to 2 ** 24
        self.skipped_in_a_row = self.longest_skip = self.skipped = torch.zeros((), device=config.device)

    def __call__(self, place: float, windows: np.ndarray) -> None:
        """The step with which the schedule comes to `place` (1 is the first, train.steps the last).

        windows: int64 (batch, block_size + 1); -1 is no target.
        """
        t = self.config
        self.loss = accumulate_gradients(self.forward, windows, t, self.scale.factor())
        parameters = self.scale.unscale(self.model.parameters())
        self.grad_norm = whole(torch.nn.utils.clip_grad_norm_(parameters, t.grad_clip or math.inf))
        found_inf = self.scale.learn((~(self.loss + self.grad_norm).isfinite()).float())
        self.skipped_in_a_row = (self.skipped_in_a_row + 1) * found_inf
        self.longest_skip = torch.maximum(self.longest_skip, self.skipped_in_a_row)
        self.skipped = self.skipped + found_inf
        factor = learning_rate_factor(place - 1, t)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
                if isinstance(optimizer, Muon):
                    group["momentum"] = muon_momentum(place - 1)
            optimizer.found_inf = found_inf  # type: ignore[attr-defined]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def read(self) -> "LastStep":
        """What is known of the last step. Waits for the device, once."""
        figures = (self.loss, self.grad_norm, self.longest_skip, self.skipped)
        loss, grad_norm, bad_steps, skipped_steps = torch.stack(figures).tolist()
        learning_rate = self.optimizers[0].param_groups[0]["lr"]
        return LastStep(loss, learning_rate, grad_norm, int(bad_steps), int(skipped_steps))


def accumulate_gradients(forward: Callable, windows: np.ndarray, t: TrainConfig, scale: Tensor | None = None) -> Tensor:
    """Leaves the gradient of the mean loss over the targets of windows (batch, block_size + 1); returns that loss.

    The gradient is that of the whole batch, times `scale`, whatever the micro-batches and however many the processes.
    """
    total, parts = torch.zeros((), device=t.device), micro_batches(windows, t.sequences_at_once)
    for number, (part, weight) in enumerate(parts, start=1):
        ids = torch.from_numpy(part)
        if t.device == "cuda":
            ids = ids.pin_memory()  # so that the copy need not be waited for
        ids = ids.to(t.device, non_blocking=True)
        with exchanging(forward, now=number == len(parts)):
            with autocast(t):
                loss = forward(ids[:, :-1].clamp(min=0), ids[:, 1:])[1]  # the logits go as soon as they are not needed
            loss = loss * weight
            loss.backward(scale)
        total = total + loss.detach()
    return mean(total)
