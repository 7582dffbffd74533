"""All that only a GPU can tell, in one command of some eight minutes on an H100 or H200.

Its parts run one after the other, each in a process of its own that ends after --seconds or a limit of its own; one
that fails is named, the others go on, and the file is written after each. They need torch and numpy, not the versions
of requirements.txt; what is missing for one (pytest, transformers) costs that one alone.
  tests      the tests that are marked gpu
  ours, Hugging Face, nanoGPT (with --nanogpt)
             a training step of GPT-2's 124M, 16 x 1024 tokens: its share of the rate of matrix products (products),
             the memory beside what was estimated, and whether it waits for the device
  writes     tokens a second of the same model at 1 and 64 sequences
  killed     a deterministic run that is killed and resumed, line by line beside one that was not
  small, fast, best
             these configurations, on the device and at the same time on the CPU, their losses side by side
--small asks the same of the smallest sizes; --device cpu --small tries the command itself."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import common, peers
from benchmarks.common import ROOT, run_process
from common.arguments import number
from common.errors import InputError

STEP_SECONDS, WRITING_SECONDS = 4.0, 5.0
BEST_STEPS = 40  # of best.yaml, which takes 14 minutes
TIMES = ("seconds", "tokens_per_second")

Figures = dict[str, Any]


def main() -> None:
    args = read_arguments()
    if args.part:
        print(json.dumps(PARTS[args.part][1](args)), flush=True)
        return
    if args.device == "cuda" and not cuda_is_there():
        raise InputError("--device cuda: there is no GPU that PyTorch can use; --device cpu --small tries the command")
    results: dict[str, Figures] = {}
    end = time.monotonic() + args.seconds
    for name, (limit, _) in PARTS.items():
        if (args.parts and name not in args.parts) or ("nanoGPT" in name and not args.nanogpt):
            continue
        started = time.monotonic()
        results[name] = measure(name, args, min(limit, end - started))
        results[name]["took"] = round(time.monotonic() - started, 1)
        common.say(f"{name:<24} {results[name]['took']:8.1f} s  {results[name].get('failed', '')}")
        common.write_results("gpu", args, {"device": device_name(args.device), "parts": results | compared(results)})
    rows = [
        [part, figure, value]
        for part, figures in (results | compared(results)).items()
        for figure, value in figures.items()
    ]
    print(common.table([["part", "", ""], *rows]))


def read_arguments() -> argparse.Namespace:
    parser = common.parser(__doc__, "gpu", repeats=1)
    common.add_nanogpt(parser)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default cuda")
    parser.add_argument("--small", action="store_true", help="the smallest sizes, in seconds")
    seconds = "of all parts together; those that have none left fail (default 480)"
    parser.add_argument("--seconds", type=number(above=0), metavar="X", default=480.0, help=seconds)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), help="only these")
    parser.add_argument("--part", choices=list(PARTS), help="this one, in this process, its figures as JSON")
    return parser.parse_args()


def measure(name: str, args: argparse.Namespace, seconds: float) -> Figures:
    """The figures of a part, from a process of its own; {"failed": why} where it fails or takes longer."""
    if seconds <= 0:
        return {"failed": "no time was left"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    process = subprocess.Popen(command_of(name, args), cwd=ROOT, start_new_session=True, errors="replace", **pipes)
    try:
        output, _ = process.communicate(timeout=seconds)
        last = output.strip().splitlines()[-1] if output.strip() else f"ended with {process.returncode}"
        return json.loads(last) if process.returncode == 0 else {"failed": last}
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {seconds:.0f} s"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # and the runs that it has started
            process.wait()


def command_of(name: str, args: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, "--device", args.device]
    return command + ["--small"] * args.small + (["--nanogpt", args.nanogpt] if args.nanogpt else [])


def compared(results: dict[str, Figures]) -> dict[str, Figures]:
    """What follows from the figures of several parts."""
    ours = results.get("ours, compiled", {})
    figures = {}
    for kind in ("its shapes", "largest"):
        if "FLOP/s" in ours and kind in results.get("products", {}):
            figures[f"share of matrix products, {kind}"] = ours["FLOP/s"] / results["products"][kind]
    for name, figure in (("Hugging Face", "tokens/s"), ("nanoGPT, compiled", "tokens/s")):
        if figure in ours and figure in results.get(name, {}):
            figures[f"times as fast as {name}"] = ours[figure] / results[name][figure]
    eager, deterministic = (results.get(name, {}).get("ms") for name in ("ours", "ours, deterministic"))
    if eager and deterministic:
        figures["deterministic takes, of the time without"] = deterministic / eager
    return {"compared": figures} if figures else {}


def cuda_is_there() -> bool:
    import torch

    return torch.cuda.is_available()


def device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else device


# ---- parts: each returns its figures


def task_of(args: argparse.Namespace) -> Any:
    """GPT-2's 124M, or the smallest model, as benchmarks/step.py measures it."""
    from benchmarks.step import SIZES, Task
    from model import GPTConfig

    *shape, batch = SIZES["4x128" if args.small else "124m"]
    config = GPTConfig(**peers.AS_GPT2 | dict(zip(peers.SHAPE, shape, strict=True)))
    return Task(config, batch, args.device, args.nanogpt)


