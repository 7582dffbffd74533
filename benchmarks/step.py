"""One training step, everything included: batch, forward, backward, clip, optimizer, in a tight loop.

For each of --sizes the contestants stay in memory, each in a process of its own, and take turns. All have the same
architecture (GPT-2: learned positions, GELU, tied embeddings, no dropout; Hugging Face's has biases), the same batch
size, random tokens, and AdamW:
  4x128   12 x 64 tokens, vocabulary 96      6x384   16 x 256 tokens, vocabulary 96
  124m    12 layers of 768, 16 x 1024 tokens, vocabulary 50304: for a GPU, where only bf16 is measured
The FLOPs are those of model/sizes.py (the half of attention that the mask saves is counted), the same for all; the
share is that of the rate of plain matrix products, measured in the same rounds: of the shapes of the model's linear
layers, forward and backward, and of the best large square. "first" is the first step, compiling included, from an empty
cache of compiled code. Peak memory is that of the process, without the compiler's helpers. Muon's share is measured on
the model of every configuration in configs/ whose optimizer is muon, not compiled. On a GPU it also reports whether a
step waits for the device (torch.cuda.set_sync_debug_mode), and what train.deterministic costs."""

import itertools
import os
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks import common, peers
from benchmarks.common import Worker
from common.arguments import number
from config import FOLDER, Config, TrainConfig, load_config
from data.batches import Batches
from model import GPT, GPTConfig
from model.sizes import flops_per_token
from training.device import choose_dtype
from training.optimizer import Muon
from training.settle import settle_hardware
from training.step import Step

# peers.SHAPE; sequences a step
SIZES = {"4x128": (4, 4, 128, 64, 96, 12), "6x384": (6, 6, 384, 256, 96, 16), "124m": (12, 12, 768, 1024, 50304, 16)}
CHARACTERS = 96  # in the vocabulary of a configuration that takes it from its text
MUON_STEPS = 8
PRODUCT_SECONDS = 0.3
SHORT = {"float32": "fp32", "bfloat16": "bf16"}


@dataclass(frozen=True)
class Task:
    """What a step computes, and on which device."""

    config: GPTConfig
    batch: int  # sequences a step
    device: str
    nanogpt: str | None = None  # a checkout

    @property
    def tokens(self) -> int:
        return self.batch * self.config.block_size


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    default = ["124m"] if device == "cuda" else ["4x128", "6x384"]
    parser = common.parser(__doc__, "step", repeats=5)
    common.add_nanogpt(parser)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=default, help=f"default {' '.join(default)}")
    seconds = "of a contestant's turn, about (default 4)"
    parser.add_argument("--seconds", type=number(above=0), metavar="X", default=4.0, help=seconds)
    args = parser.parse_args()
    sizes = {}
    for size in args.sizes:
        *shape, batch = SIZES[size]
        config = GPTConfig(**peers.AS_GPT2 | dict(zip(peers.SHAPE, shape, strict=True)))
        sizes[size] = measure(Task(config, batch, device, args.nanogpt), args)
        print(f"{report(size, sizes[size])}\n", flush=True)
    muon = measure_muon(device, args.repeats)
    rows = [[config, row["step_ms"], row["muon_ms"], f"{row['share']:.1%}"] for config, row in muon.items()]
    print(common.table([["Muon", "step ms", "Muon ms", "share"], *rows]))
    common.write_results("step", args, {"device": device, "sizes": sizes, "muon": muon})


def contestants(nanogpt: str | None, device: str) -> dict[str, tuple[str, str, bool]]:
    """By name: whose model, dtype, compiled."""
    owners = ["ours", *["ours, deterministic"] * (device == "cuda"), "Hugging Face", *["nanoGPT"] * bool(nanogpt)]
    compiler = device == "cuda" or shutil.which("c++") is not None
    return {
        f"{owner}, {SHORT[dtype]}{', compiled' * compiled}": (owner, dtype, compiled)
        for owner, dtype, compiled in itertools.product(owners, SHORT, (False, True))
        if not compiled or (compiler and (owner == "ours" or (owner, dtype) == ("nanoGPT", "bfloat16")))
        if dtype == "bfloat16" or device == "cpu"
    }


