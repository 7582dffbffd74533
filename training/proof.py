"""Each command that runs a model proves first that the mask holds here, and does without what breaks it."""

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch

from common.errors import RunError, out_of_memory
from common.machine import processor
from common.terminal import warn
from model import GPT
from model.leaks import ROWS, Precision, find_fault
from training.compiling import compile_error


def prove_mask(
    model: GPT, forward: Callable | None = None, rows: int = ROWS, precision: Precision = nullcontext
) -> dict | None:
    """Proves that nothing which `model` computes depends on later tokens, with the arguments of `find_fault`.

    Where a compiled `forward` is at fault, that was proven only of `model` itself; where the fused kernel is, only of
    the explicit path, which `model` takes from here on. A warning says so. Returns what was found, as JSON can hold it:
    "device", "torch", "attention" (fused or explicit), "fault" (or None) and "seconds"; None for a model without a
    mask. Raises RunError where the explicit path does not hold either.
    """
    if not model.config.causal:
        return None
    started = time.perf_counter()
    device = device_name(model.wte.weight.device)
    fault = fault_of(model, forward, rows, precision)
    if fault and forward not in (None, model) and not fault_of(model, model, ROWS, precision):
        warn(f"on {device} {fault}: the model is not compiled, and so the mask is proven to hold")
    elif fault:
        for block in model.blocks:
            block.attn.fused = False  # type: ignore[union-attr, assignment]
        if also := fault_of(model, None if forward is None else model, ROWS, precision):
            raise RunError(
                f"on {device} the mask does not hide the future: {fault}; nor does attention without PyTorch's fused "
                f"kernel: {also}. Nothing that is computed here can be trusted; try --train.device cpu, --train.dtype "
                "float32 or another version of PyTorch"
            )
        warn(f"on {device} {fault}: attention takes the explicit path, on which the mask is proven to hold")
    attention = "explicit" if model.blocks[0].attn.fused is False else "fused"  # type: ignore[union-attr]
    seconds = round(time.perf_counter() - started, 3)
    return {"device": device, "torch": torch.__version__, "attention": attention, "fault": fault, "seconds": seconds}


def describe_proof(proof: dict) -> str:
    """The line that says so."""
    return f"mask     proven to hide the future on {proof['device']}"


def fault_of(model: GPT, forward: Callable | None, rows: int, precision: Precision) -> str | None:
    """The same as `find_fault`; what PyTorch refuses to compute is a fault too."""
    try:
        return find_fault(model, forward, rows, precision)
    except Exception as error:  # of any kind: of PyTorch, of a compiler
        if out_of_memory(error):
            raise
        return f"PyTorch fails ({compile_error(error)})"


def device_name(device: torch.device) -> str:
    """Such as "cuda (NVIDIA T4)"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return f"{device.type} ({name})"
