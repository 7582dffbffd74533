"""What a run computes on is settled by arithmetic and by what is there, never by timing."""

import os

import numpy as np
import pytest
import torch

from config import TrainConfig
from model import GPT, GPTConfig
from training.device import COMPILE_FROM, make_deterministic, pick_compile
from training.step import Step


@pytest.mark.parametrize(
    ("device", "flops", "width", "compiled"),
    [
        ("cpu", 0.9 * COMPILE_FROM, 128, False),
        ("cpu", 1.1 * COMPILE_FROM, 128, True),
        ("cpu", 1.1 * COMPILE_FROM, 256, False),
        ("cuda", 9e15, 128, False),
        ("cuda", 2e16, 4096, True),
        ("mps", 1e20, 128, False),
    ],
)
def test_auto_compiles_where_the_run_is_long_enough_to_gain(device, flops, width, compiled, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/c++")
    told = []
    assert pick_compile("auto", device, flops, width, told.append) is compiled and not told
    assert [pick_compile(wanted, device, flops, width, told.append) for wanted in (True, False)] == [True, False]


def test_without_a_compiler_it_says_so_in_one_line_where_it_matters(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    told = []
    assert pick_compile("auto", "cpu", 2 * COMPILE_FROM, 128, told.append) is False
    assert len(told) == 1 and "no C++ compiler" in told[0] and "\n" not in told[0]
    assert pick_compile("auto", "cpu", COMPILE_FROM / 2, 128, told.append) is False and len(told) == 1


@pytest.fixture
def restored(monkeypatch):
    """Puts torch back to where it was, and the variable, which no library has read yet."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    torch.use_deterministic_algorithms(False)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize(
    ("device", "wanted", "reached"), [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)]
)
def test_deterministic_reaches_torch_on_cuda_alone(restored, device, wanted, reached):
    make_deterministic(TrainConfig(device=device, deterministic=wanted))
    assert torch.are_deterministic_algorithms_enabled() is reached
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if reached else None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_deterministic_steps_on_a_gpu_give_the_same_bits_each_time(restored, dtype):
    config = TrainConfig(device="cuda", deterministic=True, dtype=dtype, batch_size=16, steps=10)
    make_deterministic(config)
    windows = np.random.default_rng(0).integers(0, 500, (16, 257))
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size=500, n_embd=256, dropout=0.1, ngram=3)).to("cuda")
        take_step = Step(model, config)
        for step in range(1, 6):
            take_step(step, windows)
        found.append([p.cpu() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
