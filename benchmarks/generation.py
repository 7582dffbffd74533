"""Tokens a second of generation, models with random weights built for each context.

Each contestant writes from one token on until the context is full, and again from the start until --seconds have
passed, at temperature 0.8: ours with model.generate, Hugging Face's GPT-2 of the same size with generate() and its
cache, and with --nanogpt its own loop, which has none. A contestant too slow to fill the context stops earlier, where a
token costs less. The rate is that of all sequences together. Ours has as many threads as sample.py gives it, a peer one
or all, whichever is faster for it.
  small   small.yaml with 4 layers of 128      124m   GPT-2: 12 layers of 768, 12 heads, vocabulary 50257
For ours also the milliseconds of a token by its position are measured, in eight parts of the text."""

import itertools
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks import common, peers
from benchmarks.common import Worker
from common.arguments import number, whole_number
from common.machine import ONE_THREAD_BELOW, available_cores
from config import load_config
from model import GPT, GPTConfig, generate

TRIAL_SECONDS = 1.0
PARTS = 8


def main() -> None:
    parser = common.parser(__doc__, "generation")
    common.add_nanogpt(parser)
    numbers: dict[str, Any] = {"nargs": "+", "metavar": "N"}
    parser.add_argument("--sizes", nargs="+", choices=("small", "124m"), default=["small", "124m"])
    parser.add_argument("--contexts", **numbers, type=whole_number(2), default=[64, 1024], help="default 64 1024")
    batches = "sequences at once (default 1 64)"
    parser.add_argument("--batches", **numbers, type=whole_number(1), default=[1, 64], help=batches)
    dtypes = ("float32", "bfloat16")
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=list(dtypes), help="of the weights")
    seconds = "of a contestant's turn, at most (default 8)"
    parser.add_argument("--seconds", type=number(above=0), metavar="X", default=8.0, help=seconds)
    args = parser.parse_args()
    rates = []
    for size, dtype, context in itertools.product(args.sizes, args.dtypes, args.contexts):
        rates += measure(size, dtype, context, args)
    print(report(rates))
    common.write_results("generation", args, {"rates": rates})


def measure(size: str, dtype: str, context: int, args: Namespace) -> list[dict]:
    """A row for each batch size: tokens a second by contestant, ratios of ours, its milliseconds by position."""
    config = config_of(size, context)
    names = ["ours", "Hugging Face", *["nanoGPT"] * bool(args.nanogpt)]
    workers = {name: Worker(build, name, config, dtype, args.nanogpt) for name in names}
    rows = []
    for batch in args.batches:
        common.say(f"{size}, {dtype}, context {context}, batch {batch}")
        threads = {name: best_threads(workers[name], batch) for name in names[1:]}
        turns = {name: partial(worker, batch, args.seconds, threads.get(name)) for name, worker in workers.items()}
        rounds = common.alternate(turns, args.repeats)
        rates = {name: [rate(batch, texts) for texts in turns] for name, turns in rounds.items()}
        row: dict[str, Any] = {"size": size, "dtype": dtype, "context": context, "batch": batch}
        row["peers' threads"] = threads
        row["tokens_per_second"] = {name: median(values) for name, values in rates.items()}
        row["longest text"] = {name: max(map(len, itertools.chain(*turns))) for name, turns in rounds.items()}
        row["times faster than"] = {name: common.ratio(rates[name], rates["ours"]) for name in names[1:]}
        row["ms by position"] = by_position(rounds["ours"])
        rows.append(row)
    peaks = {name: worker.finish() for name, worker in workers.items()}
    return [row | {"peak_mb": peaks} for row in rows]


def best_threads(worker: Worker, batch: int) -> int:
    """One thread or as many as there are cores: those with which a peer is faster."""
    worker(batch, TRIAL_SECONDS, 1)  # warms up
    return max((1, available_cores()), key=lambda count: rate(batch, worker(batch, TRIAL_SECONDS, count)))


def rate(batch: int, texts: list[list[float]]) -> float:
    """Tokens a second. texts: the seconds that each position took, for `batch` sequences together."""
    return batch * sum(map(len, texts)) / sum(map(sum, texts))


