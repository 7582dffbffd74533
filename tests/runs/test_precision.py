"""A float32 run multiplies nothing in bfloat16, which most processors emulate: all operations are watched."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import view
from config import TrainConfig
from tests.helpers.scripts import run_main, run_sample, run_train
from training.device import choose_dtype
from training.settle import settle_hardware


class InBfloat16(TorchDispatchMode):
    """The names of the operations that had a bfloat16 tensor among their arguments."""

    def __init__(self):
        super().__init__()
        self.names, self.all = set(), set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.all.add(name)
        if any(isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16 for x in tree_leaves((args, kwargs))):
            self.names.add(name)
        return function(*args, **(kwargs or {}))


PRODUCTS = {"mm", "bmm", "baddbmm"}
EVERYTHING = {"model.dropout": 0.1, "model.ngram": 2, "model.qk_norm": True, "train.optimizer": "muon"}


@pytest.fixture(scope="module")
def watched_runs(small, tmp_path_factory):
    """By precision, the run and the operations of its training: evaluation, samples and recording included."""
    runs = {}
    for dtype in ("float32", "bfloat16"):
        run = tmp_path_factory.mktemp("runs") / dtype
        with InBfloat16() as operations:
            assert run_train(small, EVERYTHING, {"train.dtype": dtype, "run": run}).code == 0
        runs[dtype] = run, operations
    return runs


def test_training_in_float32_multiplies_nothing_in_bfloat16_and_training_in_bfloat16_does(watched_runs):
    _, in_float32 = watched_runs["float32"]
    assert in_float32.names == set() and in_float32.all >= PRODUCTS
    _, in_bfloat16 = watched_runs["bfloat16"]
    assert in_bfloat16.names >= PRODUCTS  # the control: they are seen


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_done_with_a_run_is_in_float32_however_it_was_trained(watched_runs, dtype):
    run, _ = watched_runs[dtype]
    for script, arguments in [(run_sample, [run, "--tokens", 20]), (view.main, [run, "--prompt", "a", "--tokens", 3])]:
        with InBfloat16() as operations:
            if script is view.main:
                done = run_main(view.main, *arguments, "--no-open", "--out", run / "own.html")
            else:
                done = script(*arguments)
        assert done.code == 0, done.err
        assert operations.names == set() and operations.all & {"mm", "bmm", "addmm"}
    with InBfloat16() as operations:
        assert run_sample(run, "--tokens", 20, "--dtype", "bfloat16").code == 0
    assert operations.names & {"mm", "bmm", "addmm"}  # the control


@pytest.mark.parametrize(
    ("device", "capability", "processor", "dtype"),
    [
        ("cpu", "AVX512", True, "bfloat16"),
        ("cpu", "AVX512", False, "float32"),  # AVX512 of before 2020
        ("cpu", "AVX2", True, "float32"),  # told to do without AVX512
        ("cpu", "DEFAULT", False, "float32"),
        ("cuda", (8, 0), False, "bfloat16"),
        ("cuda", (7, 5), True, "float16"),  # a T4
        ("cuda", (6, 1), True, "float32"),  # which has no units for float16
        ("mps", "DEFAULT", False, "float32"),
        ("mps", "AVX512", True, "float32"),
    ],
)
def test_auto_takes_what_the_device_multiplies_natively(device, capability, processor, dtype, monkeypatch):
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: processor)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: capability)
    assert choose_dtype("auto", device) == dtype
    for asked in ("float32", "bfloat16", "float16"):
        assert choose_dtype(asked, device) == asked


@pytest.mark.parametrize(
    ("dtype", "native", "warned"), [("bfloat16", False, True), ("bfloat16", True, False), ("float32", False, False)]
)
def test_bfloat16_that_is_emulated_is_warned_of(dtype, native, warned, monkeypatch, capsys):
    monkeypatch.setattr("training.settle.multiplies_bfloat16", lambda device: native)
    settle_hardware(TrainConfig(device="cpu", dtype=dtype))
    assert ("emulates bfloat16" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(("dtype", "warned"), [("float16", True), ("float32", False)])
def test_float16_on_a_cpu_is_warned_of(dtype, warned, capsys):
    settle_hardware(TrainConfig(device="cpu", dtype=dtype))
    assert ("float16 is for GPUs without bfloat16" in capsys.readouterr().err) is warned
