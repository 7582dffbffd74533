"""What the benchmarks share: contestants in processes of their own, alternating rounds, medians, tables, results."""

import importlib.metadata
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from common.arguments import Arguments
from common.errors import InputError, RunError, run_script

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.01  # how often a process that is watched is looked at: the error of its times


# ---- what is asked


def parser(doc: str, name: str, repeats: int = 3) -> Arguments:
    """The options that all benchmarks have. `doc`: what --help begins with."""
    made = Arguments(
        prog=f"python -m benchmarks.{name}",
        description=f"{doc}\n\nRun it from the project's root, with nothing else running.",
    )
    made.add_argument("--repeats", type=int, default=repeats, help=f"rounds of all contestants (default {repeats})")
    made.add_argument("--out", default=f"benchmarks/results/{name}.json", help="the results (default %(default)s)")
    return made


def run(main) -> None:
    """Calls `main` as the project's scripts are, and ends contestants that a failure has left."""
    try:
        run_script(main)
    finally:
        for process in multiprocessing.active_children():
            process.kill()


def add_nanogpt(made: Arguments) -> None:
    made.add_argument("--nanogpt", metavar="PATH", help="also measure the checkout of nanoGPT there")


def parsed(made: Arguments):
    """The options. Raises InputError for what cannot be measured: no rounds, no nanoGPT at its path, no such text."""
    args = made.parse_args()
    if args.repeats < 1:
        raise InputError(f"--repeats {args.repeats}: at least 1 expected")
    path = getattr(args, "nanogpt", None)
    if path is not None and not all(Path(path, name).is_file() for name in ("train.py", "model.py", "configurator.py")):
        raise InputError(f"--nanogpt {path}: no nanoGPT there; a checkout with train.py and model.py expected")
    text = getattr(args, "text", None)
    if text is not None and not Path(text).is_file():
        raise InputError(f"--text {text}: no such file")
    return args


