"""Several processes (data/worker.py) that read units of a large source, and their blocks in the order of the units."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from common.errors import InputError, RunError
from data.blocks import Block, dtype_of
from data.tokenizer import Tokenizer
from data.units import Unit

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

ROOT = Path(__file__).resolve().parents[1]
AHEAD = 8  # blocks of a unit that wait to be written: 2 MB each, where a token has four bytes of text

Request = tuple[Unit, int]  # a unit, and how many of its blocks are known already
Answers = queue.Queue[Block | Exception]


def blocks_in_order(
    requests: Iterable[Request], config: "DataConfig", tokenizer: Tokenizer, path: Path, n: int
) -> Iterator[Block]:
    """The blocks of the units, read by `n` processes, which end with it. path: where `tokenizer` is saved.

    Raises InputError for what they cannot read, and RunError where one of them has ended.
    """
    stopping, processes = Event(), []
    idle, waiting = queue.SimpleQueue[subprocess.Popen](), deque[Answers]()
    threads = ThreadPoolExecutor(n)
    try:
        for _ in range(n):
            processes.append(_start({"config": vars(config), "tokenizer": str(path)}))
            idle.put(processes[-1])
        for request in requests:
            waiting.append(Answers(AHEAD))
            threads.submit(_read, request, idle, dtype_of(tokenizer), waiting[-1], stopping)
            if len(waiting) > 2 * n:
                yield from _until_last(waiting.popleft())
        while waiting:
            yield from _until_last(waiting.popleft())
    finally:
        stopping.set()
        for process in processes:
            process.kill()
        threads.shutdown(cancel_futures=True)
        for process in processes:
            with contextlib.suppress(OSError):  # what it was not able to read is in the buffer of the pipe to it
                process.stdin.close()  # type: ignore[union-attr]
            process.stdout.close()  # type: ignore[union-attr]
            process.wait()


def _start(job: dict) -> subprocess.Popen:
    """A new process, not a fork: this one has threads where it has imported torch, and holds what that needs."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "data.worker"]  # -P: no module is taken from the working folder
    # in a session of its own: Ctrl-C, which reaches all processes of a terminal's, is for this one to decide on
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    _ask(process, job)
    return process


def _ask(process: subprocess.Popen, question: object) -> None:
    with contextlib.suppress(OSError):  # it has ended, as its answer tells
        process.stdin.write(json.dumps(question).encode() + b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]


def _read(request: Request, idle: queue.SimpleQueue, dtype: np.dtype, answers: Answers, stopping: Event) -> None:
    """Lets an idle process read a unit, and hands its blocks on; in a thread."""
    process, answer = idle.get(), None
    try:
        _ask(process, request)
        while not (isinstance(answer, Block) and answer.lasts):
            answer = _answer(process, dtype)
            _put(answers, answer, stopping)
    except Exception as error:
        _put(answers, error, stopping)
    idle.put(process)


def _put(answers: Answers, answer: Block | Exception, stopping: Event) -> None:
    while not stopping.is_set():
        with contextlib.suppress(queue.Full):
            return answers.put(answer, timeout=0.1)


def _answer(process: subprocess.Popen, dtype: np.dtype) -> Block:
    """The next block from a process. Raises its error, and RunError where it has ended."""
    line = process.stdout.readline()  # type: ignore[union-attr]
    header = json.loads(line) if line.endswith(b"\n") else {}
    if "problem" in header:
        raise (InputError if header["exit_code"] == InputError.exit_code else RunError)(header["problem"])
    sizes = [n * dtype.itemsize for n in header.pop("n_ids", [1])]
    data = [process.stdout.read(size) for size in sizes]  # type: ignore[union-attr]
    if not header or [len(part) for part in data] != sizes:
        code = process.wait()
        why = "was killed, as systems do where memory runs out" if code == -signal.SIGKILL else f"ended with {code}"
        raise RunError(f"a process that reads the text {why}; what is done is kept: start again")
    train, val = (np.frombuffer(part, dtype) for part in data)
    return Block((train, val), **header)


def _until_last(answers: Answers) -> Iterator[Block]:
    while True:
        answer = answers.get()
        if isinstance(answer, Exception):
            raise answer
        yield answer
        if answer.lasts:
            return