def measure(task: Task, args: Namespace) -> dict:
    """All contestants: milliseconds per step, rates, memory; and FLOP/s of plain matrix products."""
    workers, first = {}, {}
    turns: dict[str, Callable[[], Any]] = {}
    for name, contestant in contestants(task.nanogpt, task.device).items():
        workers[name] = worker = Worker(build, task, *contestant)
        first[name] = worker(1)
        turns[name] = partial(worker, max(2, round(args.seconds / worker(2))))
        common.say(f"{name:<28} the first step took {first[name]:.2f} s")
    turns["matrix products"] = products = Worker(build_products, task)
    rounds = common.alternate(turns, args.repeats)
    product_rounds = rounds.pop("matrix products")
    rates = {kind: median(measured[kind] for measured in product_rounds) for kind in product_rounds[0]}
    with torch.device("meta"):
        flops = flops_per_token(GPT(task.config)) * task.tokens
    rows = {}
    for name, worker in workers.items():
        seconds, dtype = median(rounds[name]), "bf16" if "bf16" in name else "fp32"
        row: dict[str, Any] = {"ms": seconds * 1000, "rounds_ms": [seconds * 1000 for seconds in rounds[name]]}
        row |= {"first_seconds": first[name], "tokens_per_second": task.tokens / seconds}
        row["flops_per_second"] = rate = flops / seconds
        row["share of its shapes"] = rate / rates[f"{dtype}, its shapes"]
        row["share of the largest"] = rate / rates[f"{dtype}, largest"]
        row["waits"] = worker("waits") if task.device == "cuda" else None
        row["peak_mb"] = worker.finish()
        if name.startswith("ours"):
            peers = [peer for peer in rounds if not peer.startswith("ours")]
            row["times faster than"] = {peer: common.ratio(rounds[name], rounds[peer]) for peer in peers}
        rows[name] = row
    products.finish()
    return {"tokens": task.tokens, "flops_a_step": flops, "products_flops_per_second": rates, "contestants": rows}


def report(size: str, results: dict) -> str:
    rows = [["", "ms", "first s", "tokens/s", "GFLOP/s", "of products: its shapes", "largest", "peak MB"]]
    products = results["products_flops_per_second"].items()
    lines = [f"matrix products, {kind}: {rate / 1e9:,.0f} GFLOP/s" for kind, rate in products]
    for name, row in results["contestants"].items():
        cells = [row["ms"], row["first_seconds"], row["tokens_per_second"], row["flops_per_second"] / 1e9]
        cells += [f"{row[f'share of {kind}']:.0%}" for kind in ("its shapes", "the largest")]
        rows.append([name, *cells, row["peak_mb"]])
        faster = "; ".join(f"{value:.2f} x {peer}" for peer, value in row.get("times faster than", {}).items())
        lines += [f"speed of {name}: {faster}"] * bool(faster) + [f"{name} {row['waits']}"] * bool(row["waits"])
    head = f"{size}, {results['tokens']} tokens, {results['flops_a_step'] / 1e9:.2f} GFLOP a step"
    return "\n".join([head, common.table(rows), *lines])


# ---- in a contestant's process


def build(task: Task, owner: str, dtype: str, compiled: bool) -> Callable[[int | str], float | str]:
    """A function that takes so many steps and returns the seconds of one, or for "waits" returns what `waits` says."""
    folder = tempfile.TemporaryDirectory()
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder.name
    torch.manual_seed(0)
    if owner.startswith("ours"):
        train: dict[str, Any] = {"optimizer": "adamw", "learning_rate": 1e-3, "batch_size": task.batch}
        train |= {"device": task.device, "dtype": dtype, "compile": compiled, "deterministic": owner != "ours"}
        config = TrainConfig(**train)
        settle_hardware(config)
        step, _ = our_step(GPT(task.config), config)
    else:
        step = peer_step(task, owner, dtype, compiled)

    def run(steps: int | str, folder: object = folder) -> float | str:  # whose compiled code goes with this process
        if isinstance(steps, str):
            return waits(step)
        if steps > 1:
            step()  # wakes up: the system may have taken memory back from a process that waited
        return mean_seconds(step, steps, task.device)

    return run


def mean_seconds(function: Callable[[], object], times: int = 1, device: str = "cpu") -> float:
    """Seconds of a call, the mean of so many; what they leave to a GPU included."""
    started = time.perf_counter()
    for _ in range(times):
        function()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def our_step(model: GPT, config: TrainConfig) -> tuple[Callable[[], None], list]:
    """A step as train.py takes it with `config`, in which nothing is `auto`, on random ids; and its optimizers."""
    take_step = Step(model.to(config.device), config, compiled=config.compile is True)
    batches = Batches(Stream(random_ids(model.config.vocab_size)), model.config.block_size, seed=0)  # type: ignore[arg-type]
    numbers = itertools.count(1)

    def step() -> None:
        number = next(numbers)
        take_step(number, batches.windows((number - 1) * config.batch_size, config.batch_size))

    return step, take_step.optimizers


@dataclass
class Stream:
    """Ids in memory as Batches reads them: one document."""

    ids: np.ndarray
    several_documents = sharded = False

    def __len__(self) -> int:
        return len(self.ids)


