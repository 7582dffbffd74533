"""What the run computes on: device, precision, compilation, each resolved once and stored in the run."""

import os
import shutil

import torch

from config import TrainConfig

# Where a run on a CPU gains more than the half minute that compiling takes: in narrow models, which spend it between
# the matrix products (4 x 128: 71 ms become 53; 6 x 256: 620 become 655), from 2,000 steps of 16 x 176 tokens on.
COMPILE_FROM, COMPILE_WIDTH = 5e13, 192


def pick_device(wanted: str) -> str:
    """`auto` becomes cuda, mps or cpu, the first that is there. Raises ValueError for one that is not."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return next(name for name, available in there.items() if available)
    if not there[wanted]:
        usable = " or ".join(name for name, available in there.items() if available)
        raise ValueError(f"device: {wanted} given, but this machine or this PyTorch has none; {usable} expected")
    return wanted


def pick_dtype(wanted: str, device: str) -> str:
    """`auto` becomes bfloat16 where the hardware multiplies it natively, else float32."""
    if wanted != "auto":
        return wanted
    if device == "cuda":
        native = torch.cuda.get_device_capability() >= (8, 0)
    else:
        native = device == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if native else "float32"


def pick_compile(wanted: str | bool, device: str, flops: float, width: int, report=lambda text: None) -> bool:
    """`auto` compiles where a run of `flops`, of a model `width` channels wide, gains more than compiling takes.

    cuda: 1e16 is about a minute at a quarter of an A100's bf16 rate. cpu: COMPILE_FROM up to COMPILE_WIDTH. Where there
    is no C++ compiler, a CPU cannot compile, and `report` is told.
    """
    if wanted != "auto":
        return wanted
    if device != "cpu":
        return device == "cuda" and flops > 1e16
    gains = flops > COMPILE_FROM and width <= COMPILE_WIDTH
    if gains and shutil.which("c++") is None:
        report("train.compile: a run this long would gain from compiling, but there is no C++ compiler (c++) here")
        return False
    return gains


def make_deterministic(config: TrainConfig) -> None:
    """`train.deterministic`: on CUDA only kernels that give the same bits each time. Elsewhere they do anyway.

    To be called before anything is computed. Of a kernel that has no such twin torch warns: those of sampling, for
    one, on which no loss depends.
    """
    if config.deterministic and config.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def autocast(config: TrainConfig):
    """The context in which the forward pass runs: matrix products in `dtype`, weights and sums in float32."""
    return torch.autocast(config.device, dtype=torch.bfloat16, enabled=config.dtype == "bfloat16")
