"""What this machine lets this process have of memory and cores, and how many threads are worth their while."""

import contextlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

# Parameters. One token is too little work in a smaller model for several threads to share: they would wait for each
# other more than they compute, and for whole seconds where another program holds a core.
ONE_THREAD_BELOW = 10_000_000

# The memory limits of Linux for containers and batch jobs (cgroups, of version 2 and 1): which groups this process is
# in, and where groups stand; of each version the folder of its groups, and in a group the files of its limit and of
# what it uses, and what of that is only a copy of a file, which gives way.
OWN_CGROUPS, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
CGROUP_FILES = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def available_cores() -> int:
    """The cores that this process may use, which in a batch job or under taskset are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory(device: str) -> int | None:
    """Bytes that this process may still take on `device`; None where the system does not tell.

    On a CPU that is within its ulimit and the limit of its container, which the machine's own figure does not know.
    """
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    try:
        return max(0, min([psutil.virtual_memory().available, *left_by_ulimit(), *left_by_cgroups()]))
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


def left_by_cgroups() -> list[int]:
    """Bytes that the cgroups of this process and those around them (of a container, a batch job) still leave it."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return []
    left = []
    for _, kinds, name in (line.split(":", 2) for line in lines):
        for kind in CGROUP_FILES.keys() & kinds.split(","):
            mount, limit, usage, copies = CGROUP_FILES[kind]
            root = CGROUPS / mount
            # in a container the name may be that outside of it: then only the root is there, and is the container's own
            own = root / name.strip("/")
            for group in (own, *(parent for parent in own.parents if parent.is_relative_to(root))):
                with contextlib.suppress(OSError, ValueError):  # it is not there, or its limit is "max"
                    allowed, used = (int((group / file).read_text(encoding="utf-8")) for file in (limit, usage))
                    counts = dict(
                        line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines()
                    )
                    left.append(allowed - used + int(counts.get(copies, 0)))
    return left


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    names: list[str] = []
    with contextlib.suppress(OSError):  # a file that may not be read, a command that is not on the PATH
        if Path("/proc/cpuinfo").exists():
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
            names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
        elif sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            names = [subprocess.run(command, capture_output=True, encoding="utf-8", check=False).stdout.strip()]
    return next(filter(None, names), "") or platform.processor() or platform.machine()


def format_bytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"
