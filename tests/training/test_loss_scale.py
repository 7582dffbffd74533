"""Training in float16: small gradients are not lost, large ones cost a step and halve the scale, and nothing waits."""

import math

import pytest
import torch

from tests.training.test_step import small_step
from training.loss_scale import START


def step_in(dtype="float16", **options):
    _, take_step, windows = small_step(dtype=dtype, **options)
    return take_step, windows


def test_the_scale_is_that_of_a_gradient_scaler():
    take_step, _ = step_in()
    theirs = torch.amp.GradScaler("cpu", init_scale=2.0**START, growth_interval=2048)
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.0)
    bad_steps = {1, 2, 2100, 4200}  # each after a whole number of periods, as ours does not begin to count again
    for step in range(6300):
        bad = step in bad_steps
        take_step.scale.learn(torch.tensor(float(bad)))
        parameter.grad = torch.full((1,), math.inf if bad else 1.0)
        theirs.scale(torch.ones(()))
        theirs.step(optimizer)
        theirs.update()
        if step in (0, 1, 2, 3, 2050, 2100, 6299):
            assert take_step.scale.factor() == theirs.get_scale(), step


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_other_precisions_have_no_scale(dtype):
    take_step, windows = step_in(dtype)
    take_step(1, windows)
    assert take_step.scale.factor() is None and take_step.scale.log2 == START


def test_the_gradient_is_that_of_float32_and_not_the_scaled_one():
    norms = {}
    for dtype in ("float32", "float16"):
        take_step, windows = step_in(dtype)
        take_step(1, windows)
        norms[dtype] = take_step.read().grad_norm
    assert norms["float16"] == pytest.approx(norms["float32"], rel=0.01)


def test_a_gradient_too_small_for_float16_is_learned_from():
    norms = []
    for scale in (START, 0.0):  # the second is the control: without a scale
        take_step, windows = step_in()
        take_step.scale.log2 = torch.tensor(scale)
        loss = take_step.forward
        take_step.forward = lambda x, y, loss=loss: (None, loss(x, y)[1] * 1e-7)
        take_step(1, windows)
        norms.append(take_step.read().grad_norm)
    exact, windows = step_in("float32")
    exact(1, windows)
    assert norms[0] == pytest.approx(1e-7 * exact.read().grad_norm, rel=0.05)
    assert norms[1] < norms[0] / 2


def test_a_scale_too_large_costs_a_step_and_no_weight():
    take_step, windows = step_in()
    take_step.scale.log2 = torch.tensor(40.0)
    before = [p.detach().clone() for p in take_step.model.parameters()]
    take_step(1, windows)
    assert take_step.read().skipped_steps == 1 and take_step.scale.log2 == 39
    assert all(map(torch.equal, before, take_step.model.parameters()))
    take_step.scale.log2 = torch.tensor(START)
    take_step(2, windows)
    assert take_step.read().skipped_steps == 1 and not any(map(torch.equal, before, take_step.model.parameters()))
