"""What the project does on a GPU, on a pretend one. test_pretend_gpu.py runs this file, in a process of its own."""

import inspect
import linecache
import re
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import CodeType

import numpy as np
import pytest
import torch

import model.attention
import model.gpt
import training.evaluate
import training.optimizer
import training.step
from config import load_config
from data.corpus import load_corpus
from lens.prompts import make_prompts
from lens.record import Recorder
from model import GPT, GPTConfig
from model.generation import continuation
from tests.helpers.pretend_gpu import NAME, PretendGpu, Refused, waits
from tests.helpers.scripts import contents, differences, interrupt, metrics, run_sample, run_train
from tests.helpers.source import ROOT
from training.evaluate import evaluate, write_sample
from training.step import Step

ARCHITECTURES = [
    {},
    {"dropout": 0.1, "ngram": 3, "ngram_rows": 64},
    {"position": "learned", "norm": "rmsnorm", "activation": "swiglu", "attn_ratio": 0.5},
    {"position": "sinusoidal", "activation": "gelu", "bias": True, "tie_embeddings": True, "qk_norm": False},
]
SHAPE = {"vocab_size": 60, "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 16}


@pytest.fixture(scope="module", autouse=True)
def _device():
    """The device is there, and the one that `auto` takes."""

    def choose(device):
        return NAME if device in ("auto", NAME) else device

    with pytest.MonkeyPatch.context() as patch, PretendGpu():
        patch.setattr("training.device.choose_device", choose)
        patch.setattr("training.settle.choose_device", choose)
        yield


@pytest.fixture(scope="module")
def options(small):
    """Of a short run that takes most of the paths there are and gives the same numbers on every device."""
    shape = {"model.ngram": 2, "model.tie_embeddings": True, "train.micro_batch_size": 2, "train.dtype": "float32"}
    return small | shape | {"train.steps": 4, "train.eval_every": 2, "attention.snapshots": 2, "train.device": "auto"}


@pytest.fixture(scope="module")
def run_here(options, tmp_path_factory):
    """The folder of a run on the device, and the waits in each of its steps."""
    run, in_steps, take_step = tmp_path_factory.mktemp("runs") / "run", [], Step.__call__

    def counting(self, *arguments):
        before = waits.copy()
        take_step(self, *arguments)
        in_steps.append(waits - before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Step, "__call__", counting)
        done = run_train(options, {"run": run})
    assert (done.code, done.err) == (0, "")
    return run, in_steps


def make_step(device=NAME, dtype="float32", optimizer="muon", **shape) -> tuple[Step, np.ndarray]:
    torch.manual_seed(0)
    t = replace(load_config("tiny.yaml").train, batch_size=4, micro_batch_size=2, optimizer=optimizer, dtype=dtype)
    t.device = device
    return Step(GPT(GPTConfig(**SHAPE | shape)).to(device), t), np.random.default_rng(0).integers(0, 60, (4, 17))


def test_a_run_gives_the_losses_of_the_cpu_and_each_of_its_steps_waits_for_nothing(run_here, options, run):
    folder, in_steps = run_here
    assert in_steps == [{}] * 4
    assert run_train(options, {"run": run, "train.device": "cpu"}).code == 0
    for here, on_cpu in zip(metrics(folder), metrics(run), strict=True):
        assert here == pytest.approx(on_cpu, rel=1e-4)


def test_a_run_that_is_stopped_and_resumed_there_is_equal_to_the_bit(run_here, options, run):
    assert interrupt(options, run, 3, signal.SIGINT).code == 130
    config = run / "config.yaml"  # which would have the name of a real device
    config.write_text(config.read_text(encoding="utf-8").replace(f"device: {NAME}", "device: auto"), encoding="utf-8")
    assert run_train("--resume", run).code == 0
    assert differences(run, contents(run_here[0])) == []


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("shape", ARCHITECTURES)
def test_a_step_of_any_architecture_waits_for_nothing_and_to_read_it_is_one_wait(shape, dtype):
    take_step, windows = make_step(dtype=dtype, **shape)
    waits.clear()
    for number in (1, 2):
        take_step(number, windows)
    assert waits == {}
    loss = take_step.read().loss
    assert sum(waits.values()) == 1
    if not shape.get("dropout"):  # which draws otherwise on a CPU
        on_cpu, windows = make_step("cpu", dtype, **shape)
        for number in (1, 2):
            on_cpu(number, windows)
        assert loss == pytest.approx(on_cpu.read().loss, rel=1e-5 if dtype == "float32" else 2e-3)


def test_what_an_mlp_keeps_in_bfloat16_is_no_wider():
    kept, (take_step, windows) = [], make_step(dtype="bfloat16", activation="relu2")
    take_step.model.blocks[0].mlp.proj.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].dtype))
    take_step(1, windows)
    assert set(kept) == {torch.bfloat16}


