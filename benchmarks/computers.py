"""What becomes of our speed on other computers than this one, and beside other work.

Every contestant is a process as its user starts it, as it is here and then
  limited to AVX2     as most processors are: no AVX512, no products in bfloat16 (where this one has AVX512)
  on one core         by taskset (where that is installed)
  beside one, two     so many processes that keep a core busy, at the same priority
Training is measured in tokens a second, over --steps steps after the first two, without evaluations; sample.py (300
tokens after a run of small.yaml) and view.py (a prompt of 100 characters at two snapshots) in seconds of the whole
process. With --nanogpt its train.py with the laptop recipe and its sample.py (300 characters) beside them."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from benchmarks import common
from benchmarks.common import run_process
from benchmarks.contestants import NANOGPT_LAPTOP, length, prepare_nanogpt
from common.arguments import whole_number
from config import load_config

CONFIGS = ("small.yaml", "fast.yaml", "text.yaml", "best.yaml")
NANOGPT_TOKENS = 12 * 64  # of a step of its laptop recipe
SKIPPED = 2  # steps in which PyTorch warms up
PROMPT = "Once upon a time there lived a proud crow called Little Muffin. Home for Little Muffin was a house n"


class Conditions(NamedTuple):
    """What surrounds a contestant."""

    environment: Mapping[str, str] = MappingProxyType({})
    prefix: tuple[str, ...] = ()
    busy: int = 0  # other processes


def main() -> None:
    parser = common.parser(__doc__, "computers", repeats=2)
    parser.add_argument("--text", type=common.text_file, metavar="FILE", help="UTF-8 text (default: the stories)")
    parser.add_argument("--steps", type=whole_number(1), default=20, help="that are measured (default 20)")
    common.add_nanogpt(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        contestants = make_contestants(Path(name), args.text, args.nanogpt, args.steps)
        conditions = all_conditions()
        turns = {
            (what, where): partial(measure, run, surroundings)
            for where, surroundings in conditions.items()
            for what, (run, _) in contestants.items()
        }
        rounds = common.alternate({f"{what}, {where}": turn for (what, where), turn in turns.items()}, args.repeats)
    rows = {
        what: {where: median(rounds[f"{what}, {where}"]) for where in conditions} | {"unit": unit}
        for what, (_, unit) in contestants.items()
    }
    print(
        common.table(
            [["", "", *conditions]] + [[what, row["unit"], *map(row.get, conditions)] for what, row in rows.items()]
        )
    )
    common.write_results("computers", args, {"rows": rows, "rounds": rounds})


def all_conditions() -> dict[str, Conditions]:
    conditions = {"this processor": Conditions()}
    if avx2 := common.processors().get(", AVX2"):
        conditions["AVX2"] = Conditions(environment=avx2)
    if shutil.which("taskset"):
        conditions["one core"] = Conditions(prefix=("taskset", "-c", str(min(os.sched_getaffinity(0)))))
    return conditions | {"beside one": Conditions(busy=1), "beside two": Conditions(busy=2)}


def measure(run: Callable[[Conditions], float], conditions: Conditions) -> float:
    with busy_processes(conditions.busy):
        return run(conditions)


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that compute, one core each if they get it."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


# ---- contestants: each is run under some Conditions and returns its figure, whose unit stands with it


def make_contestants(
    folder: Path, text: str | None, nanogpt: str | None, steps: int
) -> dict[str, tuple[Callable[[Conditions], float], str]]:
    source = common.write_text(folder / "text.txt", text, 1_000_000)
    small = folder / "small"
    options = ["--train.steps", 2, "--train.warmup_steps", 1, "--attention.snapshots", 2]
    run_process([sys.executable, "train.py", "--run", small, "--data.cache", folder / "cache", *options])
    contestants: dict[str, tuple[Callable[[Conditions], float], str]] = {
        name.removesuffix(".yaml"): (partial(train, name, source, folder, steps), "tokens/s") for name in CONFIGS
    }
    if nanogpt:
        checkout = prepare_nanogpt(nanogpt, source, folder / "nanogpt")
        run_process(nanogpt_command(1, "--eval_interval=1", "--always_save_checkpoint=True"), cwd=checkout)
        contestants["nanoGPT, laptop recipe"] = partial(train_nanogpt, checkout, steps), "tokens/s"
    sample = ["sample.py", small, "--tokens", 300, "--ignore-end", "--seed", 1]
    contestants["sample.py"] = partial(seconds, common.ROOT, sample), "s"
    if nanogpt:
        options = ["--out_dir=out-shakespeare-char", "--device=cpu", "--num_samples=1", "--max_new_tokens=300"]
        contestants["nanoGPT, sample.py"] = partial(seconds, checkout, ["sample.py", *options]), "s"
    view = ["view.py", small, "--prompt", PROMPT, "--no-open", "--out", folder / "page.html"]
    contestants["view.py"] = partial(seconds, common.ROOT, view), "s"
    return contestants


def train(config: str, source: Path, folder: Path, steps: int, conditions: Conditions) -> float:
    """Tokens a second of train.py, from the lines of its metrics.jsonl."""
    c = load_config(config)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run = Path(name) / "run"
        options = ["--run", run, "--data.cache", folder / "cache", "--train.steps", max(c.train.steps, 9 * steps)]
        if c.data.source != "tales":
            options += ["--data.source", source]
        options += ["--train.eval_every", 10**6, "--train.eval_tokens", 4096, "--train.sample_tokens", 0]
        options += ["--train.log_every", 1, "--train.compile", "false", "--attention.snapshots", 0]
        command = [*conditions.prefix, sys.executable, "train.py", "--config", config, *options]
        last = SKIPPED + steps
        done = run_process(
            command,
            environment=conditions.environment,
            watch=run / "metrics.jsonl",
            until=lambda text: text.count("\n") > last,  # the first line is that of step 0
        )
    at = [seconds for seconds, _ in done.lines()]
    return steps * c.train.batch_size * c.model.block_size / (at[last] - at[SKIPPED])


def nanogpt_command(steps: int, *options: str) -> list:
    recipe = [*NANOGPT_LAPTOP.split(), *length(steps), "--log_interval=1", *options]
    return [sys.executable, "train.py", "config/train_shakespeare_char.py", *recipe, "--eval_iters=1"]


def train_nanogpt(checkout: Path, steps: int, conditions: Conditions) -> float:
    """Tokens a second of its train.py, from the lines that it prints."""
    last = SKIPPED + 2 * steps  # its steps are short
    done = run_process(
        [*conditions.prefix, *nanogpt_command(2000, "--eval_interval=2000")],
        cwd=checkout,
        environment=conditions.environment,
        until=lambda text: text.count("\niter ") > last,
    )
    at = [seconds for seconds, line in done.lines() if line.startswith("iter ")]
    return 2 * steps * NANOGPT_TOKENS / (at[last] - at[SKIPPED])


def seconds(cwd: Path, command: list, conditions: Conditions) -> float:
    """Those of a script's whole process."""
    command = [*conditions.prefix, sys.executable, *command]
    return run_process(command, cwd=cwd, environment=conditions.environment).seconds


if __name__ == "__main__":
    common.run(main)
