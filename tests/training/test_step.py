"""A step: its gradient, what it knows of itself when it is asked, and that nothing in it waits for the device."""

import math
import weakref

import numpy as np
import pytest
import torch

from config import TrainConfig, load_config
from model import GPT, GPTConfig, cpu
from training.progress import SKIP_COUNTS
from training.step import LastStep, Step, accumulate_gradients


def small_step(device="cpu", **options):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, n_layer=2, n_head=2, n_embd=8, block_size=7, ngram=2, ngram_rows=5)).to(device)
    shape = {"batch_size": 4, "device": device, "dtype": "float32", "compile": False, "steps": 10}
    windows = np.random.default_rng(0).integers(0, 11, (4, 8))
    return model, Step(model, TrainConfig(**shape | options)), windows


def test_it_knows_the_loss_and_the_norm_of_the_gradient_before_the_clip():
    model, take_step, windows = small_step(grad_clip=0.01)
    ids = torch.from_numpy(windows)
    _, loss = model(ids[:, :-1], ids[:, 1:])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
    take_step(1, windows)
    last = take_step.read()
    assert last.loss == pytest.approx(loss.item(), rel=1e-6) and last.grad_norm == pytest.approx(norm, rel=1e-5)
    assert norm > 0.02 and last.bad_steps == last.skipped_steps == 0


@pytest.mark.parametrize("grad_clip", [0.01, 0.0])  # 0 does not clip
def test_the_optimizers_see_a_gradient_of_the_norm_that_it_is_clipped_to(grad_clip):
    model, take_step, windows = small_step(grad_clip=grad_clip)
    with torch.no_grad():
        model.lm_head.weight.mul_(100)  # for a norm far above 1
    gradients = []

    def look(optimizer, *_):
        gradients.extend(p.grad.clone() for group in optimizer.param_groups for p in group["params"])

    for optimizer in take_step.optimizers:
        optimizer.register_step_pre_hook(look)
    take_step(1, windows)
    assert len(gradients) == len(list(model.parameters()))
    norm = take_step.read().grad_norm
    assert norm > 2
    assert torch.nn.utils.get_total_norm(gradients).item() == pytest.approx(grad_clip or norm, rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_products_are_computed_in_the_dtype_of_the_configuration(dtype):
    model, take_step, windows = small_step(dtype=dtype)
    dtypes = []
    model.blocks[0].mlp.fc.register_forward_hook(lambda module, inputs, out: dtypes.append(out.dtype))
    take_step(1, windows)
    assert dtypes == [getattr(torch, dtype)]


def test_skipped_steps_are_counted_in_a_row_and_in_all():
    model, take_step, windows = small_step()
    last = []
    for step, bad in enumerate([0, 1, 1, 0, 1, 0], 1):
        if bad:
            handle = model.lm_head.weight.register_hook(lambda g: g * math.inf)
        before = [p.detach().clone() for p in model.parameters()]
        take_step(step, windows)
        if bad:
            handle.remove()
        same = [torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)]
        assert all(same) if bad else not any(same)
        last.append((take_step.read().bad_steps, take_step.read().skipped_steps))
    assert last == [(0, 0), (1, 1), (2, 2), (2, 2), (2, 3), (2, 3)]
    assert [getattr(take_step, name).item() for name in SKIP_COUNTS] == [0, 2, 3]


def test_a_loss_that_is_not_finite_is_skipped_though_its_gradient_is():
    model, take_step, windows = small_step()
    take_step.forward = lambda x, y: (None, model(x, y)[1] + math.inf)
    before = model.wte.weight.detach().clone()
    take_step(1, windows)
    assert take_step.read().skipped_steps == 1 and torch.equal(model.wte.weight, before)
    assert math.isfinite(take_step.read().grad_norm)


def test_each_optimizer_moves_at_the_rate_of_this_step_and_muon_with_its_momentum():
    _, take_step, windows = small_step(learning_rate=1e-3, muon_learning_rate=0.02, warmup_steps=4)
    adamw, muon = take_step.optimizers
    for step in (1, 2, 4):
        take_step(step, windows)
        assert [group["lr"] for group in adamw.param_groups] == pytest.approx([1e-3 * step / 4] * 2)
        assert muon.param_groups[0]["lr"] == pytest.approx(0.02 * step / 4)
        assert muon.param_groups[0]["momentum"] == pytest.approx(0.85 + 0.1 * (step - 1) / 300, rel=1e-9)
        assert take_step.read().learning_rate == pytest.approx(1e-3 * step / 4)


def test_metrics_name_the_figures_of_a_step():
    line = LastStep(loss=1.5, learning_rate=0.1, grad_norm=2.5, bad_steps=3, skipped_steps=4).metrics(7.0)
    figures = {"train_loss": 1.5, "learning_rate": 0.1, "grad_norm": 2.5, "tokens_per_second": 7.0, "skipped_steps": 4}
    assert line == figures


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_nothing_in_a_step_waits_for_the_gpu(optimizer):
    _, take_step, windows = small_step("cuda", optimizer=optimizer, dtype="bfloat16")
    take_step(1, windows)  # what is made once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in (2, 3):
            take_step(step, windows)
        with pytest.raises(RuntimeError, match="synchron"):  # the control
            take_step.read()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("many", [0, 10**9])  # logits from which the loss is computed in pieces
def test_the_logits_are_let_go_of_before_backward(many, monkeypatch):
    monkeypatch.setattr(cpu, "MANY_LOGITS", many)
    model, take_step, windows = small_step()
    alive = []

    def forward(x, y):
        logits, loss = model(x, y)
        alive.append(weakref.ref(logits))
        loss.register_hook(lambda gradient: alive.append(alive[0]() is None))
        return logits, loss

    take_step.forward = forward
    take_step(1, windows)
    assert alive[1] is True


# ---- the gradient


@pytest.mark.parametrize("untargeted", [0, 3])
@pytest.mark.parametrize("micro", [0, 1, 2, 3, 6])
def test_micro_batches_give_the_gradient_of_the_whole_batch(micro, untargeted):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, n_layer=2, n_head=2, n_embd=8, block_size=7)).double()
    windows = np.random.default_rng(0).integers(0, 11, (6, 8))
    windows[0, 8 - untargeted :] = -1  # filled up, so that its micro-batch has fewer targets than the others
    config = load_config("tiny.yaml").train
    config.device, config.batch_size, config.micro_batch_size = "cpu", 6, micro

    def flat_gradient():
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    loss, result = accumulate_gradients(model, windows, config), flat_gradient()

    ids = torch.from_numpy(windows)
    logits, _ = model(ids[:, :-1].clamp(min=0))
    expected = (
        -logits.float().log_softmax(-1).gather(-1, ids[:, 1:, None].clamp(min=0))[ids[:, 1:] >= 0].double().mean()
    )
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(expected, list(model.parameters()))])
    assert (result - expected).norm() < 1e-6 * expected.norm()

    if micro not in (0, 6):  # the control: as if each part were a batch of its own
        config.batch_size = micro
        model.zero_grad()
        for start in range(0, 6, micro):
            accumulate_gradients(model, windows[start : start + micro], config)
        assert (flat_gradient() - expected).norm() > 0.9 * expected.norm()
