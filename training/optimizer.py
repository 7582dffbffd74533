"""Which parameter is moved by which rule: Muon for the matrices of the blocks, AdamW for all the rest."""

import torch
from torch import nn

from config import TrainConfig
from training.muon import Muon


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimizers that together move every parameter of `model` exactly once.

    Each group carries `peak_lr`, which the schedule multiplies. Embeddings and matrices are decayed, gains and biases
    are not (Radford et al. 2018). With `optimizer: muon` the matrices between embedding and head follow Muon.
    Raises ValueError when a parameter would be moved by none or by two of them.
    """
    matrices = [p for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    by_muon = {id(p) for p in matrices} if config.optimizer == "muon" else set()
    rest = [p for p in model.parameters() if id(p) not in by_muon]
    adamw = torch.optim.AdamW(
        [
            {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )
    optimizers = [adamw]
    if by_muon:
        optimizers.append(Muon(matrices, lr=config.muon_learning_rate, weight_decay=config.weight_decay))
    moved = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    if sorted(moved) != sorted(id(p) for p in model.parameters()):
        raise ValueError("every parameter must belong to exactly one optimizer group")
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers
