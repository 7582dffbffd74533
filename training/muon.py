"""Muon: momentum made orthogonal, so that every direction of a matrix learns at the same pace."""

import torch
from torch import Tensor

# A polynomial of degree 5 that brings every singular value near 1 in few steps, though none to it exactly.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) for matrices, the ones of a shape in one batch: small matrices alone leave a CPU idle.

    Nesterov momentum, orthogonalised, times sqrt(max(1, rows / columns)); decoupled weight decay. The rule of
    `torch.optim.Muon` with its defaults, up to rounding. Raises ValueError for a parameter that is no matrix.
    """

    def __init__(self, params, lr: float, weight_decay: float = 0.1, momentum: float = 0.95):
        self.found_inf = None  # as in torch's fused optimizers: a tensor, 1.0 where this step is to change nothing
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon moves matrices alone")

    @torch.no_grad()
    def step(self) -> None:
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for matrices in by_shape.values():
                self._update(matrices, **{key: group[key] for key in ("lr", "weight_decay", "momentum")})

    def _update(self, matrices: list[Tensor], lr: float, weight_decay: float, momentum: float) -> None:
        for p in matrices:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in matrices]
        means = torch.stack(buffers)  # (matrices, rows, columns)
        gradients = torch.stack([p.grad for p in matrices])
        if self.found_inf is not None:  # the mean stays, and the update is nothing
            gradients = torch.where(self.found_inf > 0, means, gradients)
            lr = lr * (1 - self.found_inf)
        means = means.lerp(gradients, 1 - momentum)
        rows, columns = matrices[0].shape
        updates = orthogonalised(gradients.lerp(means, momentum)).to(means.dtype) * (lr * max(1, rows / columns) ** 0.5)
        torch._foreach_copy_(buffers, means.unbind())
        torch._foreach_mul_(matrices, 1 - lr * weight_decay)
        torch._foreach_sub_(matrices, updates.unbind())


def orthogonalised(x: Tensor) -> Tensor:
    """The matrices x (N, rows, columns) with singular values near 1 in place of their own, in bfloat16.

    x xᵀ is made on the shorter side. A matrix of zeros stays one.
    """
    rows, columns = x.shape[-2:]
    if rows > columns:
        return orthogonalised(x.mT).mT
    a, b, c = COEFFICIENTS
    x = x.bfloat16()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)  # no singular value above 1
    for _ in range(STEPS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x
