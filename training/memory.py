"""Memory: what training takes, and what to lower where that is more than the machine has."""

import math
from collections import Counter
from dataclasses import replace

import torch

from common.machine import format_bytes
from config import Config, TrainConfig
from model import GPT
from model.cpu import MANY_LOGITS
from model.weights import SkipInit
from training.device import sequences_to_evaluate

# A CPU's heap loses the room between its pieces: for 19 shapes glibc was seen to take 1.02 to 1.8 times what is live,
# and a tenth more or less from one process to the next. The blocks are counted generously, and need this much more.
HEAP = 1.15


def memory_estimate(model: GPT, config: TrainConfig, devices: int = 1) -> dict[str, int]:
    """Bytes of training by what they hold, on each of so many devices, beside the program itself.

    Weights, gradients and optimizer are exact; activations are counted from what the blocks keep for backward. The sum
    is within a third of what a CPU was seen to take; micro-batches leave holes in the heap, and may take still more.
    `model` may have shapes alone (the meta device).
    """
    shape, T = model.config, model.config.block_size
    weights = sum(p.numel() for p in model.parameters())
    muon = moved_by_muon(model, config)
    # FSDP spreads it over the devices; what is in no block is together all the time, and two blocks, one ahead
    spread = devices if config.parallel == "fsdp" else 1
    in_blocks = sum(p.numel() for p in model.blocks.parameters())
    together = weights - in_blocks + in_blocks * min(2, shape.n_layer) // shape.n_layer if spread > 1 else 0
    width = 4 if config.dtype == "float32" else 2
    # a token, in a block: the stream, the norms' and the projections' inputs, values and answers; what the MLP
    # multiplies, and its products; queries and keys, normalised in float32, or rotated, or as they are
    of_qk = 16 + 2 * width if shape.qk_norm else 4 * width if shape.position == "rope" else width
    block = (8 + 5 * width) * shape.n_embd + (4 if shape.activation == "swiglu" else 2) * width * shape.mlp_dim
    if shape.qk_norm and shape.position == "rope" and config.device == "cpu":  # in one (model/cpu.py)
        of_qk, block = 4 * width, block + width * shape.n_embd
    block += of_qk * shape.n_head * shape.key_dim
    # where a CPU has no fused kernel, or a slower one (model/attention.py), each head's map, with dropout also
    # what is left of it, and which that is
    if config.device == "cpu" and (
        shape.dropout or shape.key_dim != shape.n_embd // shape.n_head or (width == 2 and T <= 512)
    ):
        block += (2 * width + 2 if shape.dropout else width) * shape.n_head * T
    if config.device == "cpu":
        block = round(HEAP * block)
    rows = min(config.sequences_at_once, math.ceil(config.batch_size / devices))
    # the logits, their logarithms and gradients, or, where these are computed in pieces, the gradients alone
    in_pieces = config.device == "cpu" and rows * T * shape.vocab_size > MANY_LOGITS
    of_logits = (3 * width if in_pieces else 14) * shape.vocab_size
    training = rows * T * ((shape.n_layer + 1) * block + of_logits)  # one block more, which backward is at
    evaluation = sequences_to_evaluate(T, config) * T * (40 * shape.n_embd + 10 * shape.vocab_size)
    return {
        "weights and gradients": (8 if width == 4 else 10) * (weights // spread + together),  # autocast keeps a copy
        "optimizer": optimizer_bytes(model, config) // spread + 28 * max(muon.values(), default=0),
        "activations": max(training, evaluation),
    }


def moved_by_muon(model: GPT, config: TrainConfig) -> Counter[torch.Size]:
    """How many parameters Muon moves together, by their shape."""
    muon: Counter[torch.Size] = Counter()
    for p in model.blocks.parameters() if config.optimizer == "muon" else ():
        muon[p.shape] += p.numel() if p.ndim == 2 else 0
    return muon


def optimizer_bytes(model: GPT, config: TrainConfig) -> int:
    """What the optimizers keep from step to step: of each parameter two numbers, where Muon moves it one."""
    return 8 * sum(p.numel() for p in model.parameters()) - 4 * sum(moved_by_muon(model, config).values())


def checkpoint_bytes(model: GPT, config: TrainConfig) -> int:
    """A checkpoint's tensors: the weights, and what the optimizers keep."""
    return 4 * sum(p.numel() for p in model.parameters()) + optimizer_bytes(model, config)


def what_to_lower(config: Config, free_bytes: int | None, devices: int = 1) -> str:
    """The advice where memory ran out in a run on so many devices; free_bytes: what was free before its model was made.

    Lowering train.micro_batch_size costs nothing, so it comes first: the largest one that is estimated to fit.
    """
    t, m = config.train, config.model
    now = min(t.sequences_at_once, math.ceil(t.batch_size / devices))
    if free_bytes is None or not m.vocab_size:
        return f"lower train.micro_batch_size (now {now}), model.block_size or model.n_embd"
    with torch.device("meta"), SkipInit():
        model = GPT(m)
    weights, optimizer, per_sequence = memory_estimate(model, replace(t, micro_batch_size=1), devices).values()
    fixed = weights + optimizer
    free = f"{format_bytes(free_bytes)} that were free"
    # half is kept free: memory is lost between the pieces
    sequences = min(now - 1, (free_bytes // 2 - fixed) // per_sequence)
    while sequences > 0 and t.batch_size % sequences:
        sequences -= 1
    if sequences > 0:
        needed = format_bytes(fixed + sequences * per_sequence)
        return (
            f"--train.micro_batch_size {sequences} (now {now}) is estimated to take {needed} of the {free}, and learns "
            "the same: the gradient stays that of the whole batch"
        )
    if fixed > free_bytes:
        return (
            f"weights, gradients and optimizer alone take {format_bytes(fixed)} of the {free}: lower model.n_embd or "
            "model.n_layer"
        )
    return (
        f"one sequence at a time is estimated to take {format_bytes(fixed + per_sequence)} of the {free}: lower "
        "model.block_size, model.n_embd or model.n_layer"
    )
