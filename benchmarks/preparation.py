"""Preparation: text to token shards, learning a vocabulary, and what loading batches costs.

  shards      a text of --megabytes read, cut into tokens and written by data.corpus.load_corpus, its byte-pair
              vocabulary of 1024 given; against tiktoken's encode_ordinary_batch on all cores with that vocabulary, the
              text already in memory, 16 MB at a time in pieces of 64 KB, its ids thrown away. Memory is that of the
              process and all its children together, resident sizes added, looked at 20 times a second.
  vocabulary  1024 byte pairs learned from 10 MB: data.tokenizer.train_bpe against ByteLevelBPETokenizer of tokenizers
  batches     a batch of configs/small.yaml as a share of its step, against random windows stacked as nanoGPT does
Alternating; everything is in processes of its own."""

import contextlib
import os
import tempfile
import time
from pathlib import Path

from benchmarks import common
from benchmarks.common import Worker, median
from common.errors import InputError, RunError

VOCABULARY, LEARN_BYTES = 1024, 10_000_000
BLOCK, PIECE = 16 << 20, 64 << 10
BATCHES = 20


def main():
    parser = common.parser(__doc__, "preparation")
    parser.add_argument(
        "--text", metavar="FILE", help="UTF-8 text, said again until it is large enough (default: stories)"
    )
    parser.add_argument("--megabytes", type=int, default=200, help="of the text (default 200)")
    args = common.parsed(parser)
    if args.megabytes < 1:
        raise InputError(f"--megabytes {args.megabytes}: at least 1 expected")
    machine = common.machine()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        text = common.write_text(folder / "text.txt", args.text, args.megabytes * 1_000_000)
        vocabulary = measure_vocabulary(text, folder / "tokenizer.json", args.repeats)
        shards = measure_shards(text, folder, args.repeats)
    batches = measure_batches(args.repeats)
    print(report(vocabulary, shards, batches))
    results = {"megabytes": args.megabytes, "shards": shards, "vocabulary": vocabulary, "batches": batches}
    common.write_results("preparation", args, machine, results)


def report(vocabulary: dict, shards: dict, batches: dict) -> str:
    rows = [["shards", "seconds", "MB/s", "peak MB"]]
    rows += [
        [name, row["seconds"], row["mb_per_second"], row["peak_mb"]] for name, row in shards["contestants"].items()
    ]
    more = [["vocabulary of 1024", "seconds"], *vocabulary["seconds"].items()]
    loading = [["batches of small.yaml", "ms", "of a step"]]
    loading += [[name, batches["ms"][name], f"{share:.2%}"] for name, share in batches["share of a step"].items()]
    rate = f"ours at {shards['of tiktoken']:.0%} of tiktoken's rate"
    return "\n\n".join([common.table(rows) + f"\n{rate}", common.table(more), common.table(loading)])


# ---- shards


def measure_shards(text: Path, folder: Path, repeats: int) -> dict:
    turns = {
        "ours": lambda: watched(build_ours, str(text), str(folder)),
        "tiktoken": lambda: watched(build_tiktoken, str(text), str(folder)),
    }
    rounds = common.alternate(turns, repeats)
    megabytes, contestants = text.stat().st_size / 1e6, {}
    for name, found in rounds.items():
        seconds = [one["seconds"] for one in found]
        contestants[name] = {
            "seconds": median(seconds),
            "rounds": seconds,
            "mb_per_second": megabytes / median(seconds),
        }
        contestants[name]["peak_mb"] = max(one["peak_mb"] for one in found)
        contestants[name]["tokens"] = found[0]["tokens"]
    share = common.ratio(contestants["ours"]["rounds"], contestants["tiktoken"]["rounds"])
    return {"contestants": contestants, "of tiktoken": share}


def watched(build, *options) -> dict:
    """What a new worker returns, and its peak_mb: the largest sum of resident memory of it and all its children."""
    import psutil

    worker = Worker(build, *options)
    process = psutil.Process(worker.process.pid)
    peak = process.memory_info().rss
    worker.ask()
    while not worker.connection.poll(0.05):
        resident = 0
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                resident += one.memory_info().rss
        peak = max(peak, resident)
    found = worker.answer()
    worker.finish()
    return found | {"peak_mb": peak / 1e6}


