"""One optimizer step: the gradient of a batch, clipped and applied. Nothing in it waits for the device."""

import math

import numpy as np
import torch
from torch import Tensor

from config import TrainConfig
from model import GPT
from training.device import autocast
from training.muon import Muon
from training.optimizer import make_optimizers
from training.schedule import learning_rate_factor, muon_momentum


class Step:
    """What moves a model: its optimizers, and what is known of the last step, on the device until it is read.

    A step whose loss or gradient is not finite changes no weight and no optimizer state. That is decided on the device,
    as a gradient scaler does it: by `found_inf`, which torch's fused optimizers and our Muon obey.
    """

    def __init__(self, model: GPT, config: TrainConfig, compiled: bool = False):
        self.config = config
        self.parameters = list(model.parameters())
        self.forward = torch.compile(model) if compiled else model
        self.optimizers = make_optimizers(model, config)
        self.loss = self.grad_norm = torch.zeros((), device=config.device)
        # skipped steps: in a row up to now, the longest row, all; exact in float32 up to 2 ** 24
        self.skipped = torch.zeros(3, device=config.device)

    def __call__(self, step: int, windows: np.ndarray) -> None:
        """Step number `step` (1 is the first) on windows, int64 (batch, block_size + 1)."""
        t = self.config
        self.loss = accumulate_gradients(self.forward, windows, t)
        self.grad_norm = torch.nn.utils.clip_grad_norm_(self.parameters, t.grad_clip or math.inf)
        found_inf = (~(self.loss + self.grad_norm).isfinite()).float()
        in_a_row, longest, skipped = self.skipped.unbind()
        in_a_row = (in_a_row + 1) * found_inf
        self.skipped = torch.stack((in_a_row, torch.maximum(longest, in_a_row), skipped + found_inf))
        factor = learning_rate_factor(step - 1, t)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] * factor
                if isinstance(optimizer, Muon):
                    group["momentum"] = muon_momentum(step - 1)
            optimizer.found_inf = found_inf
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def read(self) -> dict:
        """Of the last step loss, grad_norm (before clipping) and learning_rate (AdamW's); bad_steps, the longest row of
        skipped ones up to now; skipped_steps, all of them. Waits for the device, once."""
        known = torch.stack((self.loss, self.grad_norm, *self.skipped))
        loss, grad_norm, _, longest, skipped = known.tolist()
        rate = self.optimizers[0].param_groups[0]["lr"]
        counts = {"bad_steps": int(longest), "skipped_steps": int(skipped)}
        return {"loss": loss, "grad_norm": grad_norm, "learning_rate": rate, **counts}


def accumulate_gradients(forward, windows: np.ndarray, t: TrainConfig) -> Tensor:
    """Leaves the gradient of the mean loss over windows (batch, block_size + 1) in the parameters; returns that loss.

    However small the micro-batches, the gradient is that of the whole batch.
    """
    ids = torch.from_numpy(windows)
    if t.device == "cuda":
        ids = ids.pin_memory()  # so that the copy need not be waited for
    total = 0.0
    for part in ids.split(t.micro_batch_size or t.batch_size):
        part = part.to(t.device, non_blocking=True)
        with autocast(t):
            loss = forward(part[:, :-1], part[:, 1:])[1]  # the logits go as soon as they are not needed
        loss = loss * (len(part) / t.batch_size)
        loss.backward()
        total = total + loss.detach()
    return total
