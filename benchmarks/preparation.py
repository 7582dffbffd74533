"""Preparation: text to token shards, learning a vocabulary, and what loading batches costs.

  shards      a text of --megabytes is read, cut into tokens and written by data.corpus.load_corpus with a byte-pair
              vocabulary of 1024 learned before; against tiktoken's encode_ordinary_batch on all cores with that
              vocabulary, the text already in memory, 16 MB at a time in pieces of 64 KB, its ids thrown away. Memory is
              the sum of the resident sizes of the process and all its children, read 20 times a second.
  vocabulary  1024 byte pairs learned from 10 MB: data.tokenizer.train_bpe against ByteLevelBPETokenizer of tokenizers
  batches     a batch of configs/small.yaml as a share of its step, against random windows stacked as nanoGPT does
Contestants take turns, each in a process of its own."""

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from benchmarks import common
from benchmarks.common import Worker
from common.arguments import whole_number
from common.machine import available_cores

VOCABULARY, LEARN_BYTES = 1024, 10_000_000
BLOCK, PIECE = 16 << 20, 64 << 10
BATCHES = 20


def main() -> None:
    parser = common.parser(__doc__, "preparation")
    text_help = "UTF-8 text, taken as it is (default: --megabytes of stories)"
    parser.add_argument("--text", type=common.text_file, metavar="FILE", help=text_help)
    parser.add_argument("--megabytes", type=whole_number(1), metavar="N", default=200, help="of stories (default 200)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = common.write_text(folder / "text.txt", args.text, args.megabytes * 1_000_000)
        vocabulary = measure_vocabulary(text, folder / "tokenizer.json", args.repeats)
        results = {"megabytes": round(text.stat().st_size / 1e6), "shards": measure_shards(text, folder, args.repeats)}
    results |= {"vocabulary": vocabulary, "batches": measure_batches(args.repeats)}
    print(report(results))
    common.write_results("preparation", args, results)


def report(results: dict) -> str:
    shards, vocabulary, batches = results["shards"], results["vocabulary"], results["batches"]
    columns = ("seconds", "mb_per_second", "peak_mb")
    rows = [[name, *map(row.get, columns)] for name, row in shards["contestants"].items()]
    writing = common.table([["shards", "seconds", "MB/s", "peak MB"], *rows])
    rate = f"ours at {shards['of tiktoken']:.0%} of tiktoken's rate"
    learning = common.table([["vocabulary of 1024", "seconds"], *vocabulary["seconds"].items()])
    rows = [[name, batches["ms"][name], f"{share:.2%}"] for name, share in batches["share of a step"].items()]
    loading = common.table([["batches of small.yaml", "ms", "of a step"], *rows])
    return f"{writing}\n{rate}\n\n{learning}\n\n{loading}"


# ---- shards


def measure_shards(text: Path, folder: Path, repeats: int) -> dict:
    from config import DataConfig

    config = asdict(DataConfig(source=str(text), tokenizer="bpe", vocab_size=VOCABULARY))
    builds = {"ours": build_ours, "tiktoken": build_tiktoken}
    turns = {name: partial(call_and_watch_memory, build, config, str(folder)) for name, build in builds.items()}
    contestants: dict[str, dict[str, Any]] = {}
    for name, rounds in common.alternate(turns, repeats).items():
        seconds = [measured["seconds"] for measured in rounds]
        row = contestants[name] = {"seconds": median(seconds), "rounds": seconds}
        row["mb_per_second"] = text.stat().st_size / 1e6 / median(seconds)
        row |= {"peak_mb": max(measured["peak_mb"] for measured in rounds), "tokens": rounds[0]["tokens"]}
    share = common.ratio(contestants["ours"]["rounds"], contestants["tiktoken"]["rounds"])
    return {"contestants": contestants, "of tiktoken": share}


def call_and_watch_memory(build: Callable, *options: object) -> dict:
    """What a new worker returns, and its peak_mb: the largest sum of resident memory of it and all its children."""
    import psutil

    worker = Worker(build, *options)
    contestant = psutil.Process(worker.process.pid)
    peak = contestant.memory_info().rss
    with ThreadPoolExecutor(1) as thread:
        call = thread.submit(worker)
        while not wait([call], timeout=0.05).done:
            resident = 0
            with contextlib.suppress(psutil.NoSuchProcess):  # the contestant was killed
                for process in (contestant, *contestant.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                        resident += process.memory_info().rss
            peak = max(peak, resident)
        result = call.result()
    worker.finish()
    return result | {"peak_mb": peak / 1e6}


def build_ours(config: dict, folder: str) -> Callable[[], dict]:
    """`config`: the fields of a DataConfig, whose class would bring torch, and its memory, into this process."""
    from data.corpus import load_corpus
    from data.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(Path(folder) / "tokenizer.json")

    def prepare() -> dict:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            data: Any = SimpleNamespace(**config | {"cache": cache})
            started = time.perf_counter()
            corpus = load_corpus(data, 64, report=lambda line: None, tokenizer=tokenizer)
            seconds = time.perf_counter() - started
            return {"seconds": seconds, "tokens": len(corpus.train) + len(corpus.val)}

    return prepare


def build_tiktoken(config: dict, folder: str) -> Callable[[], dict]:
    import tiktoken

    from data.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(Path(folder) / "tokenizer.json")
    ranks = {token: id for id, token in enumerate(tokenizer.tokens) if token}
    encoding = tiktoken.Encoding("peer", pat_str=str(tokenizer.pattern), mergeable_ranks=ranks, special_tokens={})

    def encode() -> dict:
        seconds, tokens = 0.0, 0
        with open(config["source"], encoding="utf-8") as file:
            while lines := file.readlines(BLOCK):
                block = "".join(lines)
                pieces = [block[at : at + PIECE] for at in range(0, len(block), PIECE)]
                started = time.perf_counter()
                ids = encoding.encode_ordinary_batch(pieces, num_threads=available_cores())
                seconds += time.perf_counter() - started
                tokens += sum(map(len, ids))
        return {"seconds": seconds, "tokens": tokens}

    return encode


# ---- vocabulary


def measure_vocabulary(text: Path, path: Path, repeats: int) -> dict:
    """Seconds to learn it, by contestant; ours is left at `path`."""
    workers = {owner: Worker(build_learner, owner, str(text), str(path)) for owner in ("ours", "tokenizers")}
    rounds = common.alternate(workers, repeats)
    for worker in workers.values():
        worker.finish()
    faster = common.ratio(rounds["ours"], rounds["tokenizers"])
    seconds = {owner: median(times) for owner, times in rounds.items()}
    return {"seconds": seconds, "times faster": faster, "rounds": rounds}


def build_learner(owner: str, text: str, path: str) -> Callable[[], float]:
    from tokenizers import ByteLevelBPETokenizer

    from data.pieces import pieces
    from data.tokenizer import train_bpe

    with open(text, encoding="utf-8") as file:
        texts = list(pieces([file.read(LEARN_BYTES)]))

    def learn() -> float:
        started = time.perf_counter()
        if owner == "ours":
            tokenizer = train_bpe(texts, VOCABULARY)
        else:
            ByteLevelBPETokenizer().train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
        seconds = time.perf_counter() - started
        if owner == "ours":
            tokenizer.save(path)
        return seconds

    return learn


# ---- batches


def measure_batches(repeats: int) -> dict:
    worker = Worker(build_batches)
    worker()  # warms up
    rounds = [worker() for _ in range(repeats)]
    worker.finish()
    seconds = {name: median(measured[name] for measured in rounds) for name in rounds[0]}
    shares = {name: value / seconds["step"] for name, value in seconds.items()}
    return {"ms": {name: value * 1000 for name, value in seconds.items()}, "share of a step": shares}


def build_batches() -> Callable[[], dict[str, float]]:
    """A function that measures seconds of a step of small.yaml, of its batch alone and of a batch as nanoGPT's."""
    import numpy as np
    import torch

    from benchmarks import peers
    from benchmarks.step import Stream, configured_step, mean_seconds
    from config import load_config
    from data.batches import Batches

    config = load_config("small.yaml")
    step, _ = configured_step(config, "cpu")
    size, block_size = config.train.batch_size, config.model.block_size
    data = np.zeros(1_000_000, np.uint16)
    batches = Batches(Stream(data), block_size, seed=0)  # type: ignore[arg-type]
    starts = itertools.cycle(range(0, BATCHES * size, size))
    functions: dict[str, Callable] = {
        "ours": lambda: torch.from_numpy(batches.windows(next(starts), size)),
        "nanoGPT's": lambda: peers.get_batch(data, block_size, size),
        "step": step,
    }
    return lambda: {name: mean_seconds(function, BATCHES) for name, function in functions.items()}


if __name__ == "__main__":
    common.run(main)