def build_ours(text: str, folder: str):
    from config import DataConfig
    from data.corpus import load_corpus
    from data.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(Path(folder) / "tokenizer.json")

    def prepare():
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            config = DataConfig(source=text, tokenizer="bpe", vocab_size=VOCABULARY, cache=cache)
            started = time.perf_counter()
            corpus = load_corpus(config, 64, report=lambda line: None, tokenizer=tokenizer)
            seconds = time.perf_counter() - started
            return {"seconds": seconds, "tokens": len(corpus.train) + len(corpus.val)}

    return prepare


def build_tiktoken(text: str, folder: str):
    import tiktoken

    from data.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(Path(folder) / "tokenizer.json")
    ranks = {token: id for id, token in enumerate(tokenizer.tokens) if token}
    encoding = tiktoken.Encoding("peer", pat_str=tokenizer.pattern, mergeable_ranks=ranks, special_tokens={})

    def encode():
        seconds, tokens = 0.0, 0
        with open(text, encoding="utf-8") as file:
            while lines := file.readlines(BLOCK):
                block = "".join(lines)
                pieces = [block[at : at + PIECE] for at in range(0, len(block), PIECE)]
                started = time.perf_counter()
                ids = encoding.encode_ordinary_batch(pieces, num_threads=os.cpu_count())
                seconds += time.perf_counter() - started
                tokens += sum(map(len, ids))
        return {"seconds": seconds, "tokens": tokens}

    return encode


# ---- vocabulary


def measure_vocabulary(text: Path, path: Path, repeats: int) -> dict:
    """Seconds to learn it, by contestant; ours is left at `path`."""
    workers = {who: Worker(build_learner, who, str(text), str(path)) for who in ("ours", "tokenizers")}
    rounds = common.alternate(workers, repeats)
    for worker in workers.values():
        worker.finish()
    if not path.exists():
        raise RunError("no vocabulary was learned")
    faster = common.ratio(rounds["ours"], rounds["tokenizers"])
    return {"seconds": {who: median(times) for who, times in rounds.items()}, "times faster": faster, "rounds": rounds}


def build_learner(who: str, text: str, path: str):
    from tokenizers import ByteLevelBPETokenizer

    from data.pieces import pieces
    from data.tokenizer import train_bpe

    with open(text, encoding="utf-8") as file:
        texts = list(pieces([file.read(LEARN_BYTES)]))

    def learn():
        started = time.perf_counter()
        if who == "ours":
            learned = train_bpe(texts, VOCABULARY)
        else:
            ByteLevelBPETokenizer().train_from_iterator(texts, vocab_size=VOCABULARY, show_progress=False)
        seconds = time.perf_counter() - started
        if who == "ours":
            learned.save(path)
        return seconds

    return learn


# ---- batches


def measure_batches(repeats: int) -> dict:
    worker = Worker(build_batches)
    rounds = {name: [] for name in worker()}  # warms up
    for _ in range(repeats):
        for name, seconds in worker().items():
            rounds[name].append(seconds)
    worker.finish()
    found = {name: median(seconds) for name, seconds in rounds.items()}
    step = found["step"]
    shares = {name: seconds / step for name, seconds in found.items()}
    return {"ms": {name: seconds * 1000 for name, seconds in found.items()}, "share of a step": shares}


def build_batches():
    """The function that measures seconds of a step of small.yaml, of its batch alone and of a batch as nanoGPT's."""
    import numpy as np
    import torch

    from benchmarks import peers
    from benchmarks.step import Stream, configured_step
    from data.batches import Batches

    step, _, config = configured_step("small.yaml", "cpu")
    size, block_size = config.train.batch_size, config.model.block_size
    data = np.zeros(1_000_000, np.uint16)
    batches = Batches(Stream(data), block_size, seed=0)
    functions = {
        "ours": lambda number: torch.from_numpy(batches.windows(number * size, size)),
        "nanoGPT's": lambda number: peers.get_batch(data, block_size, size),
        "step": lambda number: step(),
    }

    def run():
        found = {}
        for name, function in functions.items():
            started = time.perf_counter()
            for number in range(BATCHES):
                function(number)
            found[name] = (time.perf_counter() - started) / BATCHES
        return found

    return run


if __name__ == "__main__":
    common.run(main)
