"""Whether torch.compile works on this machine: it is asked to compile something small before a run depends on it."""

import re
from importlib.util import find_spec

import torch

MIN_CAPABILITY = (7, 0)  # of an NVIDIA GPU for Triton: Volta, of 2017
NEEDS = {
    "cpu": "on a CPU it needs a C++ compiler (g++, clang++ or cl, or the one that CXX names), Python's headers, and "
    "for what it compiles a folder without spaces in its path (a temporary one, or what TORCHINDUCTOR_CACHE_DIR names)",
    "cuda": "on a GPU it needs Triton, which PyTorch for CUDA has on Linux (on Windows: pip install triton-windows), a "
    "C compiler, and of NVIDIA's one of compute capability 7.0 or more",
}


def what_it_needs(device: str) -> str:
    """What torch.compile needs on `device`, for a message."""
    return NEEDS.get(device, NEEDS["cpu"])


def why_not_compiled(device: str) -> str | None:
    """Why torch.compile does not work on `device`, in one line; None where it does. The first time takes seconds."""
    if device == "cuda" and (why := why_no_triton()):
        return why
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:  # of any kind: of PyTorch, of the system, of a compiler
        return compile_error(error)
    return None


def why_no_triton() -> str | None:
    """Why there can be no Triton for the GPU, by which torch.compile computes there; None where there may be one."""
    capability = torch.cuda.get_device_capability()
    if torch.version.hip is None and capability < MIN_CAPABILITY:
        return f"{torch.cuda.get_device_name()} has compute capability {'.'.join(map(str, capability))}"
    return None if find_spec("triton") else "Triton is not installed"


def compile_error(error: Exception) -> str:
    """What torch.compile failed of, in one line: of a compiler's output that with its first error."""
    cause = getattr(error, "inner_exception", error)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror( \w+)?: |No space left on device", line)]
    named = [] if isinstance(cause, RuntimeError | OSError) else [type(cause).__name__]
    return ": ".join([*named, *(errors or lines)[:1]]) or type(cause).__name__
