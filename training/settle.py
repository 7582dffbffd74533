"""What `auto`, `minutes` and `max_epochs` become on this machine and this text, and the pace that a run begins with."""

import copy
import math
import os
import time
import warnings
from functools import partial

import numpy as np
import torch

from common.errors import InputError
from common.machine import available_cores
from common.terminal import say, warn
from config import Config, TrainConfig
from data.batches import Batches
from data.corpus import Corpus
from model import GPT, GPTConfig
from model.sizes import flops_per_token
from model.weights import SkipInit
from training.compiling import what_it_needs, why_not_compiled
from training.device import autocast, choose_device, choose_dtype, multiplies_bfloat16
from training.distributed import from_first, local_size, put_together, take_part
from training.evaluate import evaluate
from training.nvidia import why_no_cuda
from training.pace import Pace, start_and_end
from training.progress import Plan
from training.proof import prove_mask
from training.step import Step

# Where a run on a CPU gains more than the half minute that compiling takes: in narrow models, which spend it between
# the matrix products (4 x 192: 225 ms become 185; 6 x 256: 620 become 655), from 2,000 steps of 16 x 176 tokens on, and
# without dropout, whose compiled random numbers take longer than all else (4 x 192: 300 ms become 560).
MIN_FLOPS_TO_COMPILE, MAX_WIDTH_TO_COMPILE = 5e13, 192
# What dropout_for gives at most; the width of a model from which on it is not lowered; with how much the steps are
# timed before it is known.
MAX_DROPOUT, FULL_DROPOUT_WIDTH, TIMED_DROPOUT = 0.4, 256, 0.1
# Terms of a sum in a product beyond which Apple's M1 and M2 add what lies behind the matrices, up to PyTorch 2.13.
MAX_TOKENS_MPS = 32_766
# About a minute at a quarter of an A100's bf16 rate.
MIN_FLOPS_TO_COMPILE_CUDA = 1e16


def settle_hardware(t: TrainConfig) -> None:
    """`device`, `dtype` and `threads`; with `deterministic` the choice of CUDA's kernels. Before any computation.

    Raises InputError for a device that is not there.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch's, of a driver that it cannot use: why_no_cuda says it
            t.device = choose_device(t.device)
    except ValueError as error:
        why = why_no_cuda() if t.device == "cuda" else None
        raise InputError(
            f"train.{error}: --train.device auto takes what is there" + (f"; {why}" if why else "")
        ) from None
    if t.deterministic and t.device == "cuda":  # elsewhere the same bits come out anyway
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # of a kernel without a deterministic twin torch warns: those of sampling, for one, on which no loss depends
        torch.use_deterministic_algorithms(True, warn_only=True)
    t.dtype = choose_dtype(t.dtype, t.device)
    if t.dtype == "bfloat16" and t.device != "mps" and not multiplies_bfloat16(t.device):
        warn(f"train.dtype: {t.device} emulates bfloat16 here, up to 15 times slower than --train.dtype float32")
    if t.dtype == "float16" and t.device == "cpu":
        warn("train.dtype: float16 is for GPUs without bfloat16; on a CPU it may be many times slower than float32")
    t.threads = t.threads or torch.get_num_threads()
    torch.set_num_threads(t.threads)
    cores, each = max(1, available_cores() // local_size()), " for each process" * (local_size() > 1)
    if t.device == "cpu" and t.threads > cores:  # a run that began on another computer, or in fewer processes
        better = f"--train.threads {cores} is faster, and rounds otherwise"
        warn(f"train.threads: {t.threads}, but {cores} core{'s' * (cores != 1)}{each}: {better}")


def build_model(config: Config, corpus: Corpus, dry_run: bool) -> GPT:
    """The untrained model, its weights drawn from train.seed; a `vocab_size` of 0 becomes the tokenizer's.

    That of a dry run has shapes only, so that one too large for this machine can be planned.
    Raises InputError where the configuration has another vocab_size than the tokenizer.
    """
    size = corpus.tokenizer.vocab_size
    if config.model.vocab_size not in (0, size):
        raise InputError(f"model.vocab_size: {config.model.vocab_size} given, the tokenizer has {size} tokens")
    config.model.vocab_size = size
    torch.manual_seed(config.train.seed)
    if dry_run and config.train.minutes is None:  # which would be timed
        with torch.device("meta"), SkipInit():
            return GPT(config.model)
    return GPT(config.model).to(config.train.device)  # drawn on the CPU, weights are the same for every device


def settle_run(config: Config, model: GPT, corpus: Corpus, batches: Batches, plan: Plan | None = None) -> Pace:
    """`minutes` and `max_epochs` become `steps`, `dropout` and `compile` are decided. Prints what they become.

    plan: that of a run with `minutes` that goes on; its steps are not timed again.
    """
    t, m, limit = config.train, config.model, None
    if t.device == "mps":
        warn_of_long_sums(t, m.block_size)
    if m.dropout == "auto":
        model.set_dropout(TIMED_DROPOUT)
    minutes = None if plan else t.minutes
    if minutes is not None:
        step, evaluation = time_steps(model, corpus, batches, t)
        seconds = step + evaluation / t.eval_every
        # each process has been started at another moment; evaluation: that of the last step
        left = minutes * 60 - from_first(lambda: start_and_end(minutes * 60)) - evaluation
        t.steps = max(1, int(left / seconds))
        say(
            f"train.minutes {minutes:g}: about {t.steps:,} steps, as one takes {seconds * 1000:.0f} ms here, "
            "evaluations included"
        )
    if t.max_epochs:
        limit = max(1, round(t.max_epochs * batches.windows_per_epoch / t.batch_size))
        if limit < t.steps:
            say(f"train.steps {t.steps} becomes {limit}: {t.max_epochs:g} times through this text (train.max_epochs)")
        t.steps, t.max_epochs = min(t.steps, limit), 0.0
    if m.dropout == "auto":
        passes = t.steps * t.batch_size / batches.windows_per_epoch
        m.dropout = dropout_for(passes, m.n_embd)
        model.set_dropout(m.dropout)
        narrow = f" by a model {m.n_embd} wide" * (m.n_embd < FULL_DROPOUT_WIDTH)
        say(f"model.dropout auto: {m.dropout:g}, as the text is read {passes:.1f} times{narrow}")
    if minutes is not None:
        plan = Plan(t.steps, minutes * 60, limit, evaluation=evaluation, per_step=step, near=evaluation / step)
    if t.warmup_steps > t.steps:
        say(f"train.warmup_steps: {t.warmup_steps} is longer than the run and is cut to its {t.steps} steps")
    if t.compile == "auto":
        flops = flops_per_token(model) * t.steps * t.batch_size * batches.block_size
        t.compile = gains_from_compiling(t.device, flops, config.model)
    return Pace(t, plan)


def warn_of_long_sums(t: TrainConfig, block_size: int) -> None:
    """Warns where the gradient of a matrix is a sum over so many tokens at once that Apple's M1 and M2 get it wrong."""
    if t.sequences_at_once * block_size > MAX_TOKENS_MPS:
        fitting = [n for n in range(1, t.batch_size + 1) if t.batch_size % n == 0 and n * block_size <= MAX_TOKENS_MPS]
        remedy = f"--train.micro_batch_size {fitting[-1]}" if fitting else "a smaller model.block_size"
        warn(
            f"train.micro_batch_size: {t.sequences_at_once} sequences of {block_size} tokens at once; on an M1 or M2 "
            f"PyTorch sums more than {MAX_TOKENS_MPS} wrongly (pytorch/pytorch, issue 195163); {remedy} avoids that"
        )


