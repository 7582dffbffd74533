"""An NVIDIA GPU that PyTorch cannot use: one line says why and what to do, where it would have been used."""

import subprocess
import sys
import warnings

import pytest
import torch

from config import TrainConfig
from tests.helpers.scripts import error_line, run_train
from training import nvidia
from training.settle import settle_hardware

CPU_ONLY = "this PyTorch (2.13.0+cpu) is built for the CPU only: https://pytorch.org/get-started/locally has the"
OLD_DRIVER = "The NVIDIA driver on your system is too old (found version 11040). Please update it."


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Imitates a PyTorch and an NVIDIA GPU, found by Linux, by nvidia-smi, by Windows or not at all."""

    def imitate(cuda=None, hip=None, gpu="linux", available=False, error=OLD_DRIVER):
        monkeypatch.setattr(torch, "__version__", f"2.13.0+{'cu130' if cuda else 'cpu'}")
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", hip)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

        def init():
            raise RuntimeError(error + "\nmore")

        monkeypatch.setattr(torch.cuda, "init", init)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(nvidia, "LINUX_GPUS", tmp_path / "gpus")
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sys, "platform", "win32" if gpu.startswith("windows") else "linux")
        if gpu == "linux":
            (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
        if gpu.startswith("nvidia-smi"):
            (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\nexit {gpu.split()[1]}\n", encoding="utf-8")
            (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
        if gpu == "windows":
            (tmp_path / "System32").mkdir()
            (tmp_path / "System32" / "nvcuda.dll").write_text("", encoding="utf-8")

    return imitate


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for nvidia-smi")


@pytest.mark.parametrize("gpu", ["linux", pytest.param("nvidia-smi 0", marks=POSIX), "windows"])
def test_a_pytorch_for_the_cpu_beside_a_gpu_is_said_with_the_remedy(machine, gpu):
    machine(gpu=gpu)
    said = nvidia.why_no_cuda()
    assert said == f"there is an NVIDIA GPU, but {CPU_ONLY} command that installs torch==2.13.0 for CUDA"


def test_a_driver_that_pytorch_cannot_use_has_another_remedy(machine):
    machine(cuda="13.0")
    said = nvidia.why_no_cuda()
    assert "but this PyTorch (for CUDA 13.0) cannot use it (The NVIDIA driver on your system is too old" in said
    assert "update NVIDIA's driver, or install torch==2.13.0 for an older CUDA" in said and "\n" not in said
    assert "built for the CPU" not in said


@pytest.mark.parametrize(
    "imitated",
    [
        {"gpu": "none"},
        {"gpu": "none", "cuda": "13.0"},
        {"gpu": "windows none"},
        {"cuda": "13.0", "available": True},
        {"hip": "7.0"},
        pytest.param({"gpu": "nvidia-smi 9"}, marks=POSIX),  # the tool without a GPU or without its driver
    ],
    ids=str,
)
def test_where_there_is_no_gpu_or_it_is_used_nothing_is_said(machine, imitated):
    machine(**imitated)
    assert nvidia.why_no_cuda() is None


@pytest.mark.parametrize("hidden", ["", "-1", " -1"])
def test_a_gpu_that_was_hidden_is_not_spoken_of(machine, monkeypatch, hidden):
    machine()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert nvidia.why_no_cuda() is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert nvidia.why_no_cuda()


def test_a_tool_that_hangs_is_not_waited_for(machine, monkeypatch):
    machine(gpu="nvidia-smi 0")

    def hang(*command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert nvidia.why_no_cuda() is None


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_run_says_it_once_and_only_where_the_device_was_left_to_it(small, machine, device):
    machine()
    done = run_train(small, "--dry-run", {"train.device": device})
    assert (done.code, done.err) == (0, "")
    expected = [f"train.device: auto takes the CPU: {nvidia.why_no_cuda()}"] if device == "auto" else []
    assert [line for line in done.out.splitlines() if "NVIDIA" in line] == expected
    printed = run_train(small, "--print-config", {"train.device": device})
    assert "NVIDIA" not in printed.out + printed.err  # which is YAML


def test_who_asks_for_cuda_is_told_why_there_is_none(small, machine):
    machine()
    assert CPU_ONLY in error_line(run_train(small, "--dry-run", {"train.device": "cuda"}), 2)


def test_pytorch_s_own_warning_of_the_driver_is_not_shown_beside_it(machine, monkeypatch, recwarn):
    machine(cuda="13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: warnings.warn(OLD_DRIVER, stacklevel=1))
    settle_hardware(TrainConfig(device="auto"))
    assert len(recwarn) == 0
