"""How a script begins: when, how its threads wait and what it does with memory, to be said before torch is imported."""

import ctypes
import gc
import os
import time

# How long a thread of PyTorch's that waits for the others keeps its core busy before it sleeps. The libraries' own
# values are 300,000 turns (libgomp, on Linux: 10 ms and more) and 200 ms (libomp and libiomp5, on macOS and Windows): a
# thread that waits so long for one whose core another program holds takes the place that this one could have moved to.
# Far less, and waking them up costs more than it saves. What it brings is in docs/benchmarks.md.
SHORT_WAITS = {"GOMP_SPINCOUNT": "8000", "KMP_BLOCKTIME": "1"}

_began: float | None = None  # when this process began to run a script


def begin_script() -> None:
    """What each script does first, before torch is imported. seconds_since_start() counts from here."""
    global _began
    _began = time.perf_counter()
    wait_briefly()
    keep_memory()
    collect_seldom()


def wait_briefly() -> None:
    """Lets PyTorch's threads share their cores with other programs. To be called before torch is imported.

    Whoever has said how threads are to wait, by OMP_WAIT_POLICY or one of these variables, is obeyed.
    """
    if not any(name in os.environ for name in ("OMP_WAIT_POLICY", *SHORT_WAITS)):
        os.environ |= SHORT_WAITS


# mallopt's numbers of two settings of glibc, each with its value: memory at the end of the heap is never given back,
# and only what is larger than 32 MiB, the most that glibc takes, has a place of its own that is.
KEEP = {-1: -1, -3: 32 * 2**20}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def keep_memory() -> None:
    """Lets the next step of training have the memory of the last one. To be called before torch is imported.

    Memory that is given back must be cleared by the system, page by page, when it is needed again: 8 % of a step.
    PyTorch asks for pages of 2 MiB where there are such. Where glibc is not the allocator nothing happens, and whoever
    has set it up by the environment is obeyed.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt and not any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ):
        for setting, value in KEEP.items():
            mallopt(setting, value)


def collect_seldom() -> None:
    """Lets Python look for garbage only once there are a million objects more. To be called before torch is imported.

    Imports make a quarter of a million that stay, among which it looks four hundred times: 0.4 s. What takes memory
    goes without being looked for: a step of training, or a token that is written, leaves no garbage.
    """
    gc.set_threshold(1_000_000)


def seconds_since_start() -> float:
    """Since this process began to run its script; 0 where none was started."""
    return 0.0 if _began is None else time.perf_counter() - _began
