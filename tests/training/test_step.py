"""A step as a whole: what it knows of itself when it is asked, and that nothing in it waits for the device."""

import math

import numpy as np
import pytest
import torch

from config import TrainConfig
from model import GPT, GPTConfig
from training.step import Step


def made(device="cpu", **options):
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, n_layer=2, n_head=2, n_embd=8, block_size=7, ngram=2, ngram_rows=5)).to(device)
    shape = {"batch_size": 4, "device": device, "dtype": "float32", "compile": False, "steps": 10}
    windows = np.random.default_rng(0).integers(0, 11, (4, 8))
    return model, Step(model, TrainConfig(**shape | options)), windows


def test_it_tells_the_loss_and_the_norm_of_the_gradient_before_the_clip():
    model, take_step, windows = made(grad_clip=0.01)
    ids = torch.from_numpy(windows)
    _, loss = model(ids[:, :-1], ids[:, 1:])
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = math.sqrt(sum(g.double().square().sum().item() for g in gradients))
    take_step(1, windows)
    told = take_step.read()
    assert told["loss"] == pytest.approx(loss.item(), rel=1e-6) and told["grad_norm"] == pytest.approx(norm, rel=1e-5)
    assert norm > 0.02 and told["bad_steps"] == told["skipped_steps"] == 0


def test_skipped_steps_are_counted_in_a_row_and_in_all(monkeypatch):
    model, take_step, windows = made()
    told = []
    for step, bad in enumerate([0, 1, 1, 0, 1, 0], 1):
        if bad:
            weight = model.lm_head.weight
            handle = weight.register_hook(lambda g: g * math.inf)
        before = [p.detach().clone() for p in model.parameters()]
        take_step(step, windows)
        if bad:
            handle.remove()
        same = [torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True)]
        assert all(same) if bad else not any(same)
        told.append((take_step.read()["bad_steps"], take_step.read()["skipped_steps"]))
    assert told == [(0, 0), (1, 1), (2, 2), (2, 2), (2, 3), (2, 3)]
    assert take_step.skipped.tolist() == [0, 2, 3]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_nothing_in_a_step_waits_for_the_gpu(optimizer):
    _, take_step, windows = made("cuda", optimizer=optimizer, dtype="bfloat16")
    take_step(1, windows)  # what is made once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in (2, 3):
            take_step(step, windows)
        with pytest.raises(RuntimeError, match="synchron"):  # the control
            take_step.read()
    finally:
        torch.cuda.set_sync_debug_mode("default")
