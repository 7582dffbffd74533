"""Muon, AdamW, and which parameter follows which: Muon moves the matrices of the blocks, AdamW all the rest."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from config import TrainConfig
from training.distributed import own, own_rows, whole_stack
from training.eager import AdamW, EagerOptimizer


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimizers that together move every parameter of `model` exactly once.

    Each group carries `peak_lr`, which the schedule multiplies. Embeddings and matrices are decayed, gains and biases
    are not (Radford et al. 2018). With `optimizer: muon` the matrices between embedding and head follow Muon.
    Raises ValueError when a parameter would be moved by none or by two of them.
    """
    matrices = [p for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    by_muon = {id(p) for p in matrices} if config.optimizer == "muon" else set()
    rest = [p for p in model.parameters() if id(p) not in by_muon]
    adamw = AdamW(
        [
            {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )
    optimizers: list[torch.optim.Optimizer] = [adamw]
    if by_muon:
        products = torch.bfloat16 if config.dtype == "bfloat16" else torch.float32
        optimizers.append(Muon(matrices, config.muon_learning_rate, config.weight_decay, products))
    moved = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    if sorted(moved) != sorted(id(p) for p in model.parameters()):
        raise ValueError("every parameter must belong to exactly one optimizer group")
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


# A polynomial of degree 5 that brings every singular value near 1 in few steps, though none to it exactly.
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Muon(EagerOptimizer):
    """Muon (Jordan et al. 2024): momentum made orthogonal, so that every direction of a matrix learns at the same pace.

    Nesterov momentum, orthogonalized, times sqrt(max(1, rows / columns)); decoupled weight decay. The rule of
    `torch.optim.Muon`, up to rounding, with its matrix products in the precision `products`. Matrices of one shape are
    updated in one batch, since a small one leaves a CPU idle. Raises ValueError for a parameter that is not a matrix.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float, products: torch.dtype, momentum: float = 0.95
    ) -> None:
        self.products = products
        self.found_inf = None  # as in torch's fused optimizers: a tensor, 1.0 where this step is to change nothing
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon moves only matrices")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every matrix that has a gradient; returns what `closure` does, which computes the loss anew."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for matrices in by_shape.values():
                self._update(matrices, **{key: group[key] for key in ("lr", "weight_decay", "momentum")})
        return loss

    def _update(self, matrices: list[Tensor], lr: float, weight_decay: float, momentum: float) -> None:
        for p in matrices:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [own(self.state[p]["momentum_buffer"]) for p in matrices]
        means = torch.stack(buffers)  # (matrices, rows, columns); of several processes each may have its own rows
        gradients = torch.stack([own(p.grad) for p in matrices if p.grad is not None])
        if self.found_inf is not None:  # the mean stays, and the update is nothing
            gradients = torch.where(self.found_inf > 0, means, gradients)
            lr = lr * (1 - self.found_inf)
        means = means.lerp(gradients, 1 - momentum)
        rows, columns = matrices[0].shape
        directions = whole_stack(gradients.lerp(means, momentum), like=matrices[0])
        updates = own_rows(orthogonalize(directions.to(self.products)).to(means.dtype), like=matrices[0])
        updates *= lr * max(1, rows / columns) ** 0.5
        torch._foreach_copy_(buffers, means.unbind())
        torch._foreach_mul_([own(p) for p in matrices], 1 - lr * weight_decay)
        torch._foreach_sub_([own(p) for p in matrices], updates.unbind())


def orthogonalize(x: Tensor) -> Tensor:
    """The matrices x (N, rows, columns) with singular values near 1 in place of their own; bfloat16 is precise enough.

    x xᵀ is made on the shorter side. A matrix of zeros stays one.
    """
    rows, columns = x.shape[-2:]
    if rows > columns:
        return orthogonalize(x.mT).mT
    a, b, c = NEWTON_SCHULZ
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)  # no singular value above 1
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x
