"""What training takes of memory: the estimate against autograd and against measured peaks, and the advice it gives."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from config import Config, TrainConfig
from model import GPT, GPTConfig
from model.cpu import MANY_LOGITS
from training.memory import HEAP, memory_estimate, what_to_lower

ROOT = Path(__file__).parents[2]
BFLOAT16 = {"dtype": "bfloat16"}
TRAIN = {"device": "cpu", "dtype": "float32", "compile": False, "steps": 10, "batch_size": 4}
SHAPE = {"vocab_size": 64, "n_layer": 2, "n_head": 4, "n_embd": 128, "block_size": 256}


def configured(train, **model):
    """(the model's configuration, the run's), of a step on a CPU."""
    return GPTConfig(**SHAPE | model), TrainConfig(**TRAIN | train)


def estimate(shape, train):
    with torch.device("meta"):
        return memory_estimate(GPT(shape), train)


def kept_for_backward(shape, train) -> int:
    """Bytes that autograd keeps of one forward pass, the parameters not among them."""
    model, kept = GPT(shape), {}
    known = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no other takes its place
        return tensor

    ids = torch.zeros(train.batch_size, shape.block_size, dtype=torch.long)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", getattr(torch, train.dtype), enabled=train.dtype != "float32"),
    ):
        model(ids, ids)
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "model",
    [
        {},
        {"n_embd": 256, "n_layer": 1},
        {"block_size": 512, "n_head": 8},
        {"block_size": 512, "dropout": 0.1},
        {"dropout": 0.1},
        {"attn_ratio": 0.5},
        {"attn_ratio": 2},
        {"qk_norm": False},
        {"qk_norm": False, "position": "learned", "activation": "gelu", "bias": True},
        {"activation": "swiglu", "norm": "rmsnorm"},
        {"position": "learned", "activation": "gelu", "bias": True},
        {"vocab_size": 4096},
    ],
    ids=str,
)
def test_the_estimate_of_activations_is_what_autograd_keeps_and_a_block_more(model, dtype):
    shape, train = configured({"dtype": dtype, "micro_batch_size": 4}, **model)
    kept = kept_for_backward(shape, train)
    a_block = kept_for_backward(replace(shape, n_layer=shape.n_layer + 1), train) - kept
    logits = train.batch_size * shape.block_size * shape.vocab_size
    # many are their own gradients' places; else there are these and those of their logarithms
    gradient = (2 if dtype == "bfloat16" else 4) * logits if logits > MANY_LOGITS else 8 * logits
    weights = 2 * sum(p.numel() for p in GPT(shape).parameters()) if dtype == "bfloat16" else 0  # counted beside them
    activations = estimate(shape, train)["activations"]
    assert activations == pytest.approx(HEAP * (kept - weights + a_block) + gradient, rel=0.25)
    # the control: the rows at a time count
    assert estimate(shape, replace(train, micro_batch_size=2))["activations"] * 2 == activations


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("model", [{}, {"qk_norm": False}, {"activation": "swiglu"}], ids=str)
def test_the_estimate_for_a_gpu_is_what_autograd_keeps_without_the_ways_of_a_cpu(model, dtype, monkeypatch):
    for module in ("model.cpu", "model.attention"):
        monkeypatch.setattr(f"{module}.trained_on_a_cpu", lambda x: False)
    monkeypatch.setattr("model.attention.products_are_faster", lambda *arguments: False)
    shape, train = configured({"dtype": dtype, "batch_size": 16, "micro_batch_size": 16}, **model)
    kept = [kept_for_backward(replace(shape, n_layer=layers), train) for layers in (2, 4)]
    tokens, width = train.batch_size * shape.block_size, 4 if dtype == "float32" else 2
    block = (kept[1] - kept[0]) / 2 - 2 * sum(p.numel() for p in GPT(shape).blocks[0].parameters()) * (width == 2)
    expected = (shape.n_layer + 1) * block + 14 * tokens * shape.vocab_size
    assert estimate(shape, replace(train, device="cuda"))["activations"] == pytest.approx(expected, rel=0.15)


MEASURED = r"""
import json, os, re, sys
import numpy as np, torch
from model import GPT, GPTConfig
from config import TrainConfig
from training.evaluate import validation_loss
from training.memory import memory_estimate
from training.step import Step

