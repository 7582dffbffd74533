"""Tokens a second of generation, models with random weights built for each context.

Each contestant writes from one token on until the context is full, and again from the start until --seconds have
passed, at temperature 0.8: ours with model.generate, Hugging Face's GPT-2 of the same size with generate() and its
cache, and with --nanogpt its own loop, which has none. One that is too slow to fill the context stops where it costs
less. The rate is that of all sequences together. Ours has as many threads as sample.py gives it, a peer one or all,
whichever is faster for it.
  small   the shape of configs/small.yaml      124m   GPT-2: 12 layers of 768, 12 heads, vocabulary 50257
For ours it also tells the milliseconds a token took by its position, in eight parts of what was written."""

import itertools
import os
import time
from functools import partial

from benchmarks import common
from benchmarks.common import Worker, median
from common.errors import InputError

TRIAL_SECONDS = 1.0
PARTS = 8


def main():
    parser = common.parser(__doc__, "generation")
    common.add_nanogpt(parser)
    parser.add_argument("--sizes", nargs="+", choices=("small", "124m"), default=["small", "124m"])
    parser.add_argument("--contexts", nargs="+", type=int, default=[64, 1024], help="default 64 1024")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 64], help="sequences at once (default 1 64)")
    dtypes = ("float32", "bfloat16")
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=list(dtypes), help="of the weights")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a contestant's turn, at most (default 8)")
    args = common.parsed(parser)
    for option, values in (("--contexts", args.contexts), ("--batches", args.batches)):
        least = 2 if option == "--contexts" else 1
        if min(values) < least:
            raise InputError(f"{option} {min(values)}: at least {least} expected")
    machine, found = common.machine(), []
    for size, dtype, context in itertools.product(args.sizes, args.dtypes, args.contexts):
        found += measure(size, dtype, context, args)
    print(report(found))
    common.write_results("generation", args, machine, {"rates": found})


def measure(size: str, dtype: str, context: int, args) -> list[dict]:
    """A row for each batch size: tokens a second by contestant, ratios of ours, its milliseconds by position."""
    shape = shape_of(size, context)
    names = ["ours", "Hugging Face", *["nanoGPT"] * bool(args.nanogpt)]
    workers = {name: Worker(build, name, shape, dtype, args.nanogpt) for name in names}
    rows = []
    for batch in args.batches:
        common.say(f"{size}, {dtype}, context {context}, batch {batch}")
        threads = {name: best_threads(workers[name], batch) for name in names[1:]}
        turns = {name: partial(worker, batch, args.seconds, threads.get(name)) for name, worker in workers.items()}
        rounds = common.alternate(turns, args.repeats)
        rates = {name: [rate(batch, texts) for texts in turns] for name, turns in rounds.items()}
        row = {"size": size, "dtype": dtype, "context": context, "batch": batch, "peers' threads": threads}
        row["tokens_per_second"] = {name: median(values) for name, values in rates.items()}
        row["longest text"] = {
            name: max(len(text) for texts in turns for text in texts) for name, turns in rounds.items()
        }
        row["times faster than"] = {name: common.ratio(rates[name], rates["ours"]) for name in names[1:]}
        row["ms by position"] = by_position(rounds["ours"])
        rows.append(row)
    peaks = {name: worker.finish() for name, worker in workers.items()}
    return [row | {"peak_mb": peaks} for row in rows]


def best_threads(worker: Worker, batch: int) -> int:
    """One thread or as many as there are cores: those with which a peer is faster."""
    worker(batch, TRIAL_SECONDS, 1)  # warms up
    rates = {count: rate(batch, worker(batch, TRIAL_SECONDS, count)) for count in (1, os.cpu_count())}
    return max(rates, key=rates.get)


def rate(batch: int, texts: list[list[float]]) -> float:
    """Tokens a second, of texts given as the seconds that each position took for `batch` sequences together."""
    return batch * sum(map(len, texts)) / sum(map(sum, texts))


