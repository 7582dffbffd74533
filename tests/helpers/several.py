"""Real processes that torchrun starts, on this machine, and what they do."""

import json
import os
import sys
import time

import numpy as np
import torch

import train
from common import process
from common.errors import run_script
from config import TrainConfig
from data.batches import Batches
from model import GPT, GPTConfig
from tests.helpers.scripts import Done, run_python
from training import distributed
from training.step import Step

STEPS = 50


def torchrun(processes: int, *command, restarts: int = 0) -> Done:
    """Runs a module and its arguments in so many processes, a thread each."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes)
    options = ("--max-restarts", restarts, "-m", "--")
    return run_python(*launcher, *options, *command, environment={"OMP_NUM_THREADS": "1"})


def run_train(processes: int, *arguments, restarts: int = 0) -> Done:
    """train.py in so many processes."""
    return torchrun(processes, "tests.helpers.several", "train", *arguments, restarts=restarts)


def run_train_struck(processes: int, rank: int, step: int, number: int, *arguments, restarts: int = 0) -> Done:
    """The same; process `rank` gets signal `number` when it fetches the batch of `step`, but not after a restart."""
    return torchrun(processes, "tests.helpers.several", f"{rank},{step},{number}", *arguments, restarts=restarts)


def strike(rank: int, step: int, number: int):
    fetch = Batches.windows

    def windows(self, start, count):
        if start == (step - 1) * count and distributed.rank() == rank and not distributed.restarted():
            os.kill(os.getpid(), number)
        return fetch(self, start, count)

    Batches.windows = windows


def batches(sequences: int) -> list[np.ndarray]:
    """The batches of a run that can be learned from; some of their sequences have few targets or a single one."""
    rng = np.random.default_rng(0)
    result = []
    for _ in range(STEPS):
        windows = np.sort(rng.integers(0, 31, (sequences, 13)), axis=1)
        windows[0, 2:], windows[1, 7:] = -1, -1
        result.append(windows)
    return result


def make_step(optimizer: str, tied: bool, parallel: str = "ddp", micro_batch_size: int = 0) -> Step:
    torch.manual_seed(0)
    shape = {"vocab_size": 31, "n_layer": 2, "n_head": 2, "n_embd": 20, "block_size": 12}
    model = GPT(GPTConfig(**shape, tie_embeddings=tied, ngram=2, ngram_rows=7))
    t = TrainConfig(
        optimizer=optimizer,
        parallel=parallel,
        micro_batch_size=micro_batch_size,
        batch_size=5 if not micro_batch_size else 6,
        device="cpu",
        dtype="float32",
        steps=STEPS,
        warmup_steps=5,
        grad_clip=0.5,
        compile=False,
    )
    return Step(model, t)


def figures(take_step: Step, sequences: int) -> list[tuple[float, float]]:
    """The loss and the norm of the gradient of each step."""
    result = []
    for step, windows in enumerate(batches(sequences), start=1):
        take_step(step, windows)
        last = take_step.read()
        result.append((last.loss, last.grad_norm))
    return result


def main():
    what, *rest = sys.argv[1:]
    if what == "figures":
        with distributed.joined():
            for case in json.loads(rest[0]):
                take_step = make_step(**case)
                distributed.take_part(take_step)
                print("figures", json.dumps(figures(take_step, take_step.config.batch_size)), flush=True)
        return
    if what != "train":
        strike(*map(int, what.split(",")))
    process._began = time.perf_counter() + 1000 * int(os.environ["RANK"])  # each started at another time
    sys.argv = ["train.py", *rest]
    run_script(train.main)


if __name__ == "__main__":
    main()