def dropout_for(passes: float, width: int) -> float:
    """The dropout of a run that reads its text so many times, with a model `width` channels wide.

    What is read once or twice is learned, what is read often is learned by heart: a tenth more each time that doubles,
    from 2 times on. A narrow model has less room for it, and needs as much less. Measured in docs/benchmarks.md.
    """
    share = min(MAX_DROPOUT, max(0.0, 0.1 * math.log2(passes / 2)))
    return round(share * min(1.0, width / FULL_DROPOUT_WIDTH), 2)


def gains_from_compiling(device: str, flops: float, m: GPTConfig) -> bool:
    """Whether a run of `flops` gains more than compiling takes; m.dropout is a number.

    Where it would, but this machine cannot compile, that is printed.
    """
    if device == "cpu":
        gains = flops > MIN_FLOPS_TO_COMPILE and m.n_embd <= MAX_WIDTH_TO_COMPILE and not m.dropout
    else:
        gains = device == "cuda" and flops > MIN_FLOPS_TO_COMPILE_CUDA
    if gains and (why := why_not_compiled(device)):
        why += f"; {what_it_needs(device)}"
        say(f"train.compile: a run this long would gain from it, but torch.compile does not work here: {why}")
        return False
    return gains


def time_steps(model: GPT, corpus: Corpus, batches: Batches, t: TrainConfig) -> tuple[float, float]:
    """Seconds of a step and of an evaluation here, timed on a copy that is then dropped."""
    prove_mask(model, model, precision=partial(autocast, t))  # a kernel that the run will do without is not timed
    trial = copy.deepcopy(model)
    take_step = Step(trial, t)
    take_part(take_step)
    times = []
    for number in range(1, 9):  # the first two warm up
        started = time.perf_counter()
        take_step(number, batches.windows((number - 1) * t.batch_size, t.batch_size))
        take_step.read()
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    with put_together(trial):
        evaluate(trial, corpus, t, step=8)
    measured = (float(np.median(times[2:])), time.perf_counter() - started)
    step, evaluation = from_first(lambda: measured)
    return step, evaluation