def by_position(rounds: list[list[list[float]]]) -> list[float]:
    """Milliseconds a position in PARTS equal parts of the text: medians within a part, over all texts of all rounds."""
    texts = list(itertools.chain(*rounds))
    longest = max(map(len, texts))
    edges = [1 + (longest - 1) * part // PARTS for part in range(PARTS + 1)]  # the first reads the prompt
    parts = [[seconds for text in texts for seconds in text[slice(*edge)]] for edge in itertools.pairwise(edges)]
    return [round(median(part) * 1000, 4) for part in parts if part]


def report(rows: list[dict]) -> str:
    names = list(rows[0]["tokens_per_second"])
    head = [
        "",
        *(f"{name} tokens/s" for name in names),
        *(f"times {name}" for name in names[1:]),
        "last part over first",
    ]
    lines = [head]
    for row in rows:
        positions = row["ms by position"]
        label = f"{row['size']}, {row['dtype']}, context {row['context']}, batch {row['batch']}"
        faster = [f"{row['times faster than'][name]:.2f} x" for name in names[1:]]
        curve = f"{positions[-1] / positions[0]:.2f}" if positions else None
        lines.append([label, *row["tokens_per_second"].values(), *faster, curve])
    return common.table(lines)


def shape_of(size: str, context: int) -> dict:
    """What the three models have in common, and under `ours` what ours has beside it."""
    if size == "124m":
        gpt2 = {"position": "learned", "activation": "gelu", "qk_norm": False, "bias": True, "tie_embeddings": True}
        return {"vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": context, "ours": gpt2}
    from dataclasses import asdict

    from config import load_config

    config = load_config("small.yaml")
    shape = asdict(config.model) | {"vocab_size": config.data.vocab_size, "block_size": context}
    common_keys = ("vocab_size", "n_layer", "n_head", "n_embd", "block_size")
    return {key: shape.pop(key) for key in common_keys} | {"ours": shape}


def build(who: str, shape: dict, dtype: str, nanogpt: str | None):
    """The function that writes, `batch` sequences at once, for so many seconds: the seconds of each token, by text.

    Hugging Face's writes by itself, and its tokens get the mean of their text.
    """
    import torch

    from benchmarks import peers
    from common.machine import ONE_THREAD_BELOW

    shape = dict(shape)
    ours = shape.pop("ours")
    context = shape["block_size"]
    torch.manual_seed(0)
    if who == "ours":
        from model import GPT, GPTConfig, generate

        model = GPT(GPTConfig(**shape, **ours))
    elif who == "nanoGPT":
        model = peers.nanogpt_model(nanogpt, **shape)
    else:
        model = peers.hf_model(**shape)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device, getattr(torch, dtype)).eval()
    few = sum(p.numel() for p in model.parameters()) < ONE_THREAD_BELOW
    all_threads = torch.get_num_threads()

    def write(batch, seconds, threads):
        torch.set_num_threads(threads or (1 if few else all_threads))
        idx = torch.zeros(batch, 1, dtype=torch.long, device=device)
        end, texts = time.perf_counter() + seconds, []
        while (left := end - time.perf_counter()) > 0:
            texts.append(at_once(idx, left) if who == "Hugging Face" else timed(one_by_one(idx), end))
        return texts[1:] or texts  # the first wakes up a process that waited

    def at_once(idx, seconds):
        options = {"max_length": context, "do_sample": True, "temperature": 0.8, "top_k": 0, "pad_token_id": 0}
        started = time.perf_counter()
        count = model.generate(idx, attention_mask=torch.ones_like(idx), max_time=seconds, **options).shape[1] - 1
        return [(time.perf_counter() - started) / count] * count

    def timed(tokens, end):
        times, now = [], time.perf_counter()
        for _ in tokens:
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - now)
            now += times[-1]
            if now > end:
                break
        return times

    def one_by_one(idx):
        if who == "ours":
            yield from generate(model, idx, context - 1, temperature=0.8)
        else:
            for _ in range(context - 1):
                idx = model.generate(idx, 1, temperature=0.8)
                yield idx

    return write


if __name__ == "__main__":
    common.run(main)
