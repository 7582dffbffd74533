"""One run in several processes, on one machine or many: `torchrun --nproc-per-node 2 train.py --config small.yaml`.

Each process has a copy of the model (`train.parallel: ddp`) or a share of it (fsdp), and reads its share of each batch;
their gradients are averaged by PyTorch. Batches, learning rates and losses are those of one process, up to rounding.
Only the first process speaks and writes into the run's folder. Where torchrun has not started this process, it is the
only one, and nothing here does anything.
"""

import contextlib
import json
import math
import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from common.errors import RunError

T = TypeVar("T")

# How long a process waits for the others: the first one may be reading a large text for the first time. One that has
# ended is noticed at once.
PATIENCE = timedelta(hours=12)

_store: Any = None  # where torchrun's processes leave words for each other; None in a process by itself


def size() -> int:
    """How many processes this run has."""
    return int(os.environ["WORLD_SIZE"]) if _store else 1


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ["RANK"]) if _store else 0


def local_rank() -> int:
    """Its number among those of this machine."""
    return int(os.environ["LOCAL_RANK"]) if _store else 0


def local_size() -> int:
    """How many of them this machine has."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if _store else 1


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Joins the other processes, where torchrun has started this one. All but the first are then silent.

    Where one fails, it says why, and the others, which fail for want of it, do not.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    global _store
    if int(os.environ["LOCAL_RANK"]) < torch.cuda.device_count():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    nccl = torch.cuda.is_available() and dist.is_nccl_available()  # which Windows has not
    backend = "cpu:gloo,cuda:nccl" if nccl else "gloo"
    try:
        store, number, count = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
        # torchrun keeps what the processes of before a restart have left there
        _store = dist.PrefixStore(os.environ["TORCHELASTIC_RESTART_COUNT"], store)
        dist.init_process_group(backend, store=_store, rank=number, world_size=count, timeout=PATIENCE)
    except RuntimeError as error:
        raise RunError(f"the processes of torchrun do not reach each other: {str(error).splitlines()[0]}") from error
    try:
        with silence() if number else contextlib.nullcontext():
            yield
    except Exception:
        with contextlib.suppress(RuntimeError):  # torchrun itself has ended
            if _store.add("failed", 1) > 1:
                sys.exit(1)
        raise
    dist.destroy_process_group()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing that is printed is seen."""
    with (
        open(os.devnull, "w", encoding="utf-8", newline="\n") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def lost_another(error: Exception) -> bool:
    """Whether it says that another process of the run has ended."""
    return _store is not None and isinstance(error, RuntimeError) and ("gloo" in str(error) or "NCCL" in str(error))


def launch() -> str | None:
    """What is the same in all processes that one torchrun starts, also those that it starts again; None without one."""
    number = os.environ.get("TORCHELASTIC_RUN_ID")
    return f"torchrun {os.getppid()}" if number == "none" else number


def restarted() -> bool:
    """Whether torchrun started this process in the place of one that had ended."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


# ---- what the processes know of each other; all of them call these, in the same order


def gathered(value: T) -> list[T]:
    """The `value` of each process, in their order; what JSON can hold."""
    if _store is None:
        return [value]
    text = json.dumps(value).encode()
    length = torch.tensor(len(text))
    dist.all_reduce(length, dist.ReduceOp.MAX)
    mine = torch.frombuffer(bytearray(text.ljust(int(length))), dtype=torch.uint8)
    texts = [torch.empty_like(mine) for _ in range(size())]
    dist.all_gather(texts, mine)
    return [json.loads(text.numpy().tobytes()) for text in texts]


def from_first(compute: Callable[[], T]) -> T:
    """What `compute` returns in the first process, which alone calls it."""
    return gathered(compute() if rank() == 0 else None)[0]  # type: ignore[return-value]


def largest(number: int) -> int:
    """The largest of the processes' numbers. Waits for no device."""
    if _store is None:
        return number
    tensor = torch.tensor(number)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return int(tensor)


def mean(tensor: Tensor) -> Tensor:
    """The mean of the processes' tensors, on their device."""
    if _store is None:
        return tensor
    dist.all_reduce(tensor)
    return tensor / size()


@contextlib.contextmanager
def first_of_machine() -> Iterator[None]:
    """Lets one process of each machine do what the others then find done."""
    if local_rank() > 0:
        gathered(None)
    yield
    if local_rank() == 0:
        gathered(None)


# ---- each one's share


def share(items: Sequence[T]) -> Sequence[T]:
    """This process's share of `items`, of which each process has every size()-th."""
    return items[rank() :: size()]


def micro_batches(windows: np.ndarray, at_once: int) -> list[tuple[np.ndarray, float]]:
    """This process's share of a batch, at most so many sequences at once, each part with the weight of its mean loss.

    The mean over the processes of their sums is the mean loss over the targets of the batch. All have as many parts,
    since all take part in each; that of a process which has no sequence left is of no weight.
    windows: int64 (batch, block_size + 1); -1 is no target.
    """

    def targets(part: np.ndarray) -> int:
        return int(np.count_nonzero(part[:, 1:] >= 0))

    mine, total = windows[rank() :: size()], targets(windows)
    n_parts = math.ceil(math.ceil(len(windows) / size()) / at_once)
    parts = [mine[number * at_once :][:at_once] for number in range(n_parts)]
    return [(part, targets(part) / total * size()) if len(part) else (windows[:1], 0.0) for part in parts]


# ---- the model in several processes


def take_part(take_step: Any) -> None:
    """From here on what a Step takes is a step of all processes, by `train.parallel`."""
    if size() > 1 and take_step.config.parallel == "fsdp":
        spread(take_step.model, take_step.optimizers, take_step.config.device)
    elif size() > 1:
        take_step.forward = replicated(take_step.forward)


def spread(model: Any, optimizers: list[Optimizer], device: str) -> None:
    """FSDP2: leaves this process its share of each parameter and of what `optimizers` keep of it, in place."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    mesh = init_device_mesh(device, (size(),))
    for block in model.blocks:  # put together one at a time
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    spread_out = dict(model.named_parameters())
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["params"] = [spread_out[names[p]] for p in group["params"]]
        state: defaultdict[Tensor, dict] = defaultdict(dict)
        for p, values in optimizer.state.items():
            new = spread_out[names[p]]
            state[new] = {key: spread_like(value, new) for key, value in values.items()}
        optimizer.state = state


def replicated(forward: Any) -> nn.Module:
    """DDP: `forward`, whose gradients are averaged over the processes while they are computed."""
    with warnings.catch_warnings(action="ignore"):  # newer versions of PyTorch have another name for the option
        return DistributedDataParallel(forward, broadcast_buffers=False, gradient_as_bucket_view=True)


@contextlib.contextmanager
def exchanging(forward: Any, now: bool) -> Iterator[None]:
    """The context of a micro-batch; its gradients, and those before it, are exchanged `now` or with a later one's."""
    if hasattr(forward, "set_requires_gradient_sync"):  # of FSDP2
        forward.set_requires_gradient_sync(now)
    with forward.no_sync() if hasattr(forward, "no_sync") and not now else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def put_together(model: nn.Module) -> Iterator[None]:
    """Within it, each process has the whole of every parameter, and reads the model by itself. Changes are lost."""
    shards: list[Any] = [module for module in model.modules() if hasattr(module, "unshard")]
    for module in shards:
        module.set_reshard_after_forward(False, recurse=False)
        module.unshard()
    yield
    for module in shards:
        module.reshard()
        module.set_reshard_after_forward(module is not model, recurse=False)


# ---- tensors that are spread over processes: rows 0, 1, … in the first, and so on


def whole(tensor: Tensor) -> Tensor:
    """All of it."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def own(tensor: Tensor) -> Tensor:
    """This process's rows of it."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole_stack(rows: Tensor, like: Tensor) -> Tensor:
    """Matrices spread as the parameter `like` is: (N, own rows, columns) -> (N, rows, columns)."""
    if not hasattr(like, "device_mesh"):
        return rows
    from torch.distributed.tensor import DTensor, Shard

    shape = torch.Size((len(rows), *like.shape))
    stride = (like.numel(), like.shape[1], 1)
    return DTensor.from_local(rows.contiguous(), like.device_mesh, [Shard(1)], shape=shape, stride=stride).full_tensor()


def own_rows(matrices: Tensor, like: Tensor) -> Tensor:
    """The reverse: (N, rows, columns) -> (N, own rows, columns)."""
    if not hasattr(like, "device_mesh"):
        return matrices
    from torch.distributed.tensor import Shard, distribute_tensor

    return distribute_tensor(matrices, like.device_mesh, [Shard(1)], src_data_rank=None).to_local()


def spread_like(tensor: Tensor, like: Any) -> Tensor:
    """`tensor`, whole in each process, spread as the parameter `like` is; a single number stays as it is."""
    if tensor.ndim == 0:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def in_first(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The whole of each, in the first process's main memory; the others help, and get nothing."""
    wholes = ((name, whole(tensor.detach())) for name, tensor in tensors.items())
    return {name: tensor.cpu() for name, tensor in wholes if rank() == 0}