def write_text(path: Path, source: str | None, n_bytes: int) -> Path:
    """The text to measure on, at `path`: the file `source` without byte-order mark and carriage returns, or stories.

    Stories are drawn from the embedded grammar until there are `n_bytes`, at most 10 MB, then said again.
    """
    if source:
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except ValueError as error:
            raise InputError(f"--text {source}: not UTF-8 ({error})") from None
    else:
        from data.tales.stories import stories

        found, size = [], 0
        for story in stories(sys.maxsize):
            found.append(story.text + "\n")
            size += len(found[-1])  # stories are ASCII
            if size >= min(n_bytes, 10_000_000):
                break
        text = "".join(found) * -(-n_bytes // size)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- contestants


def alternate(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, list]:
    """What each contestant returns, `repeats` times, all of them once a round: what disturbs one disturbs its peers."""
    found = {name: [] for name in contestants}
    for number in range(repeats):
        for name, measure in contestants.items():
            started = time.perf_counter()
            found[name].append(measure())
            say(f"round {number + 1} of {repeats}  {name:<28} {time.perf_counter() - started:8.1f} s")
    return found


@dataclass
class Finished:
    """A process that has ended: its wall time, its largest resident memory, and what it wrote, with when.

    events: (seconds since the process began, text) of what was found new in the watched file.
    """

    seconds: float
    peak_mb: float
    output: str
    events: list[tuple[float, str]] = field(default_factory=list)

    def lines(self) -> list[tuple[float, str]]:
        """Whole lines of the watched file, each with the time at which its end was there."""
        found, rest = [], ""
        for seconds, text in self.events:
            *whole, rest = (rest + text).split("\n")
            found += [(seconds, line) for line in whole]
        return found


def run_process(command: list, *, cwd=ROOT, watch: Path | None = None, until=None) -> Finished:
    """Runs a command from its start to its end, looking at the file `watch` (default: what it prints) as it grows.

    until(text): ends the process as soon as it is true of all that was found. Compiled code is not taken from earlier
    runs, so that compiling is part of the time. Raises RunError with the last lines of one that fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        printed, errors = Path(folder) / "printed", Path(folder) / "errors"
        watch, events, seen = watch or printed, [], 0
        variables = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "TORCHINDUCTOR_CACHE_DIR": folder}
        with open(printed, "wb") as out, open(errors, "wb") as err:
            started = time.perf_counter()
            process = subprocess.Popen(
                list(map(str, command)), cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
            pid = killed = 0
            try:
                while not pid:
                    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                    seconds = time.perf_counter() - started
                    if watch.exists() and watch.stat().st_size > seen:
                        with open(watch, "rb") as file:
                            file.seek(seen)
                            new = file.read()
                        seen += len(new)
                        events.append((seconds, new.decode("utf-8", "replace")))
                        if not pid and until and until("".join(text for _, text in events)):
                            process.kill()
                            killed, until = True, None
                    if not pid:
                        time.sleep(POLL_SECONDS)
            finally:
                if not pid:  # stopped while waiting
                    process.kill()
            process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for, Popen need not
        said, complaints = (path.read_text(encoding="utf-8", errors="replace") for path in (printed, errors))
    if process.returncode != 0 and not killed:
        shown = " ".join(Path(part).name if os.path.isabs(part) else part for part in map(str, command))
        tail = "\n".join((said + complaints).splitlines()[-12:])
        raise RunError(f"{shown}: ended with {process.returncode}\n{tail}")
    return Finished(seconds, peak_mb(usage), said, events)


class Worker:
    """A contestant that stays in memory between its rounds, in a process of its own that waits without computing.

    `build(*options)` is called there and returns the function that a call of the worker calls.
    """

    def __init__(self, build: Callable, *options):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, build, options))
        self.process.start()
        theirs.close()
        self.answer()

    def __call__(self, *arguments):
        self.ask(*arguments)
        return self.answer()

    def ask(self, *arguments) -> None:
        self.connection.send(arguments)

    def answer(self):
        """What the contestant returned. Raises RunError where it failed."""
        try:
            failed, value = self.connection.recv()
        except EOFError:
            self.process.join()
            raise RunError(f"a contestant ended with {self.process.exitcode}; out of memory?") from None
        if failed:
            raise RunError(value)
        return value

    def finish(self) -> float:
        """Ends it and returns its largest resident memory in MB."""
        self.connection.send(None)
        peak = self.answer()
        self.process.join()
        return peak


def serve(connection, build: Callable, options: tuple) -> None:
    """The process of a Worker. What it prints is not part of the benchmark's tables."""
    sys.stdout = None
    try:
        function = build(*options)
        connection.send((False, None))
        while (arguments := connection.recv()) is not None:
            connection.send((False, function(*arguments)))
        connection.send((False, peak_mb(resource.getrusage(resource.RUSAGE_SELF))))
    except EOFError:  # the benchmark has ended
        pass
    except Exception as error:
        connection.send((True, f"{type(error).__name__}: {error}"))


def peak_mb(usage) -> float:
    return usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)  # bytes there, kilobytes elsewhere


# ---- what is told


def median(values) -> float:
    return statistics.median(values)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """How many times longer they take, round by round: the median, for a disturbed round disturbs both."""
    return median(their / our for our, their in zip(ours, theirs, strict=True))


def table(rows: list[list]) -> str:
    """Rows of cells as text: the first column to the left, numbers to the right."""
    texts = [
        [cell if isinstance(cell, str) else "-" if cell is None else f"{cell:,.4g}" for cell in row] for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    )


def machine() -> dict:
    """What it was measured on. No name of the machine and no path."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ("torch", "transformers", "tokenizers", "tiktoken", "numpy")
    return {
        "cpu": model,
        "cores": cores,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "load_average": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def options_of(args) -> dict:
    """The options as typed, files by their names alone; of nanoGPT the commit."""
    options = {name: Path(value).name if isinstance(value, str) else value for name, value in vars(args).items()}
    if options.get("nanogpt"):
        asked = ["git", "-C", args.nanogpt, "rev-parse", "--short", "HEAD"]
        options["nanogpt"] = subprocess.run(asked, capture_output=True, text=True).stdout.strip() or "no git there"
    return options


def write_results(name: str, args, machine: dict, results: dict) -> None:
    """Writes --out. `machine` is what machine() was when the benchmark began."""
    path = Path(args.out)
    body = {"benchmark": name, "date": str(date.today()), "machine": machine, "options": options_of(args)} | results
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written ({error.strerror})") from None
    say(f"{path} is written")
