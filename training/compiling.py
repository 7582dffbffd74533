"""Whether torch.compile works on this machine: it is asked to compile something small before a run depends on it."""

import re

import torch

NEEDS = (
    "on a CPU it needs a C++ compiler (g++, clang++ or cl, or the one that CXX names), Python's headers, and for what "
    "it compiles a folder without spaces in its path (a temporary one, or the one that TORCHINDUCTOR_CACHE_DIR names)"
)


def why_not_compiled(device: str) -> str | None:
    """Why torch.compile does not work on `device`, in one line; None where it does. The first time takes seconds."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2, device=device))
    except Exception as error:  # of any kind: of PyTorch, of the system, of a compiler
        return compile_error(error)
    return None


def compile_error(error: Exception) -> str:
    """What torch.compile failed of, in one line: of a compiler's output that with its first error."""
    cause = getattr(error, "inner_exception", error)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror( \w+)?: |No space left on device", line)]
    named = [] if isinstance(cause, RuntimeError | OSError) else [type(cause).__name__]
    return ": ".join([*named, *(errors or lines)[:1]]) or type(cause).__name__