@pytest.mark.parametrize("shape", ARCHITECTURES)
def test_a_sample_waits_once_a_token(shape):
    gpt = GPT(GPTConfig(**SHAPE | shape)).to(NAME)
    counts = []
    for tokens in (4, 14):  # within the context, beyond which it is read again
        waits.clear()
        assert len(continuation(gpt, [1], tokens, 60, generator=torch.Generator(NAME))) == tokens
        counts.append(sum(waits.values()))
    assert counts[1] - counts[0] == 10


def test_sample_py_waits_once_a_token(small_run):
    counts = []
    for tokens in (4, 14):
        waits.clear()
        assert run_sample(small_run, "--tokens", tokens, "--ignore-end", "--samples", 3).code == 0
        counts.append(sum(waits.values()))
    assert counts[1] - counts[0] == 10


# ---- the controls: mistakes in the project's own files, each found where it is


@contextmanager
def planted(function, old: str, new: str):
    """Within it a function is as if `old`, which its file has once, were `new` there."""
    function = inspect.unwrap(function)
    source = Path(function.__code__.co_filename).read_text(encoding="utf-8")
    assert source.count(old) == 1
    (changed,) = codes(compile(source.replace(old, new), function.__code__.co_filename, "exec"), function.__qualname__)
    as_it_was, function.__code__ = function.__code__, changed
    try:
        yield
    finally:
        function.__code__ = as_it_was


def codes(code: CodeType, name: str) -> list[CodeType]:
    inside = [found for part in code.co_consts if isinstance(part, CodeType) for found in codes(part, name)]
    return inside + [code] * (code.co_qualname == name)


@pytest.fixture(scope="module")
def do_everything(small, tmp_path_factory):
    """Two steps, an evaluation, a sample and a recording on the device."""
    data = {key.partition(".")[2]: str(value) for key, value in small.items() if key.startswith("data.")}
    config = load_config("tiny.yaml", [(f"data.{key}", value) for key, value in data.items()])
    corpus = load_corpus(config.data, block_size=16, report=lambda text: None)
    t = config.train
    t.device, t.batch_size, t.micro_batch_size, t.eval_tokens, t.sample_tokens = NAME, 4, 2, 256, 4

    folder = tmp_path_factory.mktemp("snapshots")

    def run():
        gpt = GPT(GPTConfig(**SHAPE | {"vocab_size": corpus.tokenizer.vocab_size})).to(NAME)
        take_step = Step(gpt, t)
        for number in (1, 2):
            take_step(number, np.zeros((4, 17), np.int64))
        take_step.read()
        evaluate(gpt, corpus, t, 2)
        write_sample(gpt, corpus, t, 2)
        Recorder(folder, make_prompts([], corpus, 16, None), 64).record(gpt, 2)

    run()  # as it is, nothing is wrong with it
    return run


@pytest.mark.parametrize(
    ("function", "old", "new", "file", "line"),
    [
        (training.evaluate.validation_loss, "-1)).to(config.device)", "-1))", "model/gpt.py", "self.wte(idx)"),
        (training.step.accumulate_gradients, "[:, 1:])[1]", "[:, 1:].cpu())[1]", "model/cpu.py", "F.cross_entropy"),
        (
            model.attention.attend,
            "scaled + causal_mask(queries, keys, q.device)",
            "scaled + causal_mask(queries, keys)",
            "model/attention.py",
            "scaled + causal_mask",
        ),
        (
            model.gpt.GPT.__init__,
            'self.register_buffer("rope", angles.view(torch.int32), persistent=False)',
            "self.rope = angles.view(torch.int32)",
            "model/attention.py",
            "first * cos",
        ),
        (
            training.optimizer.Muon._update,
            '["momentum_buffer"] = torch.zeros_like(p)',
            '["momentum_buffer"] = torch.zeros(p.shape)',
            "training/optimizer.py",
            "torch.where(self.found_inf > 0, means",
        ),
        (
            training.evaluate.write_sample,
            "torch.Generator(config.device)",
            "torch.Generator()",
            "model/generation.py",
            "torch.rand(",
        ),
        (training.evaluate.validation_loss, "[1].item()", "[1].numpy()", "training/evaluate.py", "[1].item()"),
        (training.step.Step.read, "(self.loss, self.", "(torch.zeros(()), self.", "training/step.py", "torch.stack"),
        (model.attention.rotate, "first * cos -", "first * cos.double() -", "model/attention.py", "first * cos"),
    ],
)
def test_a_mistake_is_found_where_it_is(do_everything, function, old, new, file, line):
    with planted(function, old, new), pytest.raises(Refused) as refused:
        do_everything()
    found = re.search(r"at (\S+):(\d+)$", str(refused.value))
    assert found[1] == file and line in linecache.getline(str(ROOT / file), int(found[2])), refused.value


def test_a_wait_in_a_step_is_found_where_it_is():
    take_step, windows = make_step()
    waits.clear()
    with planted(Step.__call__, "self.skipped + found_inf", "self.skipped + found_inf.item()"):
        take_step(1, windows)
    (found,) = waits
    file, _, number = found.rpartition(" ")[2].rpartition(":")
    assert "self.skipped + found_inf" in linecache.getline(str(ROOT / file), int(number))