def by_position(rounds: list[list[list[float]]]) -> list[float]:
    """Milliseconds per position in PARTS equal parts of the text: medians within a part over all texts and rounds."""
    texts = list(itertools.chain(*rounds))
    longest = max(map(len, texts))
    edges = [1 + (longest - 1) * part // PARTS for part in range(PARTS + 1)]  # the first reads the prompt
    parts = [[seconds for text in texts for seconds in text[slice(*edge)]] for edge in itertools.pairwise(edges)]
    return [round(median(part) * 1000, 4) for part in parts if part]


def report(rows: list[dict]) -> str:
    names = list(rows[0]["tokens_per_second"])
    head = ["", *(f"{name} tokens/s" for name in names), *(f"times {name}" for name in names[1:])]
    lines = [[*head, "last part over first"]]
    for row in rows:
        positions = row["ms by position"]
        label = f"{row['size']}, {row['dtype']}, context {row['context']}, batch {row['batch']}"
        faster = [f"{row['times faster than'][name]:.2f} x" for name in names[1:]]
        slower = f"{positions[-1] / positions[0]:.2f}" if positions else "-"
        lines.append([label, *row["tokens_per_second"].values(), *faster, slower])
    return common.table(lines)


def config_of(size: str, context: int) -> GPTConfig:
    """Our model's; the peers have its shape."""
    if size == "124m":
        shape = zip(peers.SHAPE, (12, 12, 768, context, 50257), strict=True)
        return GPTConfig(**peers.AS_GPT2 | dict(shape), bias=True)
    config = load_config("small.yaml")
    model = replace(config.model, vocab_size=config.data.vocab_size, block_size=context)
    return replace(model, n_layer=4, n_head=4, n_embd=128, attn_ratio=1.0)


def build(owner: str, config: GPTConfig, dtype: str, nanogpt: str | None) -> Callable[..., list[list[float]]]:
    """A function that writes texts for so many seconds, `batch` sequences at once: the seconds of each token, by text.

    Hugging Face's generate() returns whole texts, whose tokens get the mean of their text.
    """
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = GPT(config) if owner == "ours" else peers.peer_model(owner, nanogpt, config)
    model = model.to(device, getattr(torch, dtype)).eval()
    one_thread = sum(p.numel() for p in model.parameters()) < ONE_THREAD_BELOW
    all_threads = torch.get_num_threads()
    context = config.block_size

    def write(batch: int, seconds: float, threads: int | None) -> list[list[float]]:
        torch.set_num_threads(threads or (1 if one_thread else all_threads))
        idx = torch.zeros(batch, 1, dtype=torch.long, device=device)
        end, texts = time.perf_counter() + seconds, []
        while (left := end - time.perf_counter()) > 0:
            if owner == "Hugging Face":
                texts.append(time_text(model, idx, context, left))
            else:
                stream = generate if owner == "ours" else stream_nanogpt
                texts.append(time_tokens(stream(model, idx, context - 1, temperature=0.8), end, device))
        return texts[1:] or texts  # the first wakes up a process that waited

    return write


def time_text(model: Any, idx: torch.Tensor, context: int, seconds: float) -> list[float]:
    options = {"max_length": context, "do_sample": True, "temperature": 0.8, "top_k": 0, "pad_token_id": 0}
    started = time.perf_counter()
    count = model.generate(idx, attention_mask=torch.ones_like(idx), max_time=seconds, **options).shape[1] - 1
    return [(time.perf_counter() - started) / count] * count


def time_tokens(tokens: Iterator, end: float, device: str) -> list[float]:
    times, now = [], time.perf_counter()
    for _ in tokens:
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - now)
        now += times[-1]
        if now > end:
            break
    return times


def stream_nanogpt(model: Any, idx: torch.Tensor, count: int, temperature: float) -> Iterator:
    for _ in range(count):
        idx = model.generate(idx, 1, temperature)
        yield idx


if __name__ == "__main__":
    common.run(main)
