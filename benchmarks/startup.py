"""Start-up: seconds from the start of a process to its first result. Whole processes, alternating.

train.py, first step      --config small.yaml, its tokens in the cache: the line of the first step in metrics.jsonl,
                          after the evaluation and the recording of the untrained model; no compiled code is reused
train.py, first figures   the line before it, of the untrained model
sample.py, first token    the first byte on stdout, without a prompt
view.py, page             the end of the process, which has written the page
import torch              a peer of all: nothing else in the process
Hugging Face, first step  the plainest loop with GPT2LMHeadModel on characters (benchmarks/peers.py), its first
                          evaluation taken off"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import common
from benchmarks.common import run_process


def main() -> None:
    parser = common.parser(__doc__, "startup", repeats=5)
    parser.add_argument("--config", metavar="FILE", default="small.yaml", help="of train.py (default %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = common.write_text(folder / "text.txt", None, 200_000)
        run = folder / "trained"
        train = [sys.executable, "train.py", "--config", args.config, "--data.cache", folder / "cache"]
        run_process([*train, "--train.steps", 2, "--train.log_every", 1, "--run", run])  # fills the cache
        contestants: dict[str, Callable[[], Any]] = {
            "train.py": lambda: first_step(train),
            "sample.py, first token": lambda: first_byte([sys.executable, "sample.py", run]),
            "view.py, page": lambda: run_process([sys.executable, "view.py", run, "--no-open"]).seconds,
            "import torch": lambda: first_byte([sys.executable, "-c", "import torch; print()"]),
            "Hugging Face, first step": lambda: hugging_face(text),
        }
        rounds = common.alternate(contestants, args.repeats)
    figures, steps = zip(*rounds.pop("train.py"), strict=True)
    rounds = {"train.py, first figures": list(figures), "train.py, first step": list(steps)} | rounds
    seconds = {name: median(values) for name, values in rounds.items()}
    bare = rounds["import torch"]
    rows = [[name, value, f"{common.ratio(bare, rounds[name]):.2f}"] for name, value in seconds.items()]
    print(common.table([["", "seconds", "times import torch"], *rows]))
    faster = common.ratio(rounds["train.py, first step"], rounds["Hugging Face, first step"])
    results = {"seconds": seconds, "rounds": rounds, "times faster than Hugging Face": faster}
    common.write_results("startup", args, results)


def first_step(train: list) -> tuple[float, float]:
    """Seconds to the line of the untrained model and to that of the first step, at which the run is ended."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [*train, "--train.log_every", 1, "--run", run]
        done = run_process(command, watch=run / "metrics.jsonl", until=lambda text: text.count("\n") > 1)
        at = {json.loads(line)["step"]: seconds for seconds, line in done.lines()}
    return at[0], at[1]


def first_byte(command: list) -> float:
    return run_process(command, until=bool).events[0][0]


def hugging_face(text: Path) -> float:
    """Seconds to the end of the first step, without those of the evaluation before it."""
    done = run_process([sys.executable, "-m", "benchmarks.peers", "train", text, 1])
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines() if line.startswith("{")]
    evaluating = next(line["evaluating"] for _, line in lines if line["step"] == 0)
    return next(seconds for seconds, line in lines if "train_loss" in line) - evaluating


if __name__ == "__main__":
    common.run(main)
