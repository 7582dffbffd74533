"""What only a GPU can tell of train.py and sample.py; on_pretend_gpu.py asks much of it without one."""

import signal

import numpy as np
import pytest
import torch

from config import TrainConfig
from model import GPT, GPTConfig, generate
from tests.helpers.scripts import contents, differences, interrupt, metrics, run_sample, run_train
from training.memory import memory_estimate
from training.step import Step

pytestmark = pytest.mark.gpu


@pytest.fixture
def cuda_options(small):
    return small | {"train.device": "cuda", "train.dtype": "float32", "train.compile": "false"}


def test_a_run_in_float32_has_the_losses_of_the_cpu(cuda_options, tmp_path):
    for device in ("cuda", "cpu"):
        done = run_train(cuda_options, {"run": tmp_path / device, "train.device": device})
        assert (done.code, done.err) == (0, "")
    for on_gpu, on_cpu in zip(metrics(tmp_path / "cuda"), metrics(tmp_path / "cpu"), strict=True):
        assert on_gpu == pytest.approx(on_cpu, rel=1e-3)
    done = run_sample(tmp_path / "cuda", "--tokens", 20, "--device", "cuda", "--temperature", 0)
    assert done.code == 0 and done.out == run_sample(tmp_path / "cpu", "--tokens", 20, "--temperature", 0).out


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_run_in_half_precision_learns_what_one_in_float32_does(cuda_options, tmp_path, dtype):
    for name in (dtype, "float32"):
        assert run_train(cuda_options, {"run": tmp_path / name, "train.dtype": name, "train.steps": 40}).code == 0
    (low, exact) = (metrics(tmp_path / name)[-1]["val_loss"] for name in (dtype, "float32"))
    assert low == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_deterministic_run_that_is_stopped_and_resumed_is_equal_to_the_bit(cuda_options, run, tmp_path, dtype):
    options = cuda_options | {"train.deterministic": "true", "train.dtype": dtype, "model.dropout": 0.1}
    assert run_train(options, {"run": tmp_path / "whole"}).code == 0
    assert interrupt(options, run, 5, signal.SIGINT).code == 130
    assert run_train("--resume", run).code == 0
    assert differences(run, contents(tmp_path / "whole")) == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("shape", [{}, {"qk_norm": False}, {"activation": "swiglu", "norm": "rmsnorm"}], ids=str)
def test_memory_is_as_estimated(shape, dtype):
    config = TrainConfig(device="cuda", dtype=dtype, batch_size=16, compile=False)
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    model = GPT(GPTConfig(vocab_size=4096, n_layer=6, n_head=6, n_embd=384, block_size=512, **shape)).to("cuda")
    torch.cuda.reset_peak_memory_stats()
    take_step = Step(model, config)
    for step in (1, 2, 3):
        take_step(step, np.zeros((16, 513), np.int64))
    taken = torch.cuda.max_memory_allocated() - before
    assert sum(memory_estimate(model, config).values()) == pytest.approx(taken, rel=1 / 3)


def test_the_likeliest_tokens_are_those_of_the_cpu():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=300, n_layer=2, block_size=32, ngram=3)).eval()
    written = {}
    for device in ("cpu", "cuda"):
        idx = torch.tensor([[1], [2]], device=device)
        written[device] = torch.stack([ids.cpu() for ids in generate(model.to(device), idx, 80, temperature=0)])
    assert torch.equal(written["cpu"], written["cuda"])
