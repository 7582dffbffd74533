"""Whole runs to compare, each a process of its own: ours, nanoGPT's and Hugging Face's.

Each returns a dict: seconds and cpu_seconds of the process, peak_mb, loss (of the whole validation part, nats a token),
curve [[seconds since the process began, validation loss], ...].

environment: variables besides those of this process. launch: the beginning of a command that runs a Python module.
"""

import json
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.common import run_process
from common.options import find_yaml
from config import FOLDER

MODULE = [sys.executable, "-m"]
# The same with clocks that stand still while other programs have the core, for machines that are never quiet.
ON_CPU_CLOCK = [sys.executable, "-c"]
ON_CPU_CLOCK += ["import runpy, sys, time; time.time = time.perf_counter = time.process_time; del sys.argv[0];"]
ON_CPU_CLOCK[-1] += " runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"

# What nanoGPT's README gives for a CPU.
ON_CPU = "--device=cpu --compile=False"
NANOGPT_LAPTOP = f"{ON_CPU} --eval_iters=20 --log_interval=100 --block_size=64 --batch_size=12 --n_layer=4 --n_head=4"
NANOGPT_LAPTOP += " --n_embd=128 --dropout=0.0"


def timed(launch: list, command: list, **options: Any) -> common.Finished:
    """Runs a Python module, as run_process does. On a CPU's clock its times are those of the processor."""
    done = run_process([*launch, *command], **options)
    if launch is ON_CPU_CLOCK:
        share = done.cpu_seconds / done.seconds
        done.events = [(seconds * share, text) for seconds, text in done.events]
        done.seconds = done.cpu_seconds
    return done


def hugging_face(text: Path, options: list, environment: Mapping[str, str], launch: list = MODULE) -> dict:
    """options: steps, seed, steps between evaluations, whose time is taken off; see benchmarks/peers.py."""
    done = timed(launch, ["benchmarks.peers", "train", text, *options], environment=environment)
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines() if line.startswith("{")]
    curve = [[seconds - line["evaluating"], line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    last = lines[-1][1]
    return result(done, curve, curve[-1][1]) | {
        "seconds": done.seconds - last["evaluating"],
        "seconds_a_step": last["training"] / last["step"],
    }


def prepare_nanogpt(path: str, text: Path, copy: Path) -> Path:
    """A copy of the checkout at `path`, in which nothing is written, with the training files of `text`."""
    shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".git", "out*", "*.bin", "*.pkl", "input.txt"))
    shutil.copy(text, copy / "data" / "shakespeare_char" / "input.txt")
    run_process([sys.executable, "data/shakespeare_char/prepare.py"], cwd=copy)
    return copy


def length(steps: int) -> list[str]:
    return [f"--max_iters={steps}", f"--lr_decay_iters={steps}"]


def nanogpt(checkout: Path, text: Path, options: list, environment: Mapping[str, str], launch: list = MODULE) -> dict:
    """options: of nanoGPT's train.py, besides its configuration for characters."""
    command = ["train", "config/train_shakespeare_char.py", *options]
    done = timed(launch, command, cwd=checkout, environment=environment)
    shown = [(seconds, line.partition("val loss ")[2]) for seconds, line in done.lines() if line.startswith("step ")]
    checkpoint = checkout / "out-shakespeare-char" / "ckpt.pt"
    scored = run_process([sys.executable, "-m", "benchmarks.peers", "score", checkout, checkpoint, text])
    return result(done, [[seconds, float(loss)] for seconds, loss in shown], float(scored.output.split()[-1]))


def ours(
    config: str,
    overrides: list,
    text: Path,
    environment: Mapping[str, str],
    launch: list = MODULE,
    look: Callable[[Path], dict[str, Any]] = lambda run: {},
) -> dict:
    """overrides: keys and values, in turn. look: what its result says of the run's folder, which then goes."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        own = ["data.source", text, "data.cache", f"{folder}/cache", "train.device", "cpu"]
        options = [f"--{part}" if at % 2 == 0 else part for at, part in enumerate([*overrides, *own])]
        file = find_yaml(config, FOLDER)[0].resolve()
        command = ["train", "--config", file, "--run", run, *options]
        done = timed(launch, command, environment=environment, watch=run / "metrics.jsonl")
        looked = look(run)
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines()]
    curve = [[seconds, line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    steps = {key: lines[-1][1][key] for key in ("step", "tokens")}
    return result(done, curve, curve[-1][1]) | steps | looked


def reached(run: dict, loss: float) -> float:
    """Seconds from a run's start to its first evaluation, or end, at `loss` or below; infinite where there is none."""
    curve = [*run["curve"], [run["seconds"], run["loss"]]]
    return next((seconds for seconds, at in curve if at <= loss), math.inf)


def result(done: common.Finished, curve: list, loss: float) -> dict:
    row = {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds, "peak_mb": done.peak_mb}
    return row | {"loss": loss, "curve": curve}