def train(shape, options):
    model, config = GPT(GPTConfig(**shape)), TrainConfig(**options)
    take_step, T = Step(model, config), shape["block_size"]
    rng = np.random.default_rng(0)
    for step in (1, 2, 3):
        take_step(step, rng.integers(0, shape["vocab_size"], (config.batch_size, T + 1)))
    validation_loss(model, rng.integers(0, shape["vocab_size"], 2 * 8192 + 1), config)
    return sum(memory_estimate(model, config).values())

shape, options = json.loads(sys.argv[1])
train(shape | {"n_embd": 8 * shape["n_head"], "block_size": 8, "vocab_size": 9}, options)  # the libraries' own
held = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
estimate = train(shape, options)
status = open("/proc/self/status").read()
peak = int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024  # ru_maxrss would be at least that of who started this
print(json.dumps([estimate, peak - held]))
"""
WIDE = {"n_layer": 6, "n_head": 8, "n_embd": 512}
CASES = {
    "narrow": ({"n_layer": 4}, {"batch_size": 32}),
    "narrow bf16": ({"n_layer": 4}, {"batch_size": 32} | BFLOAT16),
    "wide": (WIDE, {"optimizer": "adamw"}),
    "wide bf16, Muon": (WIDE, {"optimizer": "muon"} | BFLOAT16),
    "few tokens, Muon": (WIDE | {"n_embd": 768, "n_head": 12, "block_size": 64}, {"optimizer": "muon"}),
    "long bf16": ({"n_layer": 4, "n_head": 8, "block_size": 512}, {"batch_size": 8} | BFLOAT16),
    "long, dropout": ({"n_layer": 4, "n_head": 8, "block_size": 512, "dropout": 0.1}, {"batch_size": 8}),
    "dropout bf16": ({"n_layer": 4, "dropout": 0.1}, {"batch_size": 32} | BFLOAT16),
    "large vocabulary": ({"vocab_size": 50257}, {"batch_size": 8, "micro_batch_size": 4}),
    "large vocabulary bf16, evaluated": ({"vocab_size": 50257}, {"batch_size": 4} | BFLOAT16),
    "micro-batches": ({"n_layer": 8, "n_embd": 256}, {"batch_size": 32, "micro_batch_size": 8}),
}


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("name", CASES)
def test_the_estimate_is_near_the_measured_peak(name):
    model, options = CASES[name]
    command = [sys.executable, "-c", MEASURED, json.dumps([SHAPE | {"vocab_size": 1024} | model, TRAIN | options])]
    # of many micro-batches glibc's heap is left full of holes, half as much again, unless it is told to have none
    environment = os.environ | ({"MALLOC_MMAP_THRESHOLD_": "65536"} if "micro_batch_size" in options else {})
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=True)
    estimated, peak = json.loads(done.stdout)
    print(f"{name}: estimated {estimated / 1e6:.0f} MB, measured {peak / 1e6:.0f}: {estimated / peak:.2f}")
    assert 1 / 1.5 < estimated / peak < 1.5


# ---- the advice


def test_the_largest_divisor_that_fits_is_named():
    shape, train = configured({"batch_size": 48})
    config = Config(model=shape, train=train)
    fixed, of_two = (sum(estimate(shape, replace(train, micro_batch_size=rows)).values()) for rows in (1, 2))
    a_row = of_two - fixed
    for rows in (1, 2, 5, 7, 13, 30):
        room = fixed + (rows - 1) * a_row + a_row // 2
        fitting = [n for n in range(1, 48) if 48 % n == 0 and fixed + (n - 1) * a_row <= room]
        said = what_to_lower(config, 2 * room)  # half is kept free
        assert said.startswith(f"--train.micro_batch_size {max(fitting)} (now 48)")
    # what ran out did not fit, whatever the estimate
    train.micro_batch_size = 16
    assert what_to_lower(config, 10**15).startswith("--train.micro_batch_size 12 (now 16)")
    said = what_to_lower(config, fixed - 1)
    assert said.startswith("one sequence at a time is estimated") and "lower model.block_size" in said
    said = what_to_lower(config, 1000)
    assert said.startswith("weights, gradients and optimizer alone take") and "model.n_embd or model.n_layer" in said
    train.micro_batch_size = 1
    assert what_to_lower(config, 10**15).startswith("one sequence at a time")


def test_without_a_figure_or_a_vocabulary_it_says_what_may_be_lowered():
    shape, train = configured({"batch_size": 48})
    for model, room in ((shape, None), (GPTConfig(), 10**9)):
        said = what_to_lower(Config(model=model, train=train), room)
        assert said == "lower train.micro_batch_size (now 48), model.block_size or model.n_embd"