def products(args: argparse.Namespace) -> Figures:
    """FLOP/s of plain products in bfloat16."""
    from benchmarks.step import build_products

    rates = build_products(task_of(args))()
    return {kind.partition(", ")[2]: rate for kind, rate in rates.items() if kind.startswith("bf16")}


def a_step(owner: str, dtype: str, compiled: bool, args: argparse.Namespace) -> Figures:
    """One training step of a contestant of benchmarks/step.py."""
    import torch

    from benchmarks.step import build
    from config import TrainConfig
    from model import GPT
    from model.sizes import flops_per_token
    from training.memory import memory_estimate

    task = task_of(args)
    run = build(task, owner, dtype, compiled)
    first = run(1)
    seconds = run(max(2, round(STEP_SECONDS / float(run(2)))))
    with torch.device("meta"):
        shapes = GPT(task.config)
    figures = {"ms": seconds * 1000, "tokens/s": task.tokens / seconds, "first step, s": first}
    figures["FLOP/s"] = flops_per_token(shapes) * task.tokens / seconds
    if args.device == "cuda":
        figures["peak MB"] = torch.cuda.max_memory_allocated() / 1e6
        figures["waits"] = run("waits")
    if owner.startswith("ours"):
        options: dict[str, Any] = {
            "optimizer": "adamw",
            "batch_size": task.batch,
            "device": args.device,
            "dtype": dtype,
        }
        config = TrainConfig(**options)
        figures["estimated MB"] = sum(memory_estimate(shapes, config).values()) / 1e6
    return figures


def writing(owner: str, args: argparse.Namespace) -> Figures:
    """Tokens a second, all sequences together, in bfloat16."""
    from benchmarks import generation

    config = generation.config_of("small" if args.small else "124m", 64 if args.small else 256)
    write = generation.build(owner, config, "bfloat16", args.nanogpt)
    write(1, 1.0, None)  # warms up
    seconds = 0.5 if args.small else WRITING_SECONDS
    batches = {batch: generation.rate(batch, write(batch, seconds, None)) for batch in (1, 64)}
    return {f"tokens/s, {batch} at once": rate for batch, rate in batches.items()}


def tests(args: argparse.Namespace) -> Figures:
    """The tests that are marked gpu, without what pyproject.toml wants of pytest besides."""
    marked = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text(encoding="utf-8")]
    options = ["-q", "-m", "gpu", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *map(str, sorted(marked))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    lines = (done.stdout + done.stderr).strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"exit code": done.returncode, "result": lines[-1] if lines else "", **{line: "" for line in failed}}


