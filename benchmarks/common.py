"""What the benchmarks share: options, processes that are measured, rounds, ratios, tables, results."""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, TypeVar

from common.arguments import Arguments, whole_number
from common.errors import InputError, RunError, run_script
from common.machine import available_cores, processor
from common.terminal import use_utf8

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.01  # between two looks at a watched process: the error of its times
MAX_STORY_BYTES = 10_000_000  # a longer text repeats its stories

LOAD_AVERAGE = round(os.getloadavg()[0], 2)  # before anything is measured

Result = TypeVar("Result")


# ---- options


def parser(doc: str, name: str, repeats: int = 3) -> Arguments:
    """The options of all benchmarks. `doc`: what --help begins with."""
    arguments = Arguments(
        prog=f"python -m benchmarks.{name}",
        description=f"{doc}\n\nRun it from the project's root, with nothing else running.",
    )
    rounds = f"rounds of all contestants (default {repeats})"
    arguments.add_argument("--repeats", type=whole_number(1), metavar="N", default=repeats, help=rounds)
    out = f"benchmarks/results/{name}.json"
    arguments.add_argument("--out", metavar="FILE", default=out, help="where the results go (default %(default)s)")
    return arguments


def add_nanogpt(arguments: Arguments) -> None:
    arguments.add_argument("--nanogpt", type=checkout, metavar="PATH", help="a checkout of nanoGPT to measure too")


def checkout(path: str) -> str:
    """A type for `add_argument`: a checkout of nanoGPT."""
    if not all(Path(path, name).is_file() for name in ("train.py", "model.py", "configurator.py")):
        raise argparse.ArgumentTypeError(f"{path}: no nanoGPT there; a checkout with train.py and model.py expected")
    return path


def text_file(path: str) -> str:
    """A type for `add_argument`: a file that is there."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{path}: no such file")
    return path


def run(main: Callable[[], None]) -> None:
    """Calls `main` as the project's scripts are called, and ends contestants that a failure has left."""
    use_utf8()
    try:
        run_script(main)
    finally:
        for process in multiprocessing.active_children():
            process.kill()


def write_text(path: Path, source: str | None, n_bytes: int) -> Path:
    """Writes the text to measure on: the file `source` without byte-order mark and carriage returns, or else stories.

    Stories are drawn from the embedded grammar up to MAX_STORY_BYTES, then repeated until there are `n_bytes`.
    """
    if source:
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except ValueError as error:
            raise InputError(f"--text {source}: not UTF-8 ({error})") from None
    else:
        from data.tales.stories import stories

        lines, size = [], 0
        for story in stories(sys.maxsize):
            lines.append(story.text + "\n")
            size += len(lines[-1])  # stories are ASCII
            if size >= min(n_bytes, MAX_STORY_BYTES):
                break
        text = "".join(lines) * -(-n_bytes // size)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- contestants

# What makes this processor one like most people's: neither AVX512 nor products in bfloat16.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def processors() -> dict[str, dict[str, str]]:
    """The kinds of processor that this one can be, by what is added to a name: variables that make it so."""
    import torch

    return {"": {}} | ({", AVX2": AVX2} if torch.backends.cpu.get_cpu_capability() == "AVX512" else {})


def alternate(contestants: Mapping[str, Callable[[], Result]], repeats: int) -> dict[str, list[Result]]:
    """What each contestant returns in `repeats` rounds of all: a disturbance of one contestant meets its peers too."""
    results: dict[str, list[Result]] = {name: [] for name in contestants}
    for number in range(repeats):
        for name, measure in contestants.items():
            started = time.perf_counter()
            results[name].append(measure())
            say(f"round {number + 1} of {repeats}  {name:<28} {time.perf_counter() - started:8.1f} s")
    return results


@dataclass
class Finished:
    """A process that has ended: its wall time, its peak resident memory, what it printed, its CPU time.

    events: (seconds since the process began, text) for each time that the watched file had grown.
    """

    seconds: float
    peak_mb: float
    output: str
    events: list[tuple[float, str]] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def lines(self) -> list[tuple[float, str]]:
        """Whole lines of the watched file, each with the time at which its end was there."""
        lines, rest = [], ""
        for seconds, text in self.events:
            *whole, rest = (rest + text).split("\n")
            lines += [(seconds, line) for line in whole]
        return lines


def run_process(
    command: list,
    *,
    cwd: Path = ROOT,
    environment: Mapping[str, str] = MappingProxyType({}),
    watch: Path | None = None,
    until: Callable[[str], bool] | None = None,
) -> Finished:
    """Runs a command from its start to its end, reading the file `watch` (default: what it prints) as it grows.

    environment: variables besides those of this process. until(text): ends the process as soon as it is true for all
    that was read. Compiled code is not taken from earlier runs, so that compiling is part of the time. Raises RunError
    with the last lines of a command that fails.
    """
    command = [str(part) for part in command]
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder) / "stdout", Path(folder) / "stderr"
        watch, events, size = watch or stdout, [], 0
        env = os.environ | environment
        env |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "TORCHINDUCTOR_CACHE_DIR": folder}
        with open(stdout, "wb") as out, open(stderr, "wb") as err:
            started = time.perf_counter()
            process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            pid = killed = 0
            try:
                while not pid:
                    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                    seconds = time.perf_counter() - started
                    if watch.exists() and watch.stat().st_size > size:
                        with open(watch, "rb") as file:
                            file.seek(size)
                            new = file.read()
                        size += len(new)
                        events.append((seconds, new.decode("utf-8", "replace")))
                        if not pid and until and until("".join(text for _, text in events)):
                            os.kill(process.pid, signal.SIGKILL)  # Popen's own would wait for one that has just ended
                            killed, until = True, None
                    if not pid:
                        time.sleep(POLL_SECONDS)
            finally:
                if not pid:  # interrupted
                    process.kill()
            process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has it, so Popen must not wait again
        printed, errors = (path.read_text(encoding="utf-8", errors="replace") for path in (stdout, stderr))
    if process.returncode != 0 and not killed:
        shown = " ".join(Path(part).name if os.path.isabs(part) else part for part in command)
        tail = "\n".join((printed + errors).splitlines()[-12:])
        raise RunError(f"{shown}: ended with {process.returncode}\n{tail}")
    return Finished(seconds, peak_mb(usage), printed, events, usage.ru_utime + usage.ru_stime)


