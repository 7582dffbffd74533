"""The hardware: which device and precision a run uses, and how many sequences fit at once."""

from typing import Literal, cast

import torch

from config import TrainConfig

Dtype = Literal["float32", "bfloat16", "float16"]
LOW = ("bfloat16", "float16")

# Tokens of one forward pass in evaluation: enough to keep a machine busy, few enough for a laptop's memory.
EVALUATION_TOKENS = 8192
# Validation tokens that the evaluation of an untrained model reads at most: its loss is ln V on any text, and a run is
# to begin soon.
UNTRAINED_TOKENS = 4096


def autocast(config: TrainConfig) -> torch.autocast:
    """The context in which the forward pass runs: matrix products in `dtype`, weights and sums in float32."""
    return torch.autocast(config.device, dtype=getattr(torch, config.dtype, None), enabled=config.dtype in LOW)


def sequences_to_evaluate(block_size: int, config: TrainConfig) -> int:
    """Sequences of one forward pass in evaluation: no more than training has where that is told to save memory."""
    sequences = max(1, EVALUATION_TOKENS // block_size)
    return min(sequences, config.micro_batch_size or sequences)


def choose_device(device: str) -> Literal["cuda", "mps", "cpu"]:
    """`auto` becomes cuda, mps or cpu, the first that is there. Raises ValueError for one that is not."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    usable = [name for name, there in available.items() if there]
    if device == "auto":
        device = usable[0]
    if device not in usable:
        expected = " or ".join(usable)
        raise ValueError(f"device: {device} given, but this machine or this PyTorch has none; {expected} expected")
    return cast(Literal["cuda", "mps", "cpu"], device)


def choose_dtype(dtype: Dtype | Literal["auto"], device: str) -> Dtype:
    """`auto` becomes bfloat16 where the hardware multiplies it natively, else float16 on CUDA where that has units of
    its own, else float32.

    All products of a training run follow it: the model's by `autocast`, and Muon's, which stay in float32 with float16:
    what is small in a gradient would be zero.
    """
    if dtype != "auto":
        return dtype
    if multiplies_bfloat16(device):
        return "bfloat16"
    # Volta and Turing (V100, T4, RTX 20), which multiply float16 eight times as fast as float32
    return "float16" if device == "cuda" and torch.cuda.get_device_capability() >= (7, 0) else "float32"


def multiplies_bfloat16(device: str) -> bool:
    """Whether `device` has instructions for products in bfloat16; without them one takes up to 15 times a float32's."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)  # Ampere; a T4 emulates them
    # a processor that is told to do without AVX512 (ATEN_CPU_CAPABILITY) has not got it
    avx512 = torch.backends.cpu.get_cpu_capability() == "AVX512" and torch.cpu._is_avx512_bf16_supported()
    return device == "cpu" and avx512