def train(folder: str | Path, *options: object, until: Callable[[str], bool] | None = None) -> list[dict]:
    """Runs train.py with a run in `folder`; returns the lines of its metrics."""
    run = Path(folder) / "run"
    given = [] if "--resume" in options else ["--run", run]
    run_process([sys.executable, "-m", "train", *options, *given], watch=run / "metrics.jsonl", until=until)
    text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def killed(args: argparse.Namespace) -> Figures:
    """A deterministic run, killed and resumed, beside one that was not."""
    steps, at = (30, 10) if args.small else (200, 80)
    sizes = [] if args.small else ["--model.n_layer", 6, "--model.n_embd", 384, "--model.n_head", 6]
    options = ["--config", "tiny.yaml", *sizes, "--train.steps", steps, "--train.save_every", 5, "--train.log_every", 1]
    options += ["--train.device", args.device, "--train.dtype", "bfloat16", "--train.deterministic", "true"]
    options += ["--model.dropout", 0.1, "--train.eval_every", at]
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        unbroken = train(whole, *options)
        before = train(broken, *options, until=lambda text: f'"step": {at},' in text)
        stopped = Path(broken) / "run"
        resumed = train(broken, "--resume", stopped)
    pairs = [[{k: v for k, v in line.items() if k not in TIMES} for line in lines] for lines in (unbroken, resumed)]
    equal = sum(a == b for a, b in zip(*pairs, strict=True))
    return {"lines equal to the bit": equal, "of lines": len(unbroken), "lines when killed": len(before)}


def configured(config: str, args: argparse.Namespace) -> Figures:
    """A configuration on the device and on the CPU at once: seconds and the last validation loss of each."""
    steps = {"small": [], "fast": [], "best": ["--train.steps", BEST_STEPS]}[config]
    steps = ["--train.steps", 6, "--train.eval_every", 6, "--train.sample_tokens", 8] if args.small else steps
    with tempfile.TemporaryDirectory() as folder:
        source: list = []
        if config != "small":
            size = 30_000 if args.small else 1_000_000
            source = ["--data.source", common.write_text(Path(folder) / "text.txt", None, size)]

        def run(device: str) -> list[dict]:
            place = Path(folder) / device
            options = ["--config", f"{config}.yaml", *steps, *source, "--data.cache", place, "--train.device", device]
            return train(place, *options)

        devices = dict.fromkeys((args.device, "cpu"))
        with ThreadPoolExecutor(len(devices)) as pool:
            lines = dict(zip(devices, pool.map(run, devices), strict=True))
    figures: Figures = {}
    for device, of_device in lines.items():
        figures |= {f"{device}, val_loss": of_device[-1]["val_loss"], f"{device}, s": of_device[-1]["seconds"]}
    return figures


# The most telling first, each with its limit in seconds; together they take less.
PARTS: dict[str, tuple[float, Callable[[argparse.Namespace], Figures]]] = {
    "products": (40, products),
    "ours": (60, partial(a_step, "ours", "bfloat16", False)),
    "ours, compiled": (100, partial(a_step, "ours", "bfloat16", True)),
    "Hugging Face": (60, partial(a_step, "Hugging Face", "bfloat16", False)),
    "nanoGPT, compiled": (100, partial(a_step, "nanoGPT", "bfloat16", True)),
    "tests": (140, tests),
    "ours writes": (60, partial(writing, "ours")),
    "Hugging Face writes": (60, partial(writing, "Hugging Face")),
    "killed": (120, killed),
    "small": (120, partial(configured, "small")),
    "fast": (60, partial(configured, "fast")),
    "best": (60, partial(configured, "best")),
    "ours, deterministic": (60, partial(a_step, "ours, deterministic", "bfloat16", False)),
    "ours, fp16": (60, partial(a_step, "ours", "float16", False)),
}

if __name__ == "__main__":
    common.run(main)