def save_plot(figure: Any, path: Path) -> None:
    """Writes a figure of matplotlib's as a picture, its panels with a faint grid and open at the top and right."""
    for axes in figure.axes:
        axes.grid(color="#eeeeee", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    say(f"{path} is written")


class Worker:
    """A contestant that stays in memory between its rounds, in a process of its own that waits without computing.

    `build(*options)` is called there and returns the function that a call of the worker calls. RunError where either
    fails, or where the process is killed.
    """

    def __init__(self, build: Callable, *options: object) -> None:
        self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        pid = self.pool.submit(os.getpid).result()
        (self.process,) = (process for process in multiprocessing.active_children() if process.pid == pid)
        self._call(build_in_worker, build, *options)

    def __call__(self, *arguments: object) -> Any:
        return self._call(measure_in_worker, *arguments)

    def finish(self) -> float:
        """Ends it and returns its peak resident memory in MB."""
        usage = self._call(resource.getrusage, resource.RUSAGE_SELF)
        self.pool.shutdown()
        return peak_mb(usage)

    def _call(self, function: Callable, *arguments: object) -> Any:
        try:
            return self.pool.submit(function, *arguments).result()
        except BrokenProcessPool:
            self.pool.shutdown()  # which waits for the exit code
            raise RunError(f"a contestant ended with {self.process.exitcode}; out of memory?") from None


measured: Callable  # in a worker's process: what its contestant's `build` has returned


def build_in_worker(build: Callable, *options: object) -> None:
    """In a worker's process: `build` the function to measure. What it prints is not part of the benchmark's tables."""
    global measured
    sys.stdout = None
    threading.Thread(target=end_with_benchmark, daemon=True).start()
    measured = with_plain_errors(build, *options)


def end_with_benchmark() -> None:
    """In a worker's process, which would wait forever where the benchmark is killed."""
    benchmark = multiprocessing.parent_process()
    if benchmark:
        benchmark.join()
        os._exit(1)


def measure_in_worker(*arguments: object) -> Any:
    return with_plain_errors(measured, *arguments)


def with_plain_errors(function: Callable, *arguments: object) -> Any:
    """Calls it. Its errors become RunErrors: unlike many of torch's, they can be passed on to another process."""
    try:
        return function(*arguments)
    except Exception as error:
        raise RunError(f"{type(error).__name__}: {error}") from None


def peak_mb(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kilobytes elsewhere


# ---- results


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times as long theirs take: the median over rounds, since a disturbed round disturbs both."""
    return median(their / our for our, their in zip(ours, theirs, strict=True))


def table(rows: Iterable[Iterable]) -> str:
    """Rows of cells as text: the first column to the left, numbers to the right."""
    texts = [
        [cell if isinstance(cell, str) else "-" if cell is None else f"{cell:,.4g}" for cell in row] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join([first.ljust(widths[0]), *map(str.rjust, cells, widths[1:])]) for first, *cells in texts)


def machine() -> dict:
    """The hardware, the system and the versions measured on. No name of the machine and no path."""
    packages = ("torch", "transformers", "tokenizers", "tiktoken", "numpy")
    return {
        "cpu": processor(),
        "cores": available_cores(),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "load_average": LOAD_AVERAGE,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version_of(name) for name in packages},
    }


def version_of(package: str) -> str | None:
    """None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def options_of(args: argparse.Namespace) -> dict:
    """The options as typed, files only by their names; of nanoGPT the commit."""
    options = {name: Path(value).name if isinstance(value, str) else value for name, value in vars(args).items()}
    if options.get("nanogpt"):
        command = ["git", "-C", args.nanogpt, "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()
        options["nanogpt"] = commit or "no git there"
    return options


def write_results(name: str, args: argparse.Namespace, results: dict) -> None:
    """Writes --out: the machine, the options and `results`."""
    path = Path(args.out)
    body = {"benchmark": name, "date": str(date.today()), "machine": machine(), "options": options_of(args)} | results
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror})") from None
    say(f"{path} is written")
