"""Muon in batches against torch's own, one matrix after another; and that a step can be refused on the device."""

import pytest
import torch

from training.optimizer import Muon, orthogonalize

SHAPES = [(8, 8), (24, 8), (8, 8), (8, 32), (24, 8)]


def matrices():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*shape)) for shape in SHAPES]


def run(ours, theirs, steps=20, **options):
    """Both optimizers on the same gradients; returns the largest difference of a weight."""
    pairs = list(zip(matrices(), matrices(), strict=True))
    optimizers = [ours([p for p, _ in pairs], **options), theirs([p for _, p in pairs], **options)]
    for step in range(steps):
        for a, b in pairs:
            a.grad = torch.randn(a.shape, generator=torch.Generator().manual_seed(step))
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    return max((a - b).abs().max().item() for a, b in pairs)


def test_it_moves_every_matrix_as_torchs_does():
    options = {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.9}
    assert run(Muon, torch.optim.Muon, **options) < 0.01  # 20 steps of 0.02, singular values rounded to bfloat16
    # the controls: another momentum, another decay
    assert run(Muon, lambda p, **o: torch.optim.Muon(p, **o | {"momentum": 0.5}), **options) > 0.03
    assert run(Muon, lambda p, **o: torch.optim.Muon(p, **o | {"weight_decay": 0.0}), **options) > 0.03


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 64), (2, 64, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalize(x).float()
    u, before, v = torch.linalg.svd(x, full_matrices=False)
    assert before.max() > 4  # the control
    assert ((u.mT @ found @ v.mT).diagonal(dim1=1, dim2=2) - 0.95).abs().max() < 0.35
    assert torch.linalg.svdvals(found).max() < 1.3
    assert (orthogonalize(torch.zeros(1, 4, 4)) == 0).all()


def test_a_step_that_is_refused_leaves_weights_and_momentum_as_they_are():
    parameters = matrices()
    optimizer = Muon(parameters, lr=0.02)
    for p in parameters:
        p.grad = torch.randn_like(p)
    optimizer.step()
    weights = [p.detach().clone() for p in parameters]
    momenta = [optimizer.state[p]["momentum_buffer"].clone() for p in parameters]
    for refused in (1.0, 0.0):  # the second is the control
        for p in parameters:
            p.grad = torch.full_like(p, float("nan")) if refused else torch.randn_like(p)
        optimizer.found_inf = torch.tensor(refused)
        optimizer.step()
        kept = [torch.equal(p, w) for p, w in zip(parameters, weights, strict=True)]
        kept += [
            torch.equal(optimizer.state[p]["momentum_buffer"], m) for p, m in zip(parameters, momenta, strict=True)
        ]
        assert set(kept) == {bool(refused)}


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match="only matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1)
