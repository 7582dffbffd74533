"""What a run is going to do and to take, said before it begins. `--dry-run` says more of it, and trains nothing."""

from typing import NamedTuple

from common.machine import free_memory
from config import Config
from data.corpus import Corpus
from model import GPT
from model.sizes import flops_per_token, parameter_table
from training.distributed import size
from training.memory import checkpoint_bytes, memory_estimate, what_to_lower
from training.pace import Pace

# Tokens for each parameter with which a given number of FLOPs comes to the lowest loss, on text that is read once
# (Hoffmann et al. 2022, table A3: 20 at 1e20 to 1e24 FLOPs), and how far from that is still near.
TOKENS_PER_PARAMETER, NEAR = 20, 3
CHECKPOINTS = 4  # the best, the last, the one before, and the one that is being written


class DryRun(NamedTuple):
    """What `--dry-run` plans for: so many devices, and tokens a second of all together, where that is known."""

    devices: int = 1
    rate: float | None = None


def plan(
    model: GPT,
    config: Config,
    corpus: Corpus,
    windows_per_epoch: int,
    pace: Pace | None = None,
    dry_run: DryRun | None = None,
) -> str:
    """What a run is going to do, in a few lines. pace: of a run with train.minutes, whose steps were timed."""
    t, block_size = config.train, config.model.block_size
    table = parameter_table(model)
    total = sum(count for _, count in table)
    tokens = t.steps * t.batch_size * block_size
    epoch = max(len(corpus.train), windows_per_epoch * block_size)  # more than the text where windows are filled up
    flops = flops_per_token(model)
    devices = dry_run.devices if dry_run else size()
    memory, free = memory_estimate(model, t, devices), free_memory(t.device)
    too_much = free is not None and sum(memory.values()) > free
    lines = [
        f"model    {total:,} parameters",
        *(f"           {part:<20}{count:>12,}  {count / total:6.1%}" for part, count in table),
        f"compute  {flops:,} FLOPs per token, {flops * tokens:.2g} in all",
        f"data     {len(corpus.train):,} tokens to train on, {len(corpus.val):,} to validate on, of "
        f"{corpus.tokenizer.name} ({corpus.tokenizer.vocab_size:,} in the vocabulary)",
        f"run      {'about ' * (t.minutes is not None)}{t.steps:,} steps of {t.batch_size} x {block_size} tokens: "
        f"{tokens:,}, {tokens / epoch:.1f} times through the text",
        f"memory   about {sum(memory.values()) / 1e6:,.0f} MB{' on each device' * (devices > 1)}: "
        + ", ".join(f"{name} {n_bytes / 1e6:,.0f}" for name, n_bytes in memory.items()),
        *([f"         more than is free: {what_to_lower(config, free, devices)}"] if too_much else []),
        f"on       {f'{devices} x ' * (devices > 1)}{t.device}, {t.dtype}, "
        + f"{'compiled' if t.compile else 'not compiled'}"
        + f", {t.threads} thread{'s' * (t.threads != 1)}" * (t.device == "cpu"),
    ]
    if dry_run:
        per_step = pace.plan.per_step if pace and pace.plan else None
        measured = t.batch_size * block_size / per_step if per_step else None
        lines += [
            disk_line(checkpoint_bytes(model, t), len(corpus.train) + len(corpus.val), config),
            time_line(tokens, dry_run.rate, measured),
            size_line(tokens, total),
        ]
    return "\n".join(lines)


def disk_line(checkpoint: int, tokens: int, config: Config) -> str:
    width = 2 if config.model.vocab_size <= 1 << 16 else 4
    snapshots = config.attention.keep_mb if config.attention.snapshots else 0
    return (
        f"disk     tokens {tokens * width / 1e6:,.1f} MB, a checkpoint {checkpoint / 1e6:,.1f} MB, {CHECKPOINTS} of "
        f"them while one is written; weights with the snapshots at most {snapshots:,} MB"
    )


def time_line(tokens: int, rate: float | None, measured: float | None) -> str:
    if known := rate or measured:
        return f"time     {duration(tokens / known)} at {known:,.0f} tokens a second{', as measured here' * (not rate)}"
    return "time     with --rate N, of N tokens a second; with --train.minutes a step is timed here"


def size_line(tokens: int, parameters: int) -> str:
    """Whether so many tokens suit a model of this size."""
    ratio = tokens / parameters
    said = f"tokens   {ratio:,.1f} for each parameter; of the same FLOPs about {TOKENS_PER_PARAMETER} make the most"
    if ratio < TOKENS_PER_PARAMETER / NEAR:
        return f"{said}: a smaller model could read more, if there is more text"
    return said + (": a larger one could read less" if ratio > TOKENS_PER_PARAMETER * NEAR else "")


def duration(seconds: float) -> str:
    """Such as "3.5 hours"."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"
