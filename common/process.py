"""How the threads of this process wait: to be said before torch is imported."""

import os

# How long a thread of PyTorch's that waits for the others keeps its core busy before it sleeps. The libraries' own
# values are 300,000 turns (libgomp, on Linux: 10 ms and more) and 200 ms (libomp and libiomp5, on macOS and Windows): a
# thread that waits so long for one whose core another program holds takes the place that this one could have moved to.
# Far less, and waking them up costs more than it saves. What it brings is in docs/benchmarks.md.
SHORT_WAITS = {"GOMP_SPINCOUNT": "8000", "KMP_BLOCKTIME": "1"}


def wait_briefly() -> None:
    """Lets PyTorch's threads share their cores with other programs. To be called before torch is imported.

    Whoever has said how threads are to wait, by OMP_WAIT_POLICY or one of these variables, is obeyed.
    """
    if not any(name in os.environ for name in ("OMP_WAIT_POLICY", *SHORT_WAITS)):
        os.environ |= SHORT_WAITS