def random_ids(vocab_size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, vocab_size, 1_000_000).astype(np.uint16)


def peer_step(task: Task, owner: str, dtype: str, compiled: bool) -> Callable[[], None]:
    data = random_ids(task.config.vocab_size)
    model = peers.peer_model(owner, task.nanogpt, task.config).to(task.device)
    if owner == "nanoGPT":
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), task.device)
        forward = torch.compile(model) if compiled else model
    else:
        optimizer, forward = peers.adamw(model), peers.with_loss(model)

    def step() -> None:
        x, y = (part.to(task.device) for part in peers.get_batch(data, task.config.block_size, task.batch))
        peers.take_step(model, forward, optimizer, x, y, dtype)

    return step


def waits(step: Callable[[], None]) -> str:
    """Whether a step waits for the GPU, and if so the operation that PyTorch refuses when nothing may wait."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            step()
        return "does not wait for the device"
    except RuntimeError as error:
        return f"waits for the device: {str(error).splitlines()[0]}"
    finally:
        torch.cuda.set_sync_debug_mode("default")


def build_products(task: Task) -> Callable[[], dict[str, float]]:
    """A function that measures FLOP/s of plain matrix products: those of the linear layers, and large square ones."""
    tokens, C = task.tokens, task.config.n_embd
    linear = [(C, 3 * C), (C, C), (C, 4 * C), (4 * C, C)] * task.config.n_layer + [(C, task.config.vocab_size)]
    # (m, k, n): forward, and in backward the gradients of the input and of the weight
    of_model = [sizes for k, n in linear for sizes in ((tokens, k, n), (tokens, n, k), (k, tokens, n))]
    squares = [[(n, n, n)] for n in ((4096, 8192) if task.device == "cuda" else (1024, 2048))]

    def flops_per_second(products: list[tuple[int, int, int]], dtype: torch.dtype) -> float:
        pairs = {}
        for m, k, n in products:
            pairs[m, k, n] = [torch.randn(*s, device=task.device, dtype=dtype) for s in ((m, k), (k, n))]

        def multiply() -> None:
            for sizes in products:
                torch.mm(*pairs[sizes])

        seconds, times = 0.0, 1
        while seconds * times < PRODUCT_SECONDS:  # the first rounds warm up
            times = 1 if not seconds else max(times + 1, round(PRODUCT_SECONDS * 1.2 / seconds))
            seconds = mean_seconds(multiply, times, task.device)
        return sum(2 * m * k * n for m, k, n in products) / seconds

    def run() -> dict[str, float]:
        rates = {}
        for name, short in SHORT.items():
            dtype = getattr(torch, name)
            rates[f"{short}, its shapes"] = flops_per_second(of_model, dtype)
            rates[f"{short}, largest"] = max(flops_per_second(square, dtype) for square in squares)
        return rates

    return run


# ---- Muon's share


def measure_muon(device: str, repeats: int) -> dict[str, dict]:
    """By configuration that has Muon: milliseconds of a step, and Muon's part of it."""
    shares = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if load_config(path).train.optimizer == "muon":
            worker = Worker(build_configured, str(path), device)
            worker()  # warms up
            steps, muons = zip(*(worker() for _ in range(repeats)), strict=True)
            worker.finish()
            step, muon = median(steps), median(muons)
            shares[path.name] = {"step_ms": step * 1000, "muon_ms": muon * 1000, "share": muon / step}
            common.say(f"{path.name:<28} a step of {step * 1000:.1f} ms")
    return shares


def build_configured(config_name: str, device: str) -> Callable[[], tuple[float, float]]:
    """A function that measures seconds of a step of a configuration, and those that Muon takes."""
    step, optimizers = configured_step(load_config(config_name), device)
    (muon,) = [optimizer for optimizer in optimizers if isinstance(optimizer, Muon)]
    update, spent = muon.step, []
    muon.step = lambda: spent.append(mean_seconds(update))  # type: ignore[method-assign, assignment, misc]

    def run() -> tuple[float, float]:
        spent.clear()
        return mean_seconds(step, MUON_STEPS), sum(spent) / MUON_STEPS

    return run


def configured_step(config: Config, device: str) -> tuple[Callable[[], None], list]:
    """A step of a configuration on random tokens, not compiled; and its optimizers."""
    t: Any = config.train
    m = config.model
    t.device, t.dtype, t.compile = device, choose_dtype(t.dtype, device), False
    m.vocab_size = m.vocab_size or (CHARACTERS if config.data.tokenizer == "char" else config.data.vocab_size)
    return our_step(GPT(m), t)


if __name__ == "__main__":
    common.run(main)
