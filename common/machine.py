"""What this machine has: the memory that is left on it, and how many threads are worth their while."""

import psutil

# Parameters. One token is too little work in a smaller model for several threads to share: they would wait for each
# other more than they compute, and for whole seconds where another program holds a core.
ONE_THREAD_BELOW = 10_000_000


def free_memory(device: str) -> int | None:
    """Bytes that this process may still take on `device`, within its ulimit; None where the system does not tell."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    try:
        return max(0, min([psutil.virtual_memory().available, *left_by_ulimit()]))
    except (psutil.Error, OSError, RuntimeError):
        return None


def left_by_ulimit() -> list[int]:
    """Bytes that `ulimit -v` and `ulimit -d` still leave to this process, of those that are set."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return []
    used = psutil.Process().memory_info()
    left = []
    for limit, name in ((resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data")):
        allowed = resource.getrlimit(limit)[0]
        if allowed != resource.RLIM_INFINITY and hasattr(used, name):  # macOS does not tell `data`
            left.append(allowed - getattr(used, name))
    return left


def format_bytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"
