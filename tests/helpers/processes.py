"""Real processes of train.py, stopped by a signal at a moment, and what must be true of them after it."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.scripts import Done, arguments_of, contents, differences, run_train
from tests.helpers.source import ROOT

MAX_SECONDS = 300  # seconds that a process of a small run may take; after that it counts as hanging
HUNG = f"no end within {MAX_SECONDS} s"


@dataclass
class Moment:
    """`seconds` after the start of a process or, where it has `begun`, after its first line: its imports are over."""

    begun: bool
    seconds: float


@dataclass
class Ended(Done):
    begins: float  # seconds until its first line
    works: float  # seconds from there to its end
    struck: bool  # whether it was still running at the moment of the signal


def process(*command, number: int | None = None, at: Moment | None = None) -> Ended:
    """Runs a command from the root of the project and sends it signal `number` at a moment."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments_of(*command)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    struck, first, begun = False, "", started
    try:
        if at is None or at.begun:
            first = child.stdout.readline()
            begun = time.perf_counter()
        if at is not None:
            try:
                child.wait(at.seconds)
            except subprocess.TimeoutExpired:
                struck = True
                child.send_signal(number)
        try:
            out, err = child.communicate(timeout=MAX_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            err += HUNG
    finally:
        child.kill()
    return Ended(child.returncode, first + out, err, begun - started, time.perf_counter() - begun, struck)


def problems(ended: Ended, number: int | None) -> list[str]:
    """What is wrong with the way a process of train.py ended that got signal `number`."""
    # during the imports a signal ends the process itself, which a shell shows as 130 and 143 too
    signalled = {128 + number, -number} if number else set()
    wrong = [] if ended.code in signalled | {0} else [f"exit code {ended.code}"]
    traceback = "Traceback" in ended.err or "Exception ignored" in ended.err
    if number == signal.SIGINT and not ended.out and ended.err.endswith("KeyboardInterrupt\n"):
        # Python's own start, some 20 ms, is not ours: up to the line by which train.py takes Ctrl-C into its hands
        traceback = "train.py" in ended.err and "    import signal\n" not in ended.err
    return wrong + ["a traceback"] * traceback + [HUNG] * ended.err.endswith(HUNG)


@dataclass
class Unbroken:
    """A run that never stopped: its options, what it left, and how long its process took."""

    options: dict
    contents: dict
    files: list[str]
    ended: Ended

    def train(self, run: Path, **stop) -> Ended:
        """The same run in a real process: a new one, or one resumed where a process has left it."""
        begun = (run / "config.yaml").exists()
        ended = process("train.py", {"resume": run} if begun else self.options | {"run": run}, **stop)
        if not begun and not ended.struck:  # the machine has become quicker: later moments must come sooner
            self.ended.works = min(self.ended.works, ended.works)
        return ended

    def finish(self, folder: Path):
        """Brings the run in `folder` to its end as its user would do it: it is then the one that never stopped."""
        run = folder / "run"
        done = run_train("--resume", run) if (run / "config.yaml").exists() else run_train(self.options, {"run": run})
        assert (done.code, done.err) == (0, "")
        (run,) = (path.parent for path in folder.glob("*/config.yaml"))  # run-2, where only a folder had been made
        assert self.compare(run) == []

    def compare(self, run: Path) -> list[str]:
        """What is wrong with a finished run, which must be as this one."""
        wrong = [f"{name} differs" for name in differences(run, self.contents)]
        wrong += [f"{path.relative_to(run)} left" for path in run.rglob("tmp-*")]
        return wrong + [f"{name} on one side only" for name in set(files(run)) ^ set(self.files)]

    def moments(self, seed: int, share: float = 1) -> Iterator[Moment]:
        """Endless: every fourth within the start of a process, the rest within the first `share` of its work."""
        draw = random.Random(seed)
        for number in itertools.count(1):
            begun = number % 4 != 0
            yield Moment(begun, draw.uniform(0, self.ended.works * share if begun else self.ended.begins))


def train_unbroken(folder: Path, options: dict) -> Unbroken:
    """Trains one in a process of its own, its tokens not yet made."""
    run = folder / "unbroken"
    shutil.rmtree(options["data.cache"], ignore_errors=True)
    ended = process("train.py", options | {"run": run})
    assert (ended.code, ended.err) == (0, ""), ended
    return Unbroken(options, contents(run), files(run), ended)


def files(run: Path) -> list[str]:
    """The names of what a run holds.

    Except for its checkpoints, which depend on where it was stopped, and its page, which is written when it is
    finished: `view.py` writes it for a run that was killed right there.
    """
    names = (path.relative_to(run).as_posix() for path in run.rglob("*"))
    return sorted(name for name in names if not name.startswith(("checkpoints/step-", "attention.html")))


def damage(path: Path, how: str, draw: random.Random):
    """A bit of a file flipped, a part of its end cut, or the file deleted."""
    content = bytearray(path.read_bytes())
    path.unlink()
    if how == "flip":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del content[draw.randrange(len(content)) :]
    if how != "delete":
        path.write_bytes(content)


def progress_of(run: Path) -> str:
    """How far a stopped run had come, in a few words, to count the accidents by."""
    if not (run / "config.yaml").exists():
        return "before its folder"
    if list(run.rglob("tmp-*")):
        return "while writing"
    return "between writes" if list(run.glob("checkpoints/step-*")) else "before a checkpoint"
